"""Games in folders: played in this process or in others, interrupted, continued."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest

from seqtutor.adversarial.files import DISCRIMINATOR, load_discriminator
from seqtutor.adversarial.settings import (
    DiscriminationSettings,
    DiscriminatorSettings,
    GameSettings,
)
from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, load_model, save_model
from seqtutor.runs.checkpoint import Checkpoints
from seqtutor.runs.config import is_game, task_of_folder
from seqtutor.runs.games import GameConfig, GameJob, play_games, unrewarded_task
from seqtutor.training.rollout import generate
from seqtutor.training.settings import TutorSettings
from tiny_problems import identical, prior, vocabulary

SIZE, LENGTH = 3, 4
RULES = GameSettings(
    rounds=2,
    first_rounds=1,
    generated=16,
    discriminator=DiscriminatorSettings(embedding_size=4, widths=(1, 2), filters=(4, 4)),
    discrimination=DiscriminationSettings(batch=16, learning_rate=1e-2),
)


@cache
def data():
    model = prior(SIZE, seed=11, hidden=(4,))
    return generate(model, jax.random.key(5), 48, LENGTH, end=SIZE - 1)


def jobs_in(folder, *methods, rules=RULES):
    own = vocabulary(SIZE, has_end=True)
    model = SavedModel(prior(SIZE, hidden=(4,)), own, {"task": "words", "made_by": "a test"})
    real = data()
    return [
        GameJob(
            method,
            folder / method,
            GameConfig(method, "data", "prior", 32, settings_of(method), rules, task="words"),
            unrewarded_task(own, LENGTH, "words"),
            model,
            real[:32],
            real[32:],
        )
        for method in methods
    ]


def settings_of(method):
    return TutorSettings.of(method, c=1.0, environments=8)


def test_games_side_by_side_are_those_that_are_played_in_turn(tmp_path, capsys):
    methods = ("reinforce", "merl", "rloo")
    apart, in_turn = (jobs_in(tmp_path / name, *methods) for name in ("apart", "in turn"))
    play_games(apart, tmp_path, workers=2)
    play_games(in_turn, tmp_path, workers=1)
    assert re.search(r"All 3\s+100 %.*sequences/s.*3 are over", capsys.readouterr().err)
    for one, other in zip(apart, in_turn, strict=True):
        records = [job.run.records() for job in (one, other)]
        assert [len(part) for part in records] == [3, 3]
        # One thread adds numbers in another order than several.
        for name in ("discriminator/mean_generated", "discriminator/loss"):
            found, expected = ([record[name] for record in part] for part in records)
            np.testing.assert_allclose(found, expected, rtol=1e-2)
        models = [jax.tree.leaves(load_model(job.run.model).model) for job in (one, other)]
        for found, expected in zip(*models, strict=True):
            np.testing.assert_allclose(found, expected, atol=5e-3)
        assert one.progress_at(records[0][-1]).completed == one.total == 3 * (16 + 8)
    assert sorted(path.name for path in (tmp_path / "apart").iterdir()) == sorted(methods)


def test_the_folder_of_a_game_is_that_of_a_run(tmp_path):
    (job,) = jobs_in(tmp_path, "reinforce")
    play_games([job], tmp_path, workers=1)
    assert is_game(job.folder)
    assert task_of_folder(job.folder) == "words"
    assert job.run.config(GameConfig) == job.config
    saved = load_model(job.run.model)
    assert (saved.origin["task"], saved.origin["max_length"]) == ("words", LENGTH)
    assert saved.origin["made_by"] != "a test"
    assert load_discriminator(job.folder).vocabulary == saved.vocabulary
    discriminators = [load_discriminator(path) for path in (job.folder, job.folder / DISCRIMINATOR)]
    assert identical(*(one.model for one in discriminators))
    # A game of earlier versions does not name its task, but its model does.
    config = job.folder / "config.yaml"
    config.write_text(config.read_text().replace("task: words\n", ""))
    assert task_of_folder(job.folder) == "words"
    job.require_own_folder()
    other = replace(job, config=replace(job.config, adversary=replace(RULES, rounds=3)))
    with pytest.raises(UserError, match=r"another output folder"):
        other.require_own_folder()


def test_a_game_that_fails_says_why(tmp_path):
    jobs = jobs_in(tmp_path, "reinforce", "merl")
    lost = replace(jobs[0].start, folder=tmp_path / "no-prior")
    with pytest.raises(UserError, match=r"the run (reinforce|merl) failed: .*not a model folder"):
        play_games([replace(job, start=lost) for job in jobs], tmp_path, workers=2)


def test_a_game_that_is_asked_to_stop_continues(tmp_path):
    long = replace(RULES, rounds=5000)
    (job,) = jobs_in(tmp_path, "reinforce", rules=long)
    sequences = tmp_path / "sequences.npz"
    parts = {"real": job.real, "held_out": job.held_out}
    arrays = {f"{name}_tokens": part.tokens for name, part in parts.items()}
    arrays |= {f"{name}_mask": part.mask for name, part in parts.items()}
    np.savez(sequences, **arrays)
    save_model(job.start, tmp_path / "start")
    command = [sys.executable, *replace(job, inputs=(tmp_path / "start", sequences)).command()]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        while len(job.run.records()) < 2 and process.poll() is None:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=120) == 130
    finally:
        process.kill()
    rounds = [record["round"] for record in job.run.records()]
    assert rounds == list(range(1, len(rounds) + 1))
    assert Checkpoints(job.folder / "checkpoints", "").steps()[0] == rounds[-1]
