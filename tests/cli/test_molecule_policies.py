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


def test_evaluating_puts_the_papers_columns_beside_it(run, tmp_path, capsys):
    known = tmp_path / "known.smi"
    known.write_text("".join("C" * n + tail + "\n" for n in range(2, 9) for tail in ("O", "N")))
    arguments = ["evaluate", "molecule", "prior", str(run), "--number", "50", "--workers", "0"]
    assert main([*arguments, "--reference", str(known)]) == 0
    table = " ".join(capsys.readouterr().out.split())
    assert "paper's LSTM" in table
    assert "30.3 %" in table
    assert "4.21" in table, "the paper's logP under Ψ"
    assert "Novel" in table
    assert f"refer to {known}" in table
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
