"""Games in folders: played to their end, continued, and played several at a time.

The folder of a game is that of a run, with a record for each round and, beside the generator in
`model/`, the discriminator in `discriminator/`.

`play_games` starts processes that execute this module, each of which plays one game.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from rich.progress import Progress

from seqtutor.adversarial.files import DISCRIMINATOR, SavedDiscriminator, save_discriminator
from seqtutor.adversarial.game import Game, GameState
from seqtutor.adversarial.settings import GameSettings
from seqtutor.errors import UserError
from seqtutor.files import require_unused
from seqtutor.models.files import SavedModel, load_model, save_model
from seqtutor.rewards import compiled
from seqtutor.runs.interruption import Interrupted, stop_request
from seqtutor.runs.jobs import JobProgress, completed_in, run_jobs
from seqtutor.runs.progress import console, progress_bar
from seqtutor.runs.provenance import lasting_origin, made_by
from seqtutor.runs.run_folder import CHECKPOINTS, CONFIG, RunFolder, differing
from seqtutor.runs.run_on_disk import StoppedError, play_on_disk
from seqtutor.task import Task
from seqtutor.training.run import Record
from seqtutor.training.settings import TutorSettings
from seqtutor.types import SequenceBatch
from seqtutor.vocabulary import Vocabulary

NOT_COMPARED = {"task", "tutoring.steps"}
"""Entries that follow from others, and that the configurations of earlier versions lack."""


@dataclass(frozen=True)
class GameConfig:
    """All that decides the outcome of a game, as its `config.yaml` has it."""

    generator: str
    """Name of the generator."""
    data: str
    """SHA-256 of the real sequences."""
    prior: str
    """SHA-256 of the prior's folder."""
    real: int
    """Number of real sequences that the discriminator learns from."""
    tutoring: TutorSettings = field(default_factory=TutorSettings.of)
    """How the generator is tuned."""
    adversary: GameSettings = field(default_factory=GameSettings)
    """The rules."""
    start: str = "prior"
    """What the generator starts as: the prior, or another model of its vocabulary."""
    task: str | None = None
    """Name of the task."""


@dataclass(frozen=True)
class GameJob:
    """A game and its folder.

    Attributes:
        name: for people.
        folder: of the game.
        config: of the game.
        task: its vocabulary, length and, where the rules give it a weight, reward.
        start: what the generator starts as; its origin is kept in that of the generator.
        real: sequences that the discriminator learns from.
        held_out: real sequences to measure it on.
        inputs: the folder of `start` and the file of the sequences, for another process.
    """

    name: str
    folder: Path
    config: GameConfig
    task: Task
    start: SavedModel
    real: SequenceBatch
    held_out: SequenceBatch
    inputs: tuple[Path, Path] | None = None

    @property
    def run(self) -> RunFolder:
        """The folder's files."""
        return RunFolder(self.folder)

    @property
    def is_done(self) -> bool:
        """Whether the game is finished."""
        return self.run.is_complete

    def require_own_folder(self) -> None:
        """Refuse a folder that holds anything but this game, finished or not.

        Raises:
            UserError: which names the settings that differ.
        """
        if not (self.folder / CONFIG).is_file():
            require_unused(self.folder)
            return
        differ = set(differing(self.run.config(GameConfig), self.config)) - NOT_COMPARED
        if differ:
            raise UserError(
                f"{self.folder} holds a game of other settings, data or prior "
                f"({', '.join(sorted(differ))}); choose another output folder"
            )

    def begin(self) -> None:
        """Write the configuration, unless it is there."""
        if not (self.folder / CONFIG).is_file():
            RunFolder.start(self.folder, self.config, made_by())

    def command(self) -> list[str]:
        """The program that plays the game from `inputs`."""
        assert self.inputs is not None
        self.begin()
        return ["-m", __name__, str(self.folder), *map(str, self.inputs)]

    @property
    def _sequences_a_round(self) -> int:
        rules = self.config.adversary
        collected = rules.generator_iterations * self.config.tutoring.environments
        return rules.generated + collected

    @property
    def total(self) -> int:
        """Sequences that the generator makes in the whole game."""
        rules = self.config.adversary
        return (rules.rounds + rules.first_rounds) * self._sequences_a_round

    @property
    def unit(self) -> str:
        """What `total` counts."""
        return "sequences"

    def progress_at(self, record: Mapping[str, float]) -> JobProgress:
        """How far the game is after a round, in sequences."""
        note = "round {round:.0f}  D(x) {discriminator/mean_generated:.3f}".format_map(record)
        if "entropy" in record:
            note += f"  entropy {record['entropy']:.2f}"
        return JobProgress(record["round"] * self._sequences_a_round, note)

    def game(self) -> Game:
        """The game itself."""
        config = self.config
        return Game(
            self.task, self.start.model, self.real, self.held_out, config.tutoring, config.adversary
        )


def play_game(
    job: GameJob,
    *,
    is_to_stop: Callable[[], bool] = lambda: False,
    on_record: Callable[[Record], None] = lambda record: None,
    on_remark: Callable[[str], None] = lambda remark: None,
) -> None:
    """Play one game to its end, continuing from where its folder stands, and save both players.

    Args:
        job: the game.
        is_to_stop: asked after each round; the game is saved and stops where it says so.
        on_record: called with the record of each round.
        on_remark: called with what the user should know.

    Raises:
        StoppedError: after `is_to_stop` said so.
        UserError: as for `play_on_disk`.
    """
    game = job.game()
    play_on_disk(
        game,
        job.run,
        is_to_stop=is_to_stop,
        on_record=on_record,
        on_remark=on_remark,
        begin=job.begin,
        finish=partial(_save, job, game),
    )


