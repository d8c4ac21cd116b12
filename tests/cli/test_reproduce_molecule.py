"""The molecule experiment, end to end, with a prior of a few tokens."""

import csv
import sys
from pathlib import Path

import pytest

from seqtutor.cli.main import main

sys.path.append(str(Path(__file__).parents[1] / "tasks" / "molecule"))
from tiny_molecules import LENGTH, save_tiny_prior

STEPS = 128 * LENGTH * 6


def values_of(path: Path, row: str) -> dict[str, float]:
    """A row of a table by its columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            cell["column"]: float(cell["value"])
            for cell in csv.DictReader(file)
            if cell["row"] == row
        }


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> tuple[Path, list[str]]:
    """The folder, and the command that made it."""
    folder = tmp_path_factory.mktemp("experiment")
    prior = save_tiny_prior(folder / "prior")
    output = folder / "output"
    arguments = ["reproduce", "molecule", "--prior", str(prior), "--output", str(output)]
    arguments += ["--presets", "drug-like", "--c", "0.2", "--steps", str(STEPS)]
    arguments += ["--number", "200", "--reference", "none", "--methods", "rloo"]
    assert main(arguments) == 0
    return output, arguments


def test_it_leaves_tables_figures_and_molecules(experiment):
    output, _ = experiment
    report = (output / "report.md").read_text(encoding="utf-8")
    assert "Mean SA penalty" in report
    assert "4.21" in report, "the paper's logP under Ψ"
    for link in ("training.png", "properties.png"):
        assert f"(drug-like/{link})" in report
        assert (output / "drug-like" / link).stat().st_size > 1000
    for folder in ("drug-like/prior-samples", "drug-like/rloo-seed0/samples"):
        assert f"({folder}/molecules.sdf)" in report
        assert len((output / folder / "molecules.csv").read_text().splitlines()) == 101


def test_the_trade_off_begins_at_the_prior_and_goes_on_by_falling_c(experiment):
    kl = values_of(experiment[0] / "trade_off.csv", "KL from the prior, nats a step")
    assert list(kl) == ["prior", "c = 0.6", "c = 0.2"]
    assert kl["prior"] == 0
    assert min(kl["c = 0.6"], kl["c = 0.2"]) > 0


def test_called_again_it_keeps_the_runs(experiment, capsys):
    output, arguments = experiment
    model = output / "drug-like" / "rloo-seed0" / "model" / "model.safetensors"
    made = model.stat().st_mtime_ns
    assert main(arguments) == 0
    assert model.stat().st_mtime_ns == made
    assert main([*arguments, "--steps", str(2 * STEPS)]) == 2
    assert "holds a run with other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--presets", "none-such"], "none-such"),
        (["--methods", "none-such"], "none-such"),
        (["--c", "0"], "--c must be above 0"),
        (["--seeds", "0"], "--seeds is 0"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_made(
    arguments, message, tmp_path, capsys
):
    output = tmp_path / "output"
    assert main(["reproduce", "molecule", "--output", str(output), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()
