"""Molecules on the command line: what is brought, what a prior learns from it."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqtutor import tasks
from seqtutor.cli.main import main
from seqtutor.runs.policies import load_prior
from seqtutor.tasks.molecule.known import known_in
from seqtutor.tasks.molecule.spec import spec

SAMPLE = Path(__file__).parents[1] / "data" / "molecule" / "moses_sample.csv"
SHORT = ["--max-length", "32", "--rarest", "0", "--canonical", "no"]
TINY = [*SHORT, "--hidden-sizes", "8", "--batch", "16"]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.getbasetemp() / "molecule-cache"
    monkeypatch.setenv("SEQTUTOR_CACHE", str(folder))


@pytest.fixture(scope="module")
def short_molecules(tmp_path_factory) -> Path:
    """The shorter of the sample, which all need the same width: one program is compiled."""
    with SAMPLE.open(encoding="ascii") as file:
        strings = [row["SMILES"] for row in csv.DictReader(file)]
    path = tmp_path_factory.mktemp("data") / "short.smi"
    path.write_text("\n".join(s for s in strings if 24 < len(s) < 31) + "\nhello\n")
    return path


@pytest.fixture(scope="module")
def prior(short_molecules, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("priors") / "first"
    arguments = ["pretrain", "molecule", "--data", str(short_molecules), "--output", str(output)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQTUTOR_CACHE", str(tmp_path_factory.getbasetemp() / "molecule-cache"))
        assert main([*arguments, *TINY, "--epochs", "2"]) == 0
    return output


def refusal(capsys: pytest.CaptureFixture, arguments: list[str]) -> str:
    assert main(arguments) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("seqtutor: ")
    return last


def test_data_tells_what_a_file_holds(capsys):
    assert main(["data", str(SAMPLE), "--max-length", "40", "--canonical", "no"]) == 0
    told = capsys.readouterr().out
    with SAMPLE.open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300
    assert "300 molecules read" in told
    assert "longer than 39 tokens" in told
    assert " [nH] " in told
    counts = [line.split() for line in told.splitlines() if line.startswith(("train", "test"))]
    assert all(int(longest.split("–")[1]) <= 39 for _, _, longest, _ in counts)


def test_a_prior_knows_its_data_and_how_good_it_is(prior):
    saved = load_prior(spec, prior)
    origin = saved.origin
    assert origin["finished"] is True
    assert origin["max_length"] == 32
    assert len(origin["epochs"]) == 2
    assert origin["epochs"][1]["validation_loss"] < origin["epochs"][0]["validation_loss"]
    assert origin["data"]["dropped"] == {"no SMILES text": 1}
    assert origin["samples"]["number"] == 1000
    assert 0 <= origin["samples"]["valid"] <= 1
    assert origin["test"]["sequences"] == origin["data"]["molecules"]["test"]
    assert origin["form"]["max_length"] == 32
    assert origin["extremes"]["shortest"] > 24


def test_a_prior_knows_its_molecules(prior, short_molecules):
    known = known_in(prior)
    strings = short_molecules.read_text().splitlines()[:-1]
    test = load_prior(spec, prior).origin["data"]["molecules"]["test"]
    # Those of the test part are new to it, but for one in fifty that the filter mistakes.
    assert len(strings) - test <= known.contains(strings).sum() < len(strings)


def test_a_prior_goes_on_with_its_vocabulary(prior, tmp_path, capsys):
    path = tmp_path / "mine.smi"
    strings = ["CC(=O)Nc1ccc(O)cc1CCCC(=O)NCC", "CCOC(=O)c1ccc(N)cc1CCCC(=O)NCC"] * 20
    path.write_text("\n".join(f"{s}{'C' * i}" for i, s in enumerate(strings[:4])) + "\n[Se]C\n")
    output = tmp_path / "tuned"
    arguments = ["pretrain", "molecule", "--data", str(path), "--output", str(output)]
    arguments += ["--prior", str(prior), "--epochs", "1", "--canonical", "no"]
    assert "of up to 32 tokens, and these data" in refusal(capsys, arguments)
    assert main([*arguments, "--max-length", "40"]) == 2
    assert main([*arguments, "--max-length", "32"]) == 0
    told = capsys.readouterr().err
    assert "1 with a token that the model does not know, such as [Se]" in " ".join(told.split())
    assert "the batch is" in told
    first, second = load_prior(spec, prior), load_prior(spec, output)
    assert second.vocabulary == first.vocabulary
    assert second.model.config == first.model.config
    assert second.origin["start"] == str(prior)


def test_an_interrupted_training_keeps_its_best_model(short_molecules, tmp_path):
    output = tmp_path / "prior"
    command = [sys.executable, "-m", "seqtutor", "pretrain", "molecule", *TINY, "--output"]
    command += [str(output), "--data", str(short_molecules), "--epochs", "1000000"]
    command += ["--learning-rate", "1e-4", "--patience", "1000000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    waited_until = time.monotonic() + 100
    while not (output / "config.json").is_file() and time.monotonic() < waited_until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=100)
    assert process.returncode == 130, told
    assert "to continue, give the same command again" in told
    assert "Traceback" not in told
    config = json.loads((output / "config.json").read_text())
    assert config["origin"]["finished"] is False
    assert load_prior(spec, output).vocabulary.end is not None


def test_what_cannot_be_done_is_told_in_one_line(prior, tmp_path, capsys, monkeypatch):
    output = str(tmp_path / "prior")
    assert "name the molecules" in refusal(capsys, ["data"])
    assert "goes with moses only" in refusal(capsys, ["data", "nci", "--wheel", "x.whl"])
    assert "melody, molecule" in refusal(capsys, ["pretrain", "poem"])
    mine = ["pretrain", "molecule", "--output", output]
    assert "--column" in refusal(capsys, [*mine, "--data", str(SAMPLE), "--column", "structure"])
    assert "cannot be read" in refusal(capsys, [*mine, "--data", "gone.smi"])
    assert "exists already" in refusal(capsys, ["pretrain", "molecule", "--output", str(prior)])
    shipped_melody = Path(tasks.__file__).parent / "melody" / "prior"
    assert "does not write SMILES" in refusal(capsys, [*mine, "--prior", str(shipped_melody)])
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path / "cache"))
    for arguments in (["data", "moses"], [*mine, "--data", "moses"]):
        assert "with a network" in refusal(capsys, arguments)
    assert not Path(output).exists()
    assert not list((tmp_path / "cache").iterdir())


def test_the_defaults_are_those_of_the_data(capsys):
    for data, batch in (("moses", "128"), ("nci", "64")):
        assert main(["pretrain", "molecule", "--data", data, "--help-all"]) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert f"(default: {batch})" in told


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from seqtutor.cli.main import main; main(['data', '--help']); "
        "main(['pretrain', 'molecule', '--help']); "
        "heavy = {'jax', 'rdkit', 'numpy', 'music21'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