def _save(job: GameJob, game: Game, state: GameState) -> None:
    """Write both players; the generator last, since its model makes the game complete."""
    origin = {
        "made_by": made_by(),
        **lasting_origin(job.start.origin),
        "task": game.task.name,
        "max_length": game.task.max_length,
        "generator": job.config.generator,
    }
    vocabulary = game.task.vocabulary
    discriminator = SavedDiscriminator(state.discriminator.discriminator, vocabulary, origin)
    save_discriminator(discriminator, job.folder / DISCRIMINATOR)
    save_model(SavedModel(game.policy(state), vocabulary, origin), job.run.model)
    shutil.rmtree(job.folder / CHECKPOINTS, ignore_errors=True)


def play_games(jobs: Sequence[GameJob], output: Path, workers: int) -> None:
    """Play all games that are not finished yet, with a progress bar each.

    Games with a weight of the task's own reward are played one after the other in this process.

    Args:
        jobs: with folders below `output`.
        output: the folder that the user gave.
        workers: games at the same time, each in a process of its own; 1 for this process alone.

    Raises:
        Interrupted: at an interruption, once the games that were being played are saved.
        UserError: if a folder holds something else than its game, or a game fails.
    """
    for job in jobs:
        job.require_own_folder()
    waiting = [job for job in jobs if not job.is_done]
    if len(waiting) < len(jobs):
        console.print(f"{len(jobs) - len(waiting)} games are finished already")
    own_rewards = any(job.config.adversary.task_weight for job in waiting)
    if min(workers, len(waiting)) > 1 and not own_rewards:
        with _written_inputs(waiting) as written:
            run_jobs(written, workers, output)
    else:
        _play_in_turn(waiting, output)


def _play_in_turn(jobs: Sequence[GameJob], output: Path) -> None:
    with progress_bar() as progress, stop_request() as is_to_stop:
        for job in jobs:
            try:
                _play_with_bar(job, progress, is_to_stop)
            except StoppedError as stop:
                raise Interrupted(
                    f"interrupted in round {stop.step} of {job.name}; to continue, give the same "
                    f"command again with --output {output}"
                ) from None


def _play_with_bar(job: GameJob, progress: Progress, is_to_stop: Callable[[], bool]) -> None:
    done = completed_in(job.run, job.progress_at)
    bar = progress.add_task(
        job.name, total=job.total, completed=done, unit=job.unit, note="compiling"
    )

    def show(record: Record) -> None:
        reached = job.progress_at(record)
        progress.update(bar, completed=reached.completed, note=reached.note)

    play_game(
        job,
        is_to_stop=is_to_stop,
        on_record=show,
        on_remark=lambda remark: console.print(f"{job.name}: {remark}"),
    )


@contextmanager
def _written_inputs(jobs: Sequence[GameJob]) -> Iterator[list[GameJob]]:
    """The jobs with their models and sequences in files, which are removed at the end."""
    with tempfile.TemporaryDirectory(prefix="seqtutor-games-") as name:
        written = []
        for number, job in enumerate(jobs):
            start = job.start.folder
            if start is None:
                start = Path(name, f"start-{number}")
                save_model(job.start, start)
            sequences = Path(name, f"sequences-{id(job.real)}-{id(job.held_out)}.npz")
            if not sequences.exists():
                parts = {"real": job.real, "held_out": job.held_out}
                arrays: dict[str, Any] = {f"{k}_tokens": part.tokens for k, part in parts.items()}
                arrays |= {f"{k}_mask": part.mask for k, part in parts.items()}
                np.savez(sequences, **arrays)
            written.append(replace(job, inputs=(start, sequences)))
        yield written


def unrewarded_task(vocabulary: Vocabulary, max_length: int, name: str = "task") -> Task:
    """A task whose sequences have no reward of their own."""

    @compiled
    def nothing(tokens: Any, mask: Any) -> Mapping[str, Any]:
        return {"nothing": jnp.zeros(len(tokens))}

    return Task(vocabulary, max_length, nothing, name)


def main(arguments: Sequence[str]) -> int:
    """Play the game of a folder from its inputs, or until asked to stop; gives the exit code."""
    folder, start_folder, sequences = map(Path, arguments)
    try:
        config = RunFolder(folder).config(GameConfig)
        start = load_model(start_folder)
        with np.load(sequences) as arrays:
            real, held_out = (
                SequenceBatch(
                    jnp.asarray(arrays[f"{name}_tokens"]), jnp.asarray(arrays[f"{name}_mask"])
                )
                for name in ("real", "held_out")
            )
        task = unrewarded_task(start.vocabulary, real.tokens.shape[1], config.task or "task")
        job = GameJob(config.generator, folder, config, task, start, real, held_out)
        with stop_request() as is_to_stop:
            play_game(job, is_to_stop=is_to_stop)
    except StoppedError:
        return 130
    except UserError as error:
        print(f"seqtutor: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
