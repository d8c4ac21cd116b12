"""The folk experiment, end to end, on a few small tunes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from folk_files import write_tunes
from seqtutor.cli.main import main
from seqtutor.runs.folder_lock import locked
from seqtutor.runs.games import GameConfig
from seqtutor.runs.run_folder import RunFolder
from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.folk.results import share_of_learning


def values_of(path: Path, row: str) -> dict[str, str]:
    """A row of a table by its columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            cell["column"]: cell["value"] for cell in csv.DictReader(file) if cell["row"] == row
        }


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> tuple[Path, list[str]]:
    """The folder, and the command that made it."""
    folder = tmp_path_factory.mktemp("experiment")
    tunes = write_tunes(folder / "tunes.abc")
    output = folder / "output"
    arguments = ["reproduce", "folk", "--profile", "smoke", "--data", str(tunes)]
    arguments += ["--length", "12", "--rare-below", "1", "--output", str(output)]
    arguments += ["--generators", "reinforce", "untrained", "--rounds", "2", "--rollouts", "2"]
    arguments += ["--workers", "1"]
    assert main(arguments) == 0
    return output, arguments


def into(folder: Path, arguments: list[str]) -> list[str]:
    """The command with another output folder."""
    place = arguments.index("--output") + 1
    return [*arguments[:place], str(folder), *arguments[place + 1 :]]


def test_it_leaves_table_figures_and_a_gallery(experiment):
    output, _ = experiment
    report = (output / "report.md").read_text(encoding="utf-8")
    for link in ("plane.png", "training.png", "next_token.png", "next_token.csv"):
        assert f"({link})" in report
        assert (output / link).stat().st_size > 500
    entropies = values_of(output / "table.csv", "H(p_data, p_gen), nats a token")
    names = ["Maximum likelihood", "REINFORCE", "REINFORCE, not pretrained", "Real tunes"]
    assert list(entropies) == names
    assert "Rewards by 2 completions of each prefix." in report
    assert "nothing has been learned" in report
    assert "findings" not in report, "nothing is to be found in a trial"
    assert "*REINFORCE, not pretrained* is too far off to be drawn." in report
    assert "| 3.81 |" in report, "the paper's figure for REINFORCE"
    assert "T = 0.7" in values_of(output / "temperatures.csv", "BLEU, as published")
    for name in ("maximum-likelihood", "real-tunes", "reinforce"):
        folder = output / "gallery" / name
        sheets, _ = read_abc((folder / "tune.abc").read_text(encoding="utf-8"), "tune.abc")
        assert sheets
        assert all("D(x) = " in sheet.title for sheet in sheets)
        for suffix in ("mid", "wav", "musicxml"):
            assert len(list(folder.glob(f"*.{suffix}"))) == len(sheets)
        assert f"(gallery/{name}/tune-001.wav)" in report


def test_called_again_it_keeps_what_is_finished(experiment):
    output, arguments = experiment
    kept = ["prior/model.safetensors", "reinforce-seed0/model/model.safetensors"]
    kept += ["measures/reinforce-seed0.json", "judges/maximum-likelihood-seed0/config.json"]
    made = [(output / name).stat().st_mtime_ns for name in kept]
    assert main(arguments) == 0
    assert [(output / name).stat().st_mtime_ns for name in kept] == made


def test_games_that_are_left_out_are_named(experiment, tmp_path):
    output, arguments = experiment
    copy = tmp_path / "copy"
    shutil.copytree(output, copy)
    fewer = [one for one in arguments if one != "untrained"]
    assert main(into(copy, fewer)) == 0
    named = "did not name them: the games of earlier commands untrained-seed0."
    assert named in (copy / "report.md").read_text(encoding="utf-8")
    assert named not in (output / "report.md").read_text(encoding="utf-8")


def test_the_config_of_a_game_tells_its_steps(experiment):
    output, _ = experiment
    game = RunFolder(output / "reinforce-seed0")
    assert game.config(GameConfig).tutoring.steps == game.records()[-1]["step"]


def test_a_folder_of_another_experiment_is_refused(experiment, capsys):
    _, arguments = experiment
    assert main([*arguments, "--rounds", "3"]) == 2
    assert "other settings, data or prior (adversary.rounds)" in capsys.readouterr().err
    assert main([*arguments, "--length", "10"]) == 2
    assert "trained on other sequences" in capsys.readouterr().err


def test_a_game_can_be_sampled_from_and_measured(experiment, tmp_path, capsys):
    output, arguments = experiment
    game = str(output / "reinforce-seed0")
    samples = tmp_path / "samples"
    own = ["sample", "folk", game, "--number", "2", "--formats", "mid", "--output", str(samples)]
    assert main(own) == 0
    assert len(list(samples.iterdir())) == 2
    data = arguments[arguments.index("--data") + 1]
    own = ["evaluate", "folk", game, "--data", data, "--length", "12", "--rare-below", "1"]
    capsys.readouterr()
    assert main([*own, "--judge.epochs", "1", "--json"]) == 0
    found, _ = json.loads(capsys.readouterr().out).values()
    assert 0 <= found["precision"] <= 1


def test_games_whose_prior_is_gone_are_not_given_another(experiment, tmp_path, capsys):
    output, arguments = experiment
    copy = tmp_path / "copy"
    shutil.copytree(output, copy, ignore=shutil.ignore_patterns("prior"))
    assert main(into(copy, arguments)) == 2
    assert "holds games and no prior of its own" in capsys.readouterr().err
    assert not (copy / "prior").exists()


def test_one_process_at_a_time_works_in_a_folder(experiment, capsys):
    output, arguments = experiment
    with locked(output):
        assert main(arguments) == 2
    assert f"another process runs in {output}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--generators", "none-such"], "there is no generator"),
        (["--generators", "psi", "psi"], "named twice"),
        (["--c", "0"], "--c must be above 0"),
        (["--seeds", "0"], "--seeds is 0"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--rollouts", "16"], "rewards of its whole replay in each round"),
        (["--temperatures", "0.7", "0.7000001"], "two of 0.7, 0.7 are the same"),
        (["--temperatures", "1"], "--temperatures"),
        (["--data", "none-such"], "none-such"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_made(
    arguments, message, tmp_path, capsys
):
    output = tmp_path / "output"
    assert main(["reproduce", "folk", "--output", str(output), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_rounds_of_the_discriminator_alone_do_not_count_as_learning_in_the_game():
    learned = [1, 1, 1, 0, 1, 0, 0]
    records = [{"round": n, "discriminator/learned": kept} for n, kept in enumerate(learned, 1)]
    assert share_of_learning(records, first_rounds=3) == 0.25
    assert share_of_learning(records[:3], first_rounds=3) is None
