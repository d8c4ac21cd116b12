"""`seqtutor study new`: from models to clips."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from seqtutor.cli.main import find_call, main
from seqtutor.runs.policies import find_policy
from seqtutor.study.plan import read_study
from seqtutor.study.sounds import decoded
from seqtutor.task_registry import find_spec

NEW = ["study", "new"]
SMALL = [
    "--clips",
    "2",
    "--comparisons",
    "2",
    "--listeners",
    "2",
    "--practice",
    "0",
    "--catch",
    "1",
]


def test_melodies_become_clips_that_are_equally_loud_and_the_same_by_their_seed(tmp_path, capsys):
    shipped = find_policy(find_spec("melody"), "prior").saved.folder
    for folder in ("a", "b"):
        copied = shutil.copytree(shipped, tmp_path / f"model of {folder}")
        models = [f"prior={copied}", "again=prior"]
        arguments = [*NEW, *models, "--output", str(tmp_path / folder), *SMALL]
        assert main([*arguments, "--seed", "3"]) == 0
    said = capsys.readouterr().out
    assert "prior, again" in said
    assert "--seed 3 makes it again" in said
    sizes = re.findall(r"\d+ listeners with \d+ comparisons", said)
    assert set(sizes) == {"2 listeners with 2 comparisons"}
    assert "Each listener has 3 trials: 2 comparisons, 0 for practice and 1 to catch" in said
    assert "a study of prior, again. The first 2 melodies" in said
    assert "Warning: the consent text is the default one" in said
    first, second = (read_study(tmp_path / one, checks_clips=True) for one in ("a", "b"))
    assert first.sha256 == second.sha256, "wherever the models lie"
    assert str(tmp_path) in (first.folder / "made_by.json").read_text()
    assert str(tmp_path) not in (first.folder / "plan.json").read_text()
    assert first.plan.model_names == ("prior", "again")
    assert first.plan.models[0].seed != first.plan.models[1].seed
    clips = [clip for clip in first.plan.clips if not clip.is_broken]
    assert len(clips) == 6
    assert len({clip.sound.sha256 for clip in clips}) > 4, "samples of two seeds differ"
    assert all(len(clip.tokens) == 32 for clip in clips), "two bars of sixteenths"
    import pyloudnorm

    loudness = []
    for clip in clips:
        sound = decoded(first.path_of(clip.sound).read_bytes())
        assert sound.seconds == pytest.approx(clip.seconds, abs=0.001)
        if np.abs(sound.frames).max() > 0:
            loudness.append(pyloudnorm.Meter(sound.rate).integrated_loudness(sound.frames))
    assert max(loudness) - min(loudness) < 1.0
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        *("plan.json", "made_by.json", "clips")
    }


def test_a_study_without_a_seed_gets_one_that_nobody_can_guess(tmp_path, capsys):
    for folder in ("a", "b"):
        assert main([*NEW, "prior", "same=prior", "--output", str(tmp_path / folder), *SMALL]) == 0
    first, second = (read_study(tmp_path / folder).plan for folder in ("a", "b"))
    assert min(first.seed, second.seed) > 2**32, "as once in a thousand million studies it is not"
    assert not {clip.id for clip in first.clips} & {clip.id for clip in second.clips}
    assert f"--seed {first.seed} makes it again" in capsys.readouterr().out


def test_molecules_become_drawings(tmp_path):
    pytest.importorskip("rdkit")
    arguments = [*NEW, "molecule", "prior", "b=prior", "--output", str(tmp_path / "s"), *SMALL]
    assert main(arguments) == 0
    plan = read_study(tmp_path / "s").plan
    assert plan.task == "molecule"
    drawn = [clip for clip in plan.clips if clip.pictures]
    assert drawn
    assert all(picture.alt for clip in drawn for picture in clip.pictures)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "name two models or more"),
        (["prior"], "name the folder of the study with --output"),
        (["prior", "--output", "OUT"], "compares at least two models"),
        (["prior", "prior", "--output", "OUT"], "prior is named twice"),
        (["a=prior", "a=prior", "--output", "OUT"], "a is named twice"),
        (["prior", "nothing-there", "--output", "OUT"], "nothing-there"),
        (["prior", "b=prior", "--output", "OUT", "--clips", "0"], "clips"),
        (["prior", "b=prior", "--output", "OUT", "--clips", "1000000000"], "at most 10,000 clips"),
        (["prior", "b=prior", "--output", "OUT", "--practice", "10000"], "at most 10,000 clips"),
        (["prior", "b=prior", "--output", "OUT", "--form", "sets", "--clips", "3"], "--set-size"),
        (["prior", "b=prior", "--output", "OUT", "--seed", "-1"], "--seed"),
        (["prior", "b=prior", "--output", "OUT", "--listeners", "90000"], "too large"),
        (["prior", "b=prior", "--output", "OUT", "--consent", "none.txt"], "cannot read none.txt"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, arguments, reason):
    out = tmp_path / "s"
    assert main([*NEW, *(str(out) if one == "OUT" else one for one in arguments)]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_taken_output_is_refused_before_any_model_is_read(tmp_path, capsys):
    (tmp_path / "mine").write_text("x")
    arguments = ["nothing-there", "b=prior", "--output", str(tmp_path), *SMALL]
    assert main([*NEW, *arguments]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_run_under_another_name_tells_its_task(tmp_path):
    (tmp_path / "config.yaml").write_text("task: molecule\n")
    for word in (str(tmp_path), f"mine={tmp_path}"):
        call = find_call("study", ["new", word, "--output", "s"])
        assert (call.name, call.spec.name) == ("study new", "molecule")
        assert call.arguments == [word, "--output", "s"]


@pytest.mark.parametrize("action", ["serve", "simulate", "results", "votes", "purge"])
def test_a_folder_without_a_study_is_one_line(tmp_path, capsys, action):
    assert main(["study", action, str(tmp_path)]) == 2
    assert "holds no study" in capsys.readouterr().err


def test_help_names_the_actions(capsys):
    assert main(["study", "--help"]) == 0
    overview = capsys.readouterr().out
    for action in ("new", "serve", "simulate", "results", "export", "votes", "purge"):
        assert f"study {action}" in overview
        assert main(["study", action, "--help"]) == 0
        assert f"usage: seqtutor study {action}" in capsys.readouterr().out
    assert main(["study", "nonsense"]) == 2
