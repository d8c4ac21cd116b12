"""Sampling and evaluating tuned molecules, what is refused, and what an interruption leaves."""

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqtutor.cli.main import main

sys.path.append(str(Path(__file__).parents[1] / "tasks" / "molecule"))
from tiny_molecules import LENGTH, save_tiny_prior

TINY = ["--steps", str(64 * LENGTH), "--environments", "32", "--evaluate", "40", "--samples", "0"]
REPLAY = ["--batch", "32", "--replay-capacity", "128"]


@pytest.fixture(scope="module")
def prior(tmp_path_factory) -> Path:
    return save_tiny_prior(tmp_path_factory.mktemp("model") / "prior")


@pytest.fixture(scope="module")
def tuned(prior, tmp_path_factory) -> tuple[Path, str]:
    """A short run, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "rloo"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(folder), *TINY]
    arguments += ["--method", "rloo", "--preset", "qed", "--reward-workers", "0"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(arguments) == 0
    return folder, printed.getvalue()


@pytest.fixture(scope="module")
def run(tuned) -> Path:
    return tuned[0]


def refusal(capsys: pytest.CaptureFixture, arguments: list[str]) -> str:
    """Run a command that must be refused; returns the one line that says why."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    refusals = [line for line in lines if line.startswith("seqtutor: ")]
    assert refusals == lines[-1:], lines
    return lines[-1]


def test_tune_ends_with_the_table(tuned):
    folder, printed = tuned
    assert "Mean SA penalty" in printed
    assert "RLOO" in printed
    assert "Mean reward a SMILES string" in printed
    assert "The mean reward is the sum of the terms" in " ".join(printed.split())
    assert "without the term diversity" not in printed, "which this reward does not have"
    assert "4.21" not in printed, "the paper's logP under Ψ, of another reward"
    assert not (folder / "samples").exists()


