"""Molecules through the command line, from a prior of a few tokens to tables and files."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from rdkit import Chem
from safetensors.numpy import load_file

from seqtutor.cli.jobs import Job, run_jobs
from seqtutor.cli.main import main
from seqtutor.tasks.molecule.settings import MoleculeTuning
from seqtutor.training.run_folder import read_config

sys.path.append(str(Path(__file__).parents[1] / "tasks" / "molecule"))
from tiny_molecules import LENGTH, save_tiny_prior

TINY = ["--steps", str(32 * LENGTH * 32), "--environments", "32", "--replay-capacity", "128"]
TINY += [
    "--batch",
    "32",
    "--learning-rate",
    "1e-2",
    "--updates",
    "8",
    "--log-every",
    str(32 * LENGTH * 4),
]
TINY += ["--evaluate", "0", "--samples", "20", "--reward.diversity.weight", "0.5"]
# So small a molecule is less drug-like than none: it is to be valid and greasy.
TINY += [
    "--reward.logp.centre",
    "0",
    "--reward.logp.weight",
    "3",
    "--reward.qed.weight",
    "0",
    "--reward.sa.weight",
    "0",
]


@pytest.fixture(scope="module")
def prior(tmp_path_factory) -> Path:
    return save_tiny_prior(tmp_path_factory.mktemp("model") / "prior")


@pytest.fixture(scope="module")
def run(prior, tmp_path_factory) -> Path:
    """1,024 molecules, scored by a worker process."""
    folder = tmp_path_factory.mktemp("runs") / "psi"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(folder), *TINY]
    assert main([*arguments, "--reward-workers", "1"]) == 0
    return folder


def refusal(capsys: pytest.CaptureFixture, arguments: list[str]) -> str:
    """Run a command that must be refused; returns the one line that says why."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    refusals = [line for line in lines if line.startswith("seqtutor: ")]
    assert refusals == lines[-1:], lines
    return lines[-1]


def records_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").open()]


def test_tuning_raises_the_reward_and_the_share_of_molecules(run):
    records = records_of(run)
    assert [record["step"] for record in records] == [32 * LENGTH * 4 * n for n in range(1, 9)]
    for name in ("reward", "reward/valid", "reward/logp"):
        course = [record[name] for record in records]
        assert np.mean(course[-3:]) > np.mean(course[:3]), name
    assert records[-1]["kl"] > records[0]["kl"] >= 0


def test_a_run_writes_its_whole_configuration_and_molecules_to_open(run):
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    model = {f"model/{name}" for name in ("config.json", "model.safetensors", "vocabulary.json")}
    molecules = {f"samples/molecules.{suffix}" for suffix in ("csv", "smi", "sdf", "svg")}
    assert names - {"remarks.txt"} == model | molecules | {"config.yaml", "metrics.jsonl"}
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["length"] == LENGTH
    assert config["reward"]["short"]["shortest"] == 2
    with (run / "samples" / "molecules.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    valid = [row for row in rows if row["valid"] == "1"]
    lines = (run / "samples" / "molecules.smi").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [row["canonical_smiles"] for row in valid]
    assert len(list(Chem.SDMolSupplier(str(run / "samples" / "molecules.sdf")))) == len(valid)


def test_its_configuration_runs_it_again_in_a_process_and_without_workers(run, tmp_path):
    """The number of workers changes nothing in what comes out; the diversity memory is on."""
    tuning = read_config(MoleculeTuning, run / "config.yaml")
    assert tuning.remembers
    job = Job("again", tmp_path / "again", tuning, 20, ("--reward-workers", "0"))
    run_jobs([job], workers=1, output=tmp_path)
    weights = [load_file(one / "model" / "model.safetensors") for one in (run, job.folder)]
    assert weights[0].keys() == weights[1].keys()
    for name, array in weights[0].items():
        np.testing.assert_array_equal(array, weights[1][name])
    for name in ("molecules.csv", "molecules.svg"):
        assert (run / "samples" / name).read_bytes() == (job.folder / "samples" / name).read_bytes()


def test_a_reward_that_is_not_finite_ends_the_run_and_the_workers(prior, tmp_path, capsys):
    output = tmp_path / "run"
    arguments = ["tune", "molecule", "--prior", str(prior), "--output", str(output), *TINY]
    arguments += ["--reward.custom.function", "ill_behaved:not_a_number", "--reward-workers", "0"]
    said = refusal(capsys, [*arguments, "--preset", "qed", "--method", "reinforce"])
    assert "the reward term 'custom' is not finite" in said
    assert f"the policy as it was before is in {output}/last-good" in said
    assert (output / "last-good" / "config.json").is_file()
