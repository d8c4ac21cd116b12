"""The games of the folk experiment side by side, each in a process of its own.

This module is both sides: `play_side_by_side` starts processes, and `python -m` of it is one.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from seqtutor.cli.folk_games import GameFolder, play
from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel
from seqtutor.runs.interruption import stop_request
from seqtutor.runs.jobs import Standing, run_jobs
from seqtutor.runs.run_folder import RunFolder
from seqtutor.runs.run_on_disk import StoppedError
from seqtutor.tasks.folk.evaluation import RealTunes
from seqtutor.tasks.folk.game import FolkGame
from seqtutor.tasks.folk.model import load_folk_model
from seqtutor.types import SequenceBatch


@dataclass(frozen=True)
class GameJob:
    """A game, the folder of its prior, and the file of the real tunes."""

    game: GameFolder
    prior: Path
    tunes: Path

    @property
    def name(self) -> str:
        """For people."""
        return self.game.name

    @property
    def folder(self) -> Path:
        """The game's."""
        return self.game.path

    @property
    def is_done(self) -> bool:
        """Whether the game is over."""
        return self.game.is_done

    @property
    def total(self) -> int:
        """Sequences that the generator makes."""
        return self.game.total

    @property
    def unit(self) -> str:
        """What is counted."""
        return "sequences"

    def require_own_folder(self) -> None:
        """Refuse a folder that holds anything but this game, or a part of it."""
        self.game.require_own()

    def command(self) -> list[str]:
        """The program that plays it; what it reads of the game is written into its folder."""
        self.game.begin()
        return ["-m", __name__, str(self.game.path), str(self.prior), str(self.tunes)]

    def standing(self, record: Mapping[str, float]) -> Standing:
        """Where the game is after a round."""
        return self.game.standing(record)


def play_side_by_side(
    games: Sequence[GameFolder], prior: SavedModel, real: RealTunes, output: Path, workers: int
) -> None:
    """Play all games that are not over yet, `workers` at a time.

    Raises:
        Interrupted: once the games that were played have been saved.
        UserError: as `run_jobs` does.
    """
    assert prior.folder is not None
    with tempfile.TemporaryDirectory(prefix="seqtutor-tunes-") as folder:
        path = Path(folder, "tunes.npz")
        np.savez(path, played=real.played.tokens, watched=real.watched.tokens)
        run_jobs([GameJob(game, prior.folder, path) for game in games], workers, output)


def main(arguments: Sequence[str]) -> int:
    """Play one game to its end, or until it is asked to stop; returns the exit code."""
    folder, prior, tunes = map(Path, arguments)
    try:
        game = GameFolder(folder, RunFolder(folder).config(FolkGame))
        with np.load(tunes) as arrays, stop_request() as is_to_stop:
            played, watched = (
                SequenceBatch(jnp.asarray(arrays[name]), jnp.ones(arrays[name].shape, bool))
                for name in ("played", "watched")
            )
            play(game, load_folk_model(prior), played, watched, is_to_stop=is_to_stop)
    except StoppedError:
        return 130
    except UserError as error:
        print(f"seqtutor: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
