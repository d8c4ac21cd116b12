"""The plan of a study: the same from the same, whole, unchangeable, and silent about models."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from small_study import SECONDS, plan_text, small_study

from seqtutor.errors import UserError
from seqtutor.study.plan import read_study
from seqtutor.study.sounds import SCREEN_RATE, Sound, broken, decoded, huggins_trial


def test_a_plan_is_read_as_it_was_written(tmp_path):
    study = small_study(tmp_path / "s", headphones=True)
    assert read_study(tmp_path / "s", checks_clips=True) == study
    assert small_study(tmp_path / "again", headphones=True).sha256 == study.sha256
    assert small_study(tmp_path / "other", seed=1, headphones=True).sha256 != study.sha256


def test_a_plan_tells_what_the_study_is_and_nothing_of_the_machine(tmp_path):
    plan = plan_text(small_study(tmp_path / "s", temperature=0.7, effect=0.4))
    assert (plan["temperature"], plan["effect"]) == (0.7, 0.4)
    assert set(plan["models"][0]) == {"name", "sha256", "seed"}
    assert {"goal", "set_size"}.isdisjoint(plan), "it is neither adaptive nor of sets"
    sets = plan_text(small_study(tmp_path / "t", form="sets", adaptive=True, goal="best"))
    assert (sets["goal"], sets["set_size"]) == ("best", 2)


def test_a_plan_of_an_older_version_is_read(tmp_path):
    study = small_study(tmp_path / "s")
    plan = plan_text(study)
    del plan["temperature"], plan["effect"]
    plan |= {"goal": "best", "set_size": 8}
    for model in plan["models"]:
        model["folder"] = f"/home/somebody/{model['name']}"
    (study.folder / "plan.json").write_text(json.dumps(plan))
    older = read_study(study.folder).plan
    assert (older.temperature, older.effect, older.side) == (None, None, 1)
    assert older.sheets == study.plan.sheets


def test_no_file_tells_the_model(tmp_path):
    names = ("distinctive-name", "another-one")
    study = small_study(tmp_path / "s", names)
    files = sorted((tmp_path / "s" / "clips").iterdir())
    assert len(files) == len(study.plan.media) == 11
    for file in files:
        content = file.read_bytes()
        for name in names:
            assert name not in file.name
            assert name.encode() not in content
            assert name.encode().hex() not in file.name


def test_a_changed_clip_is_noticed(tmp_path):
    study = small_study(tmp_path / "s")
    path = study.path_of(next(iter(study.plan.media.values())))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match="was changed since the study was made"):
        read_study(study.folder, checks_clips=True)
    path.unlink()
    with pytest.raises(UserError, match="cannot read"):
        read_study(study.folder, checks_clips=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan.update(format=2),
        lambda plan: plan["clips"].pop(),
        lambda plan: plan["clips"][0]["sound"].update(file="../../etc/passwd"),
        lambda plan: plan.pop("models"),
        lambda plan: plan.update(surprise=1),
        lambda plan: plan.update(sheets=[]),
        lambda plan: plan.update(sheets=[[]]),
        lambda plan: plan.update(clips=[], sheets=[[]]),
        lambda plan: plan.update(models=plan["models"][:1]),
        lambda plan: plan["models"][1].update(name="prior"),
        lambda plan: plan["clips"][0].update(model="nobody"),
        lambda plan: plan["sheets"][0][1].update(left=[]),
        lambda plan: plan["clips"][0].update(seconds=math.nan),
        lambda plan: plan["clips"][0].update(seconds=-1.0),
        lambda plan: plan["clips"][0].update(seconds=10**400),
        lambda plan: plan.update(set_size=0),
        lambda plan: plan["rules"].update(heard=1.5),
        lambda plan: plan["rules"].update(heard=math.nan),
        lambda plan: plan["rules"].update(catch_failures=0),
        lambda plan: plan["rules"].update(fastest=10**400),
        lambda plan: plan["rules"].update(one_side=-0.1),
        lambda plan: plan["rules"].update(partial="perhaps"),
        lambda plan: plan["rules"].update(screen_passes=7),
        lambda plan: plan.update(seed=-1),
        lambda plan: plan.update(temperature=math.nan),
        lambda plan: plan.update(effect=0.0),
        lambda plan: plan.update(models=[1, 2]),
        lambda plan: plan["clips"][0]["sound"].update(file="a\0b"),
        lambda plan: plan["clips"][0]["sound"].update(type="audio/flac\r\nx: y"),
    ],
)
def test_a_broken_plan_is_one_line(tmp_path, change):
    study = small_study(tmp_path / "s", headphones=True)
    plan = plan_text(study)
    change(plan)
    (study.folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(UserError, match=r"cannot read .*plan\.json") as caught:
        read_study(study.folder)
    assert "\n" not in str(caught.value)


def test_a_folder_in_use_stays_as_it_is(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "mine").write_text("x")
    with pytest.raises(UserError, match="exists already"):
        small_study(tmp_path / "s")
    assert [one.name for one in tmp_path.rglob("*")] == ["s", "mine"]


def test_clips_keep_their_sound_and_broken_ones_their_loudness(tmp_path):
    study = small_study(tmp_path / "s")
    clips = study.plan.clips
    sounds = {clip.id: decoded(study.path_of(clip.sound).read_bytes()) for clip in clips}
    assert all(abs(clip.seconds - SECONDS) < 0.01 for clip in clips)
    for clip in clips:
        frames = sounds[clip.id].frames[:, 0]
        strongest = np.argmax(np.abs(np.fft.rfft(frames))) / sounds[clip.id].seconds
        if not clip.is_broken:
            wanted = 220 * (1 + study.plan.model_names.index(clip.model)) + 10 * clip.number
            assert strongest == pytest.approx(wanted, abs=4)
    (bad,) = (clip for clip in clips if clip.is_broken)
    good = next(c for c in clips if (c.model, c.number) == (bad.model, bad.number))
    level = [np.sqrt(np.mean(sounds[one.id].frames ** 2)) for one in (good, bad)]
    assert level[1] == pytest.approx(level[0], rel=0.1)


def test_a_broken_sound_has_the_same_pieces_in_another_order():
    frames = np.linspace(-1, 1, 24_000, dtype=np.float32)[:, None]
    found = broken(Sound(frames, 24_000), seed=1)
    assert len(found.frames) == len(frames)
    assert np.abs(np.corrcoef(found.frames[:, 0], frames[:, 0])[0, 1]) < 0.7


@pytest.mark.parametrize("answer", [1, 2, 3])
def test_a_pitch_is_in_the_phase_of_one_interval_alone(answer):
    """Each ear hears mere noise; only the difference of phase between them tells the interval."""
    frames = huggins_trial(answer, seed=answer).frames
    step = round(1.5 * SCREEN_RATE)
    ramp = round(0.05 * SCREEN_RATE)
    for interval in (1, 2, 3):
        part = frames[(interval - 1) * step : (interval - 1) * step + SCREEN_RATE]
        left, right = np.fft.rfft(part[ramp:-ramp].T)
        frequency = np.fft.rfftfreq(len(part) - 2 * ramp, 1 / SCREEN_RATE)
        difference = np.abs(left - right) / np.abs(left).mean()
        band = np.abs(frequency - 600) < 30
        outside = (np.abs(frequency - 600) > 200) & (frequency > 100)
        assert difference[outside].mean() < 0.1
        assert (difference[band].mean() > 0.5) == (interval == answer)
        loudness = [np.abs(one)[band].mean() / np.abs(one)[outside].mean() for one in (left, right)]
        assert 0.6 < min(loudness) <= max(loudness) < 1.5


def test_every_kind_of_sequence_can_be_shown(tmp_path):
    texts = small_study(tmp_path / "t", kind="text").plan
    assert {clip.text for clip in texts.clips} >= {"text 0-0", "text 1-3"}
    assert not texts.has_sound
    catch = next(one for one in texts.sheets[0] if one.kind == "catch")
    assert catch.is_instructed
    assert abs(catch.expected) == 1
    pictures = small_study(tmp_path / "p", kind="picture").plan
    assert all(len(clip.pictures) == 1 and not clip.text for clip in pictures.clips)
    scores = small_study(tmp_path / "n", score=True).plan
    assert all(clip.sound and clip.pictures for clip in scores.clips if not clip.is_broken)
