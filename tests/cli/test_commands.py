"""The command line as a user meets it, in this process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import symusic
import yaml
from safetensors.numpy import load_file

from seqtutor.cli.main import COMMANDS, main
from seqtutor.models.files import weights_hash
from seqtutor.runs.policies import load_prior
from seqtutor.tasks.melody.spec import spec

GOLDEN = Path(__file__).parents[1] / "data" / "melody" / "golden.jsonl"
TINY = ["--steps", "8192", "--environments", "64", "--replay-capacity", "256", "--batch", "16"]
TINY += ["--updates", "2", "--log-every", "4096", "--evaluate", "0", "--samples", "2"]


@pytest.fixture(scope="module")
def golden_lines() -> list[dict]:
    return [json.loads(line) for line in GOLDEN.read_text().splitlines()]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "psi"
    assert main(["tune", "melody", "--method", "psi", "--output", str(folder), *TINY]) == 0
    return folder


def one_line_refusal(capsys: pytest.CaptureFixture, arguments: list[str]) -> str:
    """Run a command that must be refused; returns the one line that says why."""
    assert main(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    refusals = [line for line in lines if line.startswith("seqtutor: ")]
    assert refusals == lines[-1:], lines
    assert not any("Traceback" in line for line in lines)
    return lines[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_its_options(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"seqtutor {command}" in capsys.readouterr().out


def test_help_of_tune_has_the_options_of_its_method_alone(capsys):
    assert main(["tune", "--method", "ppo", "--help-all"]) == 0
    of_ppo = capsys.readouterr().out
    assert main(["tune", "--method", "merl", "--help-all"]) == 0
    of_merl = capsys.readouterr().out
    for option, page, other in [("--clip", of_ppo, of_merl), ("--entropy-weight", of_merl, of_ppo)]:
        assert f"{option} FLOAT" in page
        assert option not in other
    assert "- psi: Soft Q-learning" in of_merl
    assert "λ of the advantages" in of_ppo


@pytest.mark.parametrize("command", [*COMMANDS, "pretrain molecule", "pretrain tunes"])
def test_help_loads_nothing_heavy(command):
    """The options of `tune` are those of its method, whose module has its mathematics in JAX.

    Those of `pretrain` are of the kind of model that the task learns by default.
    """
    heavy = {"music21", "matplotlib", "symusic", "scipy"} | (
        set() if command == "tune" else {"jax"}
    )
    code = (
        f"import sys; from seqtutor.cli.main import main; main([*'{command}'.split(), '--help']); "
        f"heavy = {heavy} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_score_gives_the_golden_numbers(golden_lines, tmp_path, capsys):
    path = tmp_path / "melodies.jsonl"
    path.write_text("".join(json.dumps({"tokens": g["tokens"]}) + "\n" for g in golden_lines))
    assert main(["score", "melody", "--tokens", str(path), "--per-rule"]) == 0
    output = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(output) == len(golden_lines)
    for scored, golden in zip(output, golden_lines, strict=True):
        either_way = {step for step, _, _ in golden["autocorr_borderline"]}
        assert list(scored["rules"]) == list(golden["rules"])
        sure = [step for step in range(32) if step not in either_way]
        for name, numbers in golden["rules"].items():
            np.testing.assert_allclose(
                np.array(scored["rules"][name])[sure], np.array(numbers)[sure], atol=1e-6
            )
        total = np.sum([golden["rules"][name] for name in golden["rules"]], axis=0)
        np.testing.assert_allclose(np.array(scored["total"])[sure], total[sure], atol=1e-6)


def test_score_of_a_midi_file_is_that_of_its_tokens(run_folder, capsys):
    midi = sorted((run_folder / "samples").glob("*.mid"))[0]
    assert main(["score", "melody", str(midi)]) == 0
    table = capsys.readouterr().out
    assert "penalize_autocorrelation" in table
    assert "total" in table


def test_evaluate_counts_what_the_golden_files_count(golden_lines, tmp_path, capsys):
    path = tmp_path / "melodies.jsonl"
    path.write_text("".join(json.dumps({"tokens": g["tokens"]}) + "\n" for g in golden_lines))
    assert main(["evaluate", "melody", "--tokens", str(path), "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    stats = [golden["stats"] for golden in golden_lines]
    steps = 32 * len(stats)

    def total(name: str) -> float:
        return sum(one[name] for one in stats)

    assert measured["notes_not_in_key"] == pytest.approx(total("notes_not_in_key") / steps)
    assert measured["notes_in_motif"] == pytest.approx(total("notes_in_motif") / steps)
    assert measured["unique_lowest"] == pytest.approx(total("num_low_unique") / len(stats))
    leaps = total("num_resolved_leaps") + total("num_leap_twice")
    assert measured["leaps_resolved"] == pytest.approx(total("num_resolved_leaps") / leaps)


def test_a_run_writes_what_is_promised(run_folder):
    assert {path.name for path in run_folder.iterdir()} == {
        "config.yaml",
        "metrics.jsonl",
        "model",
        "samples",
        "value.safetensors",
    }
    records = [json.loads(line) for line in (run_folder / "metrics.jsonl").open()]
    assert [record["step"] for record in records] == [4096, 8192]
    assert all(record["kl"] >= 0 for record in records)
    assert records[0]["kl"] < records[-1]["kl"], "the first policy is the prior; then it moves"


def test_the_config_of_a_run_runs_it_again(run_folder, tmp_path):
    again = tmp_path / "again"
    config = str(run_folder / "config.yaml")
    assert main(["tune", "--config", config, "--output", str(again)]) == 0
    first, second = (
        {path.relative_to(one) for path in one.rglob("*")} for one in (run_folder, again)
    )
    assert first == second, "as many samples and no table, as was asked of the first"
    weights = [load_file(folder / "model" / "model.safetensors") for folder in (run_folder, again)]
    assert weights[0].keys() == weights[1].keys()
    for name, array in weights[0].items():
        np.testing.assert_array_equal(array, weights[1][name])


def test_samples_begin_with_their_primer(run_folder, tmp_path, capsys):
    arguments = ["sample", str(run_folder), "--number", "3", "--prime", "14 1 1 1 18 1"]
    assert main([*arguments, "--output", str(tmp_path), "--length", "48"]) == 0
    midi = sorted(tmp_path.glob("*.mid"))
    assert len(midi) == 3
    for path in midi:
        notes = symusic.Score(path).tracks[0].notes
        assert [note.pitch for note in notes][:2] == [60, 64]
    assert (tmp_path / "melody.abc").read_text().count("X:") == 3
    assert len(list(tmp_path.glob("*.musicxml"))) == 3
    assert f"… and 1 more in {tmp_path}\n" in capsys.readouterr().out


def test_a_primer_in_its_own_key_is_heard_in_its_own_key(tmp_path, capsys):
    primer = tmp_path / "tune.abc"
    primer.write_text("X:1\nT:T\nM:4/4\nL:1/4\nK:D\nD F A d|\n")
    output = tmp_path / "samples"
    arguments = ["sample", "--prime", str(primer), "--number", "2", "--output", str(output)]
    assert main(arguments) == 0
    assert "in D major: transposed by -2 semitones" in capsys.readouterr().out
    for path in output.glob("*.mid"):
        score = symusic.Score(path)
        assert [note.pitch for note in score.tracks[0].notes][:4] == [62, 66, 69, 74]
        assert score.key_signatures[0].key == 2
    assert "K:D\n" in (output / "melody.abc").read_text()


def test_a_primer_that_fills_the_length_is_refused_alone(tmp_path, capsys):
    primer = tmp_path / "tune.abc"
    primer.write_text(f"X:1\nT:T\nM:4/4\nL:1/4\nK:D\n{'D F A d|' * 4}\n")
    arguments = ["sample", "--prime", str(primer), "--output", str(tmp_path / "samples")]
    assert main([*arguments, "--length", "64"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert " ".join(told.err.split()) == (
        "seqtutor: the primer has 64 tokens already; choose a --length above that, or "
        "--prime-bars N for the first bars of a file alone"
    )
    assert main([*arguments, "--length", "64", "--prime-bars", "1", "--number", "1"]) == 0
    score = symusic.Score(tmp_path / "samples" / "melody-001.mid")
    assert [note.pitch for note in score.tracks[0].notes][:4] == [62, 66, 69, 74]


def test_scores_say_in_which_key_a_tune_was_read(tmp_path, capsys):
    """In another one than the rules count in, and in its relative, whose tonic is another."""
    tune = tmp_path / "tune.abc"
    for key, notes in (("E minor", "E G B ^F"), ("A minor", "A c e d")):
        tune.write_text(f"X:1\nT:T\nM:4/4\nL:1/4\nK:{key[0]}m\n{notes}|\n")
        assert main(["score", str(tune)]) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert "Counted in C major" in told
        listing = told.index("beat note points")
        judged = f"The tune was read in {key} and is judged by the rules of C major"
        assert 0 <= told.find(judged) < told.find("; to count in its key:") < listing, "at the top"
        assert ("C counts as the tonic" in told) is (key == "A minor")
        options = ["--rules.tonic", key[0], "--rules.mode", "minor"]
        assert f"to count in its key: {' '.join(options)}" in told
        assert main(["score", str(tune), *options]) == 0
        assert f"was read in {key}, too" in " ".join(capsys.readouterr().out.split())


def test_evaluating_a_run_puts_the_papers_column_beside_it(run_folder, capsys):
    assert main(["evaluate", "prior", str(run_folder), "--number", "300"]) == 0
    table = capsys.readouterr().out
    assert "Note RNN" in table
    assert "28.7" in table, "the papers' share of melodies that start with the tonic under Ψ"


def test_unknown_names_are_refused(capsys, tmp_path):
    assert "no command" in one_line_refusal(capsys, ["tone"])
    assert "did you mean tune?" in one_line_refusal(capsys, ["tunes"])
    assert "there is no task 'melodies'" in one_line_refusal(capsys, ["tune", "melodies"])
    told = one_line_refusal(capsys, ["score", "tune", "kesh.abc"])
    assert "there is no task, model or file 'tune'; did you mean tunes?" in told
    assert "did you mean folk?" in one_line_refusal(capsys, ["sample", "fok", "prior"])
    hint = one_line_refusal(capsys, ["sample", "melody", "model", "--formats", "pdf"])
    assert hint.endswith("see: seqtutor sample melody --help")
    assert "no method" in one_line_refusal(capsys, ["tune", "--method", "sarsa"])
    assert "no preset" in one_line_refusal(capsys, ["tune", "--preset", "best"])
    assert "--speed" in one_line_refusal(capsys, ["tune", "--speed", "9"])
    assert "'high' is not a number" in one_line_refusal(capsys, ["tune", "--c", "high"])
    assert "'many' is not a whole number" in one_line_refusal(capsys, ["tune", "--steps", "many"])
    assert "c must be at least 1e-06" in one_line_refusal(capsys, ["tune", "--c", "0"])
    told = one_line_refusal(capsys, ["tune", "--method", "rloo", "--trace", "0.5"])
    assert told.endswith("trace is a setting of q, psi, g, ppo, rl-only, not of rloo")
    told = one_line_refusal(capsys, ["tune", "--method=ppo", "--exploration.epsilon-start=0"])
    assert told.endswith("exploration is a setting of q, psi, g, path, rl-only, not of ppo")
    assert "no such tonic" in one_line_refusal(capsys, ["tune", "--rules.tonic", "H"])


def test_each_of_several_unusable_files_is_named(capsys, tmp_path):
    empty, words, page = (tmp_path / name for name in ("empty.abc", "words.abc", "x.pdf"))
    empty.write_text("")
    words.write_text("hello\n")
    page.write_bytes(b"%PDF-1.7")
    assert main(["score", "tunes", *map(str, (empty, words, page))]) == 2
    told = capsys.readouterr()
    assert not told.out
    first, second, third = told.err.splitlines()
    assert f"{empty} holds no usable tune (the file is empty)" in first
    assert f"{words} holds no usable tune (no X: field" in second
    assert f"{page} is not a tune" in third


@pytest.mark.parametrize(
    "content",
    ["", "nonsense\n", '{"tokens": []}\n', '{"notes": [1]}\n', "[1, 2]\n"],
)
def test_bad_token_files_are_refused(content, tmp_path, capsys):
    path = tmp_path / "melodies.jsonl"
    path.write_text(content)
    assert "melodies.jsonl" in one_line_refusal(capsys, ["score", "--tokens", str(path)])


def test_of_a_file_with_several_parts_it_is_said_that_one_is_read(tmp_path, capsys):
    score = symusic.Score(480)
    for pitch in (60, 72):
        track = symusic.Track()
        track.notes.append(symusic.Note(0, 960, pitch, 80))
        score.tracks.append(track)
    path = tmp_path / "two.mid"
    path.write_bytes(score.dumps_midi())
    assert main(["score", str(path)]) == 0
    assert "several parts; only the first" in " ".join(capsys.readouterr().err.split())


def test_the_seed_of_a_measurement_does_not_hang_on_what_is_measured_beside(run_folder, capsys):
    arguments = ["--number", "300", "--json", "--seed", "3"]
    assert main(["evaluate", str(run_folder), *arguments]) == 0
    alone = json.loads(capsys.readouterr().out)["psi"]
    assert main(["evaluate", "prior", str(run_folder), *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["psi"] == alone


def test_a_bad_token_is_named_with_its_place(tmp_path, capsys):
    path = tmp_path / "melodies.jsonl"
    path.write_text('{"tokens": [1, 14]}\n{"tokens": [1, 99]}\n')
    line = one_line_refusal(capsys, ["score", "--tokens", str(path)])
    assert "line 2: token 99 at position 2" in line


def test_a_name_that_no_file_can_have_is_refused(capsys):
    assert "File name too long" in one_line_refusal(capsys, ["evaluate", "a" * 300])


def test_unreadable_melodies_are_refused(tmp_path, capsys):
    (tmp_path / "broken.mid").write_bytes(b"MThd\x00\x00")
    one_line_refusal(capsys, ["score", "melody", str(tmp_path / "broken.mid")])
    for name, told in ((".", "is a folder; name files in it"), ("no.mid", "no.mid does not exist")):
        assert told in one_line_refusal(capsys, ["score", "melody", str(tmp_path / name)])
    empty = tmp_path / "empty"
    empty.mkdir()
    output = tmp_path / "prior"
    one_line_refusal(capsys, ["pretrain", "--data", str(empty), "--output", str(output)])
    assert not output.exists()


def test_a_model_of_another_vocabulary_is_refused(run_folder, tmp_path, capsys):
    import seqtutor as st

    task = st.Task(st.Vocabulary("abc"), 4, lambda tokens, mask: {"a": tokens == 0})
    prior = st.pretrain(task, ["abca", "bcab"] * 40, epochs=1, batch=8, hidden_sizes=(4,))
    prior.save(tmp_path / "other")
    output = tmp_path / "run"
    line = one_line_refusal(
        capsys, ["tune", "--prior", str(tmp_path / "other"), "--output", str(output), *TINY]
    )
    assert "another vocabulary" in line
    assert not output.exists()


def test_tune_ends_with_the_papers_table(tmp_path, capsys):
    arguments = ["tune", "--method", "g", "--output", str(tmp_path / "run"), *TINY]
    assert main([*arguments, "--evaluate", "2100"]) == 0
    table, told = capsys.readouterr()
    assert "Leaps resolved" in table
    assert "52.2" in table, "the papers' share under G"
    page = (tmp_path / "run" / "page.html").read_text(encoding="utf-8")
    assert page.count("<audio") == 2 * 12
    assert told.count("Sampling prior") == 1, "the page has the sequences of the table"
    assert "2,100 melodies of each policy were generated" in page
    assert "Chosen by rule among 2,000 melodies" in page


@pytest.mark.parametrize(
    "options",
    [
        ["--seed", "99999999999999999999"],
        ["--samples", "-1"],
        ["--evaluate", "-1"],
        ["--weights.motif", "nan"],
        ["--rules.key-penalty", "inf"],
        ["--rules.intervals.rest", "nan"],
        ["--preset", "strict-rules", "--config", "run.yaml"],
    ],
)
def test_bad_numbers_are_refused_before_anything_is_made(options, tmp_path, capsys):
    output = tmp_path / "run"
    one_line_refusal(capsys, ["tune", "--output", str(output), *options])
    assert not output.exists()


@pytest.mark.parametrize(
    "options", [["--temperature", "nan"], ["--formats"], ["--number", "0"], ["--seed", "-1"]]
)
def test_bad_sampling_is_refused(options, tmp_path, capsys):
    output = tmp_path / "samples"
    one_line_refusal(capsys, ["sample", "--output", str(output), *options])
    assert not output.exists()


def test_samples_never_join_older_ones(tmp_path, capsys):
    arguments = ["sample", "--number", "1", "--output", str(tmp_path / "samples")]
    assert main(arguments) == 0
    assert "exists already" in one_line_refusal(capsys, arguments)


def test_a_small_folder_of_tunes_is_enough_to_pretrain(tmp_path, capsys):
    generator = np.random.default_rng(0)
    tunes = tmp_path / "tunes"
    tunes.mkdir()
    for number in range(20):
        bars = [
            "".join(f"{letter}2" for letter in generator.choice([*"CDEFGABc"], 8)) for _ in range(6)
        ]
        text = f"X:1\nT:Tune {number}\nM:4/4\nL:1/16\nK:C\n{'|'.join(bars)}|]\n"
        (tunes / f"{number}.abc").write_text(text)
    (tunes / "broken.mid").write_bytes(b"MThd")
    output = tmp_path / "prior"
    arguments = ["pretrain", "--data", str(tunes), "--output", str(output), "--epochs", "1"]
    assert main([*arguments, "--hidden-sizes", "8"]) == 0
    assert "broken.mid" in capsys.readouterr().err, "what could not be read is told"
    assert main(["sample", str(output), "--output", str(tmp_path / "s"), "--number", "1"]) == 0


def test_a_run_is_never_written_over(run_folder, capsys):
    before = (run_folder / "metrics.jsonl").read_bytes()
    assert "exists already" in one_line_refusal(capsys, ["tune", "--output", str(run_folder)])
    assert (run_folder / "metrics.jsonl").read_bytes() == before


def test_a_melody_out_of_range_is_named_by_its_file(tmp_path, capsys):
    path = tmp_path / "low.abc"
    path.write_text("X:1\nM:4/4\nL:1/4\nK:C\nC,,,2 D,,,2|\n")
    assert main(["score", "melody", str(path)]) == 2
    assert f"{path}: MIDI pitch" in " ".join(capsys.readouterr().err.split())


def test_a_run_tells_what_it_was_made_of_and_on(run_folder):
    made_by = yaml.safe_load((run_folder / "config.yaml").read_text())["made_by"]
    assert made_by["prior_sha256"] == weights_hash(load_prior(spec).model)
    assert {"command", "date", "jax", "jaxlib", "numpy", "processor", "device"} <= set(made_by)


def test_an_argument_that_is_no_text_is_refused(capsys):
    assert "is not text in UTF-8" in one_line_refusal(capsys, ["tune", "--output", "a\udcff"])


def test_an_output_that_is_full_is_told_in_a_line():
    command = [sys.executable, "-m", "seqtutor", "sample", "melody", "--help"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "seqtutor: No space left on device\n")
