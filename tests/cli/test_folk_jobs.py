"""Games of tunes in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import jax
import numpy as np
import pytest

from folk_files import write_tunes
from seqtutor.cli.folk_games import GameFolder, play_in_turn
from seqtutor.cli.folk_jobs import GameJob, play_side_by_side
from seqtutor.cli.main import main
from seqtutor.errors import UserError
from seqtutor.runs.checkpoint import Checkpoints
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.dataset import load_folk_data
from seqtutor.tasks.folk.evaluation import RealTunes
from seqtutor.tasks.folk.game import FolkGame
from seqtutor.tasks.folk.model import load_folk_model
from seqtutor.tasks.folk.variants import GameSizes, variant_named

SIZES = GameSizes(
    rounds=2, first_rounds=1, environments=8, generated=16, discriminator_batch=16, diagnoses=0
)


@pytest.fixture(scope="module")
def prior_and_tunes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("games")
    tunes = write_tunes(folder / "tunes.abc", number=20)
    command = ["pretrain", "folk", "--data", str(tunes), "--output", str(folder / "prior")]
    command += ["--length", "8", "--rare-below", "1", "--hidden-sizes", "6", "--epochs", "1"]
    assert main([*command, "--batch", "16"]) == 0
    settings = FolkDataSettings(data=tunes, tokenisation="interleaved", length=8, rare_below=1)
    real = RealTunes.of(load_folk_data(settings), 32)
    return load_folk_model(folder / "prior"), real


def games_in(folder, *names, sizes=SIZES):
    found = []
    for name in names:
        variant = variant_named(name, sizes, 0.5)
        game = FolkGame(name, "data", "prior", 32, variant.tutoring, variant.adversary)
        found.append(GameFolder(folder / name, replace(game, start=variant.start)))
    return found


def test_games_side_by_side_are_those_that_are_played_in_turn(prior_and_tunes, tmp_path, capsys):
    prior, real = prior_and_tunes
    names = ("reinforce", "untrained", "merl")
    apart, in_turn = (games_in(tmp_path / name, *names) for name in ("apart", "in turn"))
    play_side_by_side(apart, prior, real, tmp_path, workers=2)
    assert re.search("All 3  100 % .* 3 are over", capsys.readouterr().err)
    play_in_turn(in_turn, prior, real, tmp_path)
    for one, other in zip(apart, in_turn, strict=True):
        assert one.is_done
        records = [game.run.records() for game in (one, other)]
        assert [record["round"] for record in records[0]] == [1, 2, 3]
        # One thread sums in another order than several do.
        for name in ("discriminator/mean_generated", "discriminator/loss"):
            found, expected = ([record[name] for record in part] for part in records)
            np.testing.assert_allclose(found, expected, rtol=1e-2)
        for found, expected in zip(
            jax.tree.leaves(one.generator().model),
            jax.tree.leaves(other.generator().model),
            strict=True,
        ):
            np.testing.assert_allclose(found, expected, atol=5e-3)
        standing = one.standing(records[0][-1])
        assert standing.completed == one.total == 3 * (16 + 8)
    assert sorted(path.name for path in (tmp_path / "apart").iterdir()) == sorted(names)


def test_a_game_that_fails_says_why(prior_and_tunes, tmp_path):
    prior, real = prior_and_tunes
    lost = replace(prior, folder=tmp_path / "no-prior")
    with pytest.raises(UserError, match=r"the run REINFORCE, seed 0 failed: .*not a model folder"):
        play_side_by_side(games_in(tmp_path, "reinforce"), lost, real, tmp_path, workers=1)


def test_a_game_that_is_asked_to_stop_goes_on(prior_and_tunes, tmp_path):
    prior, real = prior_and_tunes
    (game,) = games_in(tmp_path, "reinforce", sizes=replace(SIZES, rounds=5000))
    path = tmp_path / "tunes.npz"
    np.savez(path, played=real.played.tokens, watched=real.watched.tokens)
    command = [sys.executable, *GameJob(game, prior.folder, path).command()]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        while len(game.run.records()) < 2 and process.poll() is None:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=120) == 130
    finally:
        process.kill()
    rounds = [record["round"] for record in game.run.records()]
    assert rounds == list(range(1, len(rounds) + 1))
    assert Checkpoints(game.path / "checkpoints", "").steps()[0] == rounds[-1]
