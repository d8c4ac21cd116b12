"""Tunes with chords on the command line: a prior, its samples, and its measures."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import symusic

from folk_files import write_tunes
from seqtutor.cli.main import main
from seqtutor.models.files import load_model
from seqtutor.runs.policies import load_prior
from seqtutor.runs.pretrain_on_disk import train_on_disk
from seqtutor.runs.run_folder import CHECKPOINTS
from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.dataset import read_folk_data
from seqtutor.tasks.folk.spec import USUAL_TRAINING, spec
from seqtutor.training.pretrain import new_model
from seqtutor.training.pretrain_settings import PretrainSettings

TINY = ["--length", "12", "--rare-below", "1", "--hidden-sizes", "8", "--epochs", "2"]
TINY += ["--batch", "16"]


@pytest.fixture(scope="module")
def tunes(tmp_path_factory) -> Path:
    return write_tunes(tmp_path_factory.mktemp("tunes") / "tunes.abc")


@pytest.fixture(scope="module")
def prior(tunes) -> Path:
    folder = tunes.parent / "prior"
    arguments = ["pretrain", "folk", "--data", str(tunes), "--output", str(folder)]
    assert main(arguments + TINY) == 0
    return folder


def refusal(capsys: pytest.CaptureFixture, arguments: list[str]) -> str:
    """Run a command that must be refused; returns the one line that says why."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line for line in lines if line.startswith("seqtutor: ")] == lines[-1:]
    return lines[-1]


def test_a_prior_says_what_its_tokens_mean_and_what_it_read(prior, tunes):
    saved = load_prior(spec, prior)
    origin = saved.origin
    assert origin["tokenisation"] == "interleaved"
    assert origin["max_length"] == 12
    assert origin["data"]["source"] == str(tunes)
    assert len(origin["data"]["sha256"]) == 64
    assert origin["test"]["sequences"] == origin["data"]["sequences"]["test"]
    assert any(token.startswith("chord ") for token in saved.vocabulary.tokens)


class KilledError(Exception):
    """What ends a training."""


def test_an_interrupted_training_goes_on_when_the_command_is_given_again(prior, tunes, tmp_path):
    data = read_folk_data(FolkDataSettings(data=tunes, length=12, rare_below=1))
    usual = PretrainSettings.of(**USUAL_TRAINING)
    settings = usual.changed(hidden_sizes=(8,), epochs=2, batch=16)
    folder = tmp_path / "prior"

    def die(so_far):
        raise KilledError

    with pytest.raises(KilledError):
        train_on_disk(
            new_model(data.vocabulary, settings),
            data.train,
            data.validation,
            settings,
            folder / CHECKPOINTS,
            on_epoch=die,
        )
    command = ["pretrain", "folk", "--data", str(tunes), "--output", str(folder), *TINY]
    kept = (folder / CHECKPOINTS / "step-1.json").read_bytes()
    assert main([*command, "--learning-rate", "1e-4"]) == 2
    assert (folder / CHECKPOINTS / "step-1.json").read_bytes() == kept
    assert main(command) == 0
    assert not (folder / CHECKPOINTS).exists()
    weights = "model.safetensors"
    assert (folder / weights).read_bytes() == (prior / weights).read_bytes()
    # A finished model is not written over.
    assert main(command) == 2


def test_samples_are_the_same_music_in_every_format(prior, tmp_path):
    output = tmp_path / "samples"
    arguments = ["sample", "folk", str(prior), "--number", "3", "--output", str(output)]
    assert main([*arguments, "--seed", "5"]) == 0
    sheets, _ = read_abc((output / "tune.abc").read_text(encoding="utf-8"), "tune.abc")
    assert len(sheets) == 3
    for number, sheet in enumerate(sheets, start=1):
        score = symusic.Score(output / f"tune-{number:03d}.mid")
        melody = score.tracks[0]
        assert [note.pitch for note in melody.notes] == [note.pitch for note in sheet.notes]
        assert "score-partwise" in (output / f"tune-{number:03d}.musicxml").read_text()