def test_sampling_a_run_writes_the_formats_asked_for(run, tmp_path, capsys):
    output = tmp_path / "samples"
    arguments = ["sample", "molecule", str(run), "--number", "30", "--output", str(output)]
    arguments += ["--formats", "smi", "--grid", "png", "--workers", "0"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert {path.name for path in output.iterdir()} == {"molecules.smi", "molecules.png"}
    number = len((output / "molecules.smi").read_text().splitlines())
    assert "30 SMILES strings of up to" in said.out
    assert f"{number} of 30 strings are valid molecules" in said.err
    assert "exists already" in refusal(capsys, arguments)


def test_samples_of_a_run_tell_what_they_earn(run, tmp_path):
    output = tmp_path / "samples"
    arguments = ["sample", "molecule", str(run), "--number", "30", "--output", str(output)]
    arguments += ["--formats", "csv", "--grid", "none", "--workers", "0"]
    assert main(arguments) == 0
    rows = list(csv.DictReader((output / "molecules.csv").open()))
    valid = [row for row in rows if row["qed"]]
    assert valid
    for row in valid:
        assert float(row["reward"]) == pytest.approx(5 * (float(row["qed"]) - 0.807) / 0.095)
    assert {float(row["reward"]) for row in rows if row not in valid} <= {-5.0}
    without = tmp_path / "without"
    arguments[arguments.index(str(output))] = str(without)
    assert main([*arguments, "--no-rewards"]) == 0
    assert "reward" not in (without / "molecules.csv").read_text().splitlines()[0]


@pytest.fixture(scope="module")
def with_code(prior, tmp_path_factory):
    """A run whose folder names a function and a command, each of which notes that it ran."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "theirs.py").write_text(
        "open(__file__ + '.ran', 'a').write('imported')\n"
        "def score(smiles: str) -> float: return len(smiles) / 4\n"
    )
    script = folder / "command.py"
    script.write_text(
        f"open({str(folder / 'command.ran')!r}, 'a').write('ran')\n"
        "import sys\nfor line in sys.stdin: print(line.count('O'))\n"
    )
    run = folder / "run"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(run), *TINY]
    arguments += ["--method", "rloo", "--preset", "blank", "--reward-workers", "0"]
    arguments += ["--reward.custom.function", f"{folder / 'theirs.py'}:score"]
    arguments += ["--reward.scorers.oxygen.command", f"{sys.executable} {script}"]
    arguments[arguments.index("--samples") + 1] = "8"
    command = [sys.executable, "-m", "seqtutor", *arguments, "--reward.scorers.oxygen.weight", "3"]
    subprocess.run(command, check=True, capture_output=True)
    return run


def ran(run):
    """Whether code of the folder has run since this was asked last."""
    notes = [run.parent / "theirs.py.ran", run.parent / "command.ran"]
    found = [note.exists() for note in notes]
    for note in notes:
        note.unlink(missing_ok=True)
    return found


def in_a_process(*arguments):
    command = [sys.executable, "-m", "seqtutor", *map(str, arguments), "--workers", "0"]
    return subprocess.run(command, capture_output=True, text=True)


def in_this_process(capsys, *arguments):
    """The exit code, and all that was printed, of a command that runs no code of a folder's."""
    capsys.readouterr()
    code = main([*map(str, arguments), "--workers", "0"])
    said = capsys.readouterr()
    return code, " ".join(said.out.split()), " ".join(said.err.split())


def rows_of(folder):
    return list(csv.DictReader((folder / "molecules.csv").open()))


def test_a_folder_runs_no_code_unless_it_is_allowed_to(with_code, tmp_path, capsys):
    assert ran(with_code) == [True, True]
    assert "reward_oxygen" in rows_of(with_code / "samples")[0], "which the user's own run does"
    sample = ("sample", "molecule", with_code, "--number", "20", "--output", tmp_path / "out")
    code, _, told = in_this_process(capsys, *sample)
    assert code == 0
    assert "Rewards are left out: the run's has custom" in told
    assert "if you trust it, give --run-scorers" in told
    assert "reward" not in (tmp_path / "out" / "molecules.csv").read_text()
    own = (*sample[:-1], tmp_path / "sorted", "--sort", "reward")
    code, _, told = in_this_process(capsys, *own)
    assert code == 2
    assert "cannot sort by reward" in told
    assert not (tmp_path / "sorted").exists()
    evaluate = ("evaluate", "molecule", with_code, "--number", "20", "--reference", "none")
    _, table, _ = in_this_process(capsys, *evaluate)
    assert "Rewards are without custom" in table
    assert "Term oxygen" not in table
    report = ("report", "molecule", with_code, "--number", "20", "--samples", "4")
    report = (*report, "--reference", "none", "--output", tmp_path / "page.html")
    assert in_this_process(capsys, *report)[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert "Rewards are without custom" in page
    assert "Term oxygen" not in page
    few = tmp_path / "few.smi"
    few.write_text("CCO\n")
    _, scores, told = in_this_process(capsys, "score", "molecule", few, "--config", with_code)
    assert "reward_oxygen" not in scores
    assert "if you trust it, give --run-scorers" in told
    assert ran(with_code) == [False, False]
    table = in_a_process(*evaluate, "--run-scorers")
    assert "Term oxygen" in table.stdout
    assert in_a_process(*report, "--run-scorers").returncode == 0
    assert "Term oxygen" in (tmp_path / "page.html").read_text()
    scored = in_a_process("score", "molecule", few, "--config", with_code, "--run-scorers")
    (row,) = csv.DictReader(io.StringIO(scored.stdout))
    assert (row["reward_custom"], row["reward_oxygen"]) == ("0.75", "3")
    assert ran(with_code) == [True, True]


def test_an_option_that_is_repeated_runs_the_code_that_it_names(with_code, tmp_path):
    few = tmp_path / "few.smi"
    few.write_text("CCO\n")
    own = ["--reward.custom.function", f"{with_code.parent / 'theirs.py'}:score"]
    scored = in_a_process("score", "molecule", few, "--config", with_code, *own)
    (row,) = csv.DictReader(io.StringIO(scored.stdout))
    assert row["reward_custom"] == "0.75"
    assert "reward_oxygen" not in row
    assert ran(with_code) == [True, False]


def test_samples_can_be_sorted_by_reward_and_each_be_written_once(with_code, tmp_path):
    arguments = ["sample", "molecule", str(with_code), "--number", "200", "--workers", "0"]
    assert main([*arguments, "--run-scorers", "--output", str(tmp_path / "all")]) == 0
    own = ["--unique", "--sort", "reward", "--grid", "none", "--run-scorers"]
    assert main([*arguments, *own, "--output", str(tmp_path / "some")]) == 0
    whole, some = rows_of(tmp_path / "all"), rows_of(tmp_path / "some")
    assert [row["name"] for row in whole] == [f"sample-{n}" for n in range(1, 201)]
    assert {row["name"]: row for row in whole}.items() >= {row["name"]: row for row in some}.items()
    identities = [row["canonical_smiles"] or row["smiles"] for row in some]
    assert len(set(identities)) == len(identities)
    assert set(identities) == {row["canonical_smiles"] or row["smiles"] for row in whole}
    valid = [float(row["reward"]) for row in some if row["valid"] == "1"]
    assert valid == sorted(valid, reverse=True)
    assert [row["valid"] for row in some] == sorted((r["valid"] for r in some), reverse=True)
    ran(with_code)


def test_on_a_disk_that_is_full_there_is_no_part_of_a_set_of_files(run, tmp_path):
    """A limit on the size of a file stands for the disk: the picture is too large for it."""
    output = tmp_path / "out"
    arguments = ["sample", "molecule", str(run), "--number", "60", "--output", str(output)]
    code = (
        "import resource, sys; from seqtutor.cli.main import main; "
        "import seqtutor.runs.policies, seqtutor.tasks.molecule.writers; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        f"sys.exit(main({[*arguments, '--workers', '0', '--no-rewards']!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert f"seqtutor: cannot write {output / 'molecules.svg'}: File too large" in done.stderr
    assert not any(output.iterdir()), "nor the table, which had room"


def test_evaluating_puts_the_papers_columns_beside_what_has_its_reward(run, tmp_path, capsys):
    known = tmp_path / "known.smi"
    known.write_text("".join("C" * n + tail + "\n" for n in range(2, 9) for tail in ("O", "N")))
    arguments = ["evaluate", "molecule", "prior", str(run), "--number", "50", "--workers", "0"]
    assert main([*arguments, "--reference", str(known)]) == 0
    table = " ".join(capsys.readouterr().out.split())
    assert "paper's" not in table, "the run is rewarded for drug-likeness alone"
    assert "Novel" in table
    assert f"refer to {known}" in table
    of_prior = ["evaluate", "molecule", "prior", "--number", "50", "--workers", "0"]
    assert main([*of_prior, "--reference", "none"]) == 0
    beside = " ".join(capsys.readouterr().out.split())
    assert "paper's LSTM" in beside
    assert "30.3 %" in beside
    assert main([*arguments, "--reference", "none", "--json", "--no-rewards"]) == 0
    assert "term_qed" not in capsys.readouterr().out
    assert main([*arguments, "--reference", "none", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["prior"][0]["kl"] < 1e-7 < measured["rloo"][0]["kl"]
    assert measured["rloo"][0]["novelty"] is None
    assert 0 < measured["rloo"][0]["valid"] <= 1
    assert "Mean reward a SMILES string" in table
    for one in (measured["prior"][0], measured["rloo"][0]):
        assert one["reward"] == pytest.approx(one["term_valid"] + one["term_qed"])


def test_a_run_names_its_task_and_a_prior_of_its_own_is_its_own_reference(run, prior, capsys):
    arguments = [str(run), str(prior), "--number", "40", "--workers", "0", "--json"]
    assert main(["evaluate", *arguments]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["prior"][0]["kl"] == 0, "not compared with the shipped one, of other tokens"
    assert measured["rloo"][0]["kl"] > 0
    assert measured["prior"][0]["reward"] is not None


def test_runs_of_different_rewards_are_compared_without_them(run, prior, tmp_path, capsys):
    other = tmp_path / "other"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(other), *TINY, *REPLAY]
    assert main([*arguments, "--preset", "drug-like", "--reward-workers", "0"]) == 0
    capsys.readouterr()
    both = ["evaluate", "molecule", str(run), str(other), "--number", "20", "--workers", "0"]
    assert main([*both, "--reference", "none"]) == 0
    assert "Mean reward" not in capsys.readouterr().out


def test_an_interrupted_run_leaves_no_process(prior, tmp_path):
    output = tmp_path / "run"
    command = [sys.executable, "-m", "seqtutor", "tune", "molecule", "--prior", str(prior)]
    command += [
        "--output",
        str(output),
        *TINY,
        *REPLAY,
        "--steps",
        "1000000000",
        "--reward-workers",
        "2",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    waited_until = time.monotonic() + 100
    while not (output / "metrics.jsonl").is_file() and time.monotonic() < waited_until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "seqtutor: interrupted" in said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_what_cannot_be_done_is_told_in_one_line(run, prior, tmp_path, capsys, monkeypatch):
    output = tmp_path / "run"
    tune = ["tune", "molecule", "--output", str(output), "--prior", str(prior)]
    assert "choose one of drug-like, paper" in refusal(capsys, [*tune, "--preset", "papers-rules"])
    assert "no method" in refusal(capsys, [*tune, "--method", "sarsa"])
    assert "length must be at least 2" in refusal(capsys, [*tune, "--length", "1"])
    assert "--reward-workers must not" in refusal(capsys, [*tune, "--reward-workers", "-1"])
    assert "falloff" in refusal(capsys, [*tune, "--reward.window.logp.falloff", "0"])
    similar = ["--reward.similarity.to", "C1CC"]
    assert "is not a molecule to be similar to" in refusal(capsys, [*tune, *similar])
    shared = ["--seeds", "2", "--seeds-by", "vmap"]
    assert "the reward depends on earlier sequences" in refusal(capsys, [*tune, *shared])
    assert "melody, molecule" in refusal(capsys, ["tune", "molecules"])
    assert "not a model folder" in refusal(
        capsys, ["sample", "molecule", "gone", "--output", str(output)]
    )
    assert "Unrecognized" in refusal(capsys, ["sample", "molecule", str(run), "prior"])
    assert "--number" in refusal(capsys, ["sample", "molecule", "--number", "0"])
    assert "named twice" in refusal(capsys, ["evaluate", "molecule", str(run), str(run)])
    assert "cannot be read" in refusal(capsys, ["evaluate", "molecule", "--reference", "gone.smi"])
    for command in ("sample", "evaluate"):
        told = refusal(capsys, [command, "melody", str(run)])
        assert f"the run in {run} is not one of the task melody" in told
    assert (
        "--fcd needs"
        in refusal(capsys, ["evaluate", "molecule", str(run), "--fcd", "--reference", "none"])
        or not has_chemnet()
    )
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for command in ("tune", "sample", "evaluate"):
        assert "seqtutor[molecule]" in refusal(capsys, [command, "molecule"])
    assert not output.exists()


def has_chemnet() -> bool:
    try:
        import fcd_torch  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("command", ["tune", "sample", "evaluate"])
def test_help_loads_nothing_heavy(command):
    heavy = {"rdkit", "matplotlib", "scipy"} | (set() if command == "tune" else {"jax", "numpy"})
    code = (
        f"import sys; from seqtutor.cli.main import main; main(['{command}', 'molecule', '-h']); "
        f"heavy = {heavy} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "molecule" in done.stdout