def test_the_page_of_a_prior_shows_tunes_with_their_chords(prior, tmp_path):
    page = tmp_path / "page.html"
    arguments = ["report", "folk", str(prior), "--output", str(page), "--number", "20"]
    assert main([*arguments, "--samples", "3"]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<article") == text.count("<audio") == text.count("data-score=") == 3
    assert "No tuned policy" in text
    assert re.search(r'aria-label="[A-G]#?\d, [^"]* in bar \d+, (not )?a tone of [A-G]', text)
    for link in re.findall(r'download="[^"]*\.mxl" href="data:[^,]*,([^"]*)"', text):
        with ZipFile(io.BytesIO(base64.b64decode(link))) as archive:
            assert "score-partwise" in archive.read("score.musicxml").decode()


def test_published_sequences_keep_their_ids(tmp_path, capsys):
    import numpy as np

    rows = np.arange(240).reshape(40, 6) % 4
    np.savez(tmp_path / "s.npz", train=rows[:32], valid=rows[32:])
    values = [[1.0, 4.0, 5.0, 1.0, 0.0, 0.0], [0.5, 4.0, 8.0, 0.0, 0.0, 0.0]]
    values += [[0.0, 0.0, 0.0, 0.5, 0.0, 0.0], [2.0, 3.0, 1.0, 2.0, 1.0, 1.0]]
    table = {"tokens": values, "octaves": ["Rest", [3, 3, 3]], "chords": ["Rest", [0, 4, 7]]}
    (tmp_path / "t.json").write_text(json.dumps(table))
    folder = tmp_path / "prior"
    own = ["--sequences", str(tmp_path / "s.npz"), "--token-table", str(tmp_path / "t.json")]
    arguments = ["pretrain", "folk", *own, "--output", str(folder)]
    assert main([*arguments, "--hidden-sizes", "4", "--epochs", "1", "--batch", "8"]) == 0
    saved = load_model(folder)
    assert saved.origin["tokenisation"] == "joint"
    assert saved.vocabulary.tokens[3] == "2 4 1 | 2 3.3.3 0.4.7"
    # There is no array "test".
    assert "test" not in saved.origin


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrain", "folk", "--data", "none-such.abc"], "none-such.abc"),
        (["pretrain", "folk", "--sequences", "s.npz"], "go together"),
        (["pretrain", "folk", "--length", "0"], "length must be at least 1"),
        (["tune", "folk"], "comes without a prior: train one"),
        (["score", "folk", "tunes.abc"], "give its folder with --prior"),
        (["verify", "folk"], "give its folder with --prior"),
        (["evaluate", "folk"], "name the folder of a model"),
        (["sample", "folk"], "comes without a prior: train one"),
        (["sample", "folk", "none-such"], "not a model folder"),
        (["sample", "folk", "none-such", "--temperature", "0"], "--temperature"),
        (["sample", "folk", "none-such", "--number", "0"], "--number"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refusal(capsys, arguments)
    assert not list(tmp_path.iterdir())


def test_a_few_tunes_of_ones_own_are_told_what_is_wrong_with_them(tmp_path, capsys):
    tunes = write_tunes(tmp_path / "few.abc", number=8, bars=8)
    output = tmp_path / "prior"
    arguments = ["pretrain", "folk", "--data", str(tunes), "--output", str(output)]
    assert main(arguments) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "too few for a sequence of 100; give more tunes, a smaller --length" in printed
    shorter = ["--length", "8", "--rare-below", "1"]
    assert main([*arguments, *shorter, "--fractions", "0.8", "0", "0.2"]) == 2
    assert "of 8 tunes none is left to validate on; give more tunes" in capsys.readouterr().err
    assert not output.exists()
    tiny = ["--hidden-sizes", "4", "--epochs", "1", "--length", "8"]
    assert main([*arguments, *tiny]) == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "of the tokens were replaced by others" in printed
    assert "--rare keep" in printed


def test_training_continues_with_the_tokens_of_the_model(prior, tmp_path):
    others = write_tunes(tmp_path / "others.abc", seed=9)
    output = tmp_path / "continued"
    command = ["pretrain", "folk", "--data", str(others), "--prior", str(prior)]
    command += ["--length", "12", "--epochs", "1", "--batch", "16", "--output", str(output)]
    assert main(command) == 0
    first, second = (load_prior(spec, folder) for folder in (prior, output))
    assert second.vocabulary == first.vocabulary
    assert second.origin["start"] == str(prior)
    assert second.origin["data"]["sha256"] != first.origin["data"]["sha256"]


TUNE = ["--steps", "3000", "--environments", "16", "--samples", "2", "--evaluate", "20"]


@pytest.fixture(scope="module")
def tuned(prior) -> Path:
    folder = prior.parent / "tuned"
    command = ["tune", "folk", "--prior", str(prior), "--method", "rloo", "--c", "1"]
    assert main([*command, *TUNE, "--output", str(folder)]) == 0
    return folder


def test_tunes_are_tuned_on_the_terms_of_the_lead_sheet(tuned, tmp_path, capsys):
    records = [json.loads(line) for line in (tuned / "metrics.jsonl").read_text().splitlines()]
    assert {"reward/chord_tones", "reward/on_the_bar", "reward/echoes"} <= records[-1].keys()
    assert (tuned / "samples" / "tune.abc").is_file()
    table = (tuned / "table.csv").read_text(encoding="utf-8")
    assert "Chord changes on one metre" in table
    assert "Term on the bar" in table
    # What the run wrote can be read again without the prior's folder being named.
    output = tmp_path / "samples"
    arguments = ["sample", str(tuned), "--number", "1", "--output", str(output)]
    assert main([*arguments, "--formats", "abc"]) == 0
    assert read_abc((output / "tune.abc").read_text(encoding="utf-8"), "tune.abc")[0]


def test_score_shows_the_terms_of_each_piece_of_a_tune(prior, tunes, tmp_path, capsys):
    tune = tmp_path / "one.abc"
    tune.write_text("\n\n".join(tunes.read_text().split("\n\n")[:1]), encoding="utf-8")
    capsys.readouterr()
    assert main(["score", "folk", str(tune), "--prior", str(prior), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["sequence"] == f"Tune 1 (1 of {len(lines)})"
    for line in lines:
        assert set(line["terms"]) == {"chord_tones", "on_the_bar", "echoes"}
        assert line["total"] == pytest.approx(sum(sum(term) for term in line["terms"].values()))
        assert all(len(term) <= 12 for term in line["terms"].values())
    # The chords of these tunes are all a bar apart.
    assert sum(lines[0]["terms"]["on_the_bar"]) == pytest.approx(10)


def test_the_contract_of_the_task_is_verified(prior, capsys):
    assert main(["verify", "folk", "--prior", str(prior)]) == 0
    assert "The task folk keeps its contract" in capsys.readouterr().out


def test_a_model_of_another_task_is_refused(prior, tmp_path, capsys):
    for name in ("config.json", "model.safetensors", "vocabulary.json"):
        (tmp_path / name).write_bytes((prior / name).read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    del config["origin"]["tokenisation"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "not one of tunes with chords" in refusal(capsys, ["sample", "folk", str(tmp_path)])


def test_evaluate_measures_by_what_was_held_out(prior, tunes, capsys):
    arguments = ["evaluate", "folk", str(prior), "--data", str(tunes), "--rare-below", "1"]
    arguments += ["--judge.epochs", "1", "--judge.discrimination.batch", "16", "--json"]
    capsys.readouterr()
    assert main([*arguments, "--length", "12"]) == 0
    found, real = json.loads(capsys.readouterr().out).values()
    assert 0 < real["bleu"] <= 1
    assert real["cross_entropy"] is None
    test = load_prior(spec, prior).origin["test"]["log_perplexity"]
    assert found["cross_entropy"] == pytest.approx(test, rel=1e-5)
    assert 0 < found["bleu"] < 1
    # A mere model has no discriminator of a game.
    assert found["precision"] is None
    assert "other sequences" in refusal(capsys, [*arguments, "--length", "10"])


@pytest.mark.parametrize("command", ["pretrain", "sample", "score", "evaluate", "reproduce"])
def test_help_loads_nothing_heavy(command):
    code = (
        f"import sys; from seqtutor.cli.main import main; main(['{command}', 'folk', '--help']); "
        "heavy = {'jax', 'music21', 'matplotlib', 'symusic', 'scipy'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: seqtutor" in done.stdout
