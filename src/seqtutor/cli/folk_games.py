"""The games of the folk experiment on the disk: each is played once, and goes on if interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from seqtutor.adversarial.game import Adversary, AdversaryState
from seqtutor.cli.pretrain_folk import usual_training
from seqtutor.errors import UserError
from seqtutor.files import require_unused
from seqtutor.measures.controls import untrained
from seqtutor.models.discriminator import ConvolutionalDiscriminator
from seqtutor.models.files import (
    SavedDiscriminator,
    SavedModel,
    load_discriminator,
    save_model,
)
from seqtutor.runs.interruption import Interrupted, stop_request
from seqtutor.runs.jobs import Standing, completed_in
from seqtutor.runs.progress import console, progress_bar
from seqtutor.runs.provenance import made_by
from seqtutor.runs.run_folder import CONFIG, RunFolder, differing
from seqtutor.runs.run_on_disk import CHECKPOINTS, StoppedError, play_on_disk
from seqtutor.tasks.folk.evaluation import RealTunes
from seqtutor.tasks.folk.game import FolkGame
from seqtutor.tasks.folk.model import load_folk_model
from seqtutor.tasks.folk.variants import title_of
from seqtutor.training.run import Record
from seqtutor.types import SequenceBatch

DISCRIMINATOR = "discriminator"


@dataclass(frozen=True)
class GameFolder:
    """A game and the folder that it goes to."""

    path: Path
    game: FolkGame

    @property
    def name(self) -> str:
        """For people."""
        return f"{title_of(self.game.generator)}, seed {self.game.tutoring.seed}"

    @property
    def run(self) -> RunFolder:
        """The folder's files."""
        return RunFolder(self.path)

    @property
    def is_done(self) -> bool:
        """Whether the game has come to its end."""
        return self.run.is_complete

    def require_own(self) -> None:
        """Refuse a folder that holds anything but this game, or a part of it.

        Raises:
            UserError: if it does.
        """
        if not (self.path / CONFIG).is_file():
            require_unused(self.path)
            return
        # The steps follow from the other settings, and games of older versions do not tell them.
        differ = set(differing(self.run.config(FolkGame), self.game)) - {"tutoring.steps"}
        if differ:
            raise UserError(
                f"{self.path} holds a game of other settings, data or prior "
                f"({', '.join(sorted(differ))}); choose another folder with --output"
            )

    def begin(self) -> None:
        """Write the configuration, unless it is there."""
        if not (self.path / CONFIG).is_file():
            RunFolder.start(self.path, self.game, made_by())

    @property
    def _sequences_a_round(self) -> int:
        rules = self.game.adversary
        return rules.generated + rules.generator_iterations * self.game.tutoring.environments

    @property
    def total(self) -> int:
        """Sequences that the generator makes in the whole game."""
        rules = self.game.adversary
        return (rules.rounds + rules.first_rounds) * self._sequences_a_round

    def standing(self, record: Mapping[str, float]) -> Standing:
        """Where the game is after a round, in sequences."""
        note = "round {round:.0f}  D(x) {discriminator/mean_generated:.3f}".format_map(record)
        if "entropy" in record:
            note += f"  entropy {record['entropy']:.2f}"
        return Standing(record["round"] * self._sequences_a_round, note)

    def generator(self) -> SavedModel:
        """The tuned generator."""
        return load_folk_model(self.run.model)

    def discriminator(self) -> ConvolutionalDiscriminator:
        """The discriminator at the end of the game."""
        return load_discriminator(self.path / DISCRIMINATOR).model


def play_in_turn(
    games: Sequence[GameFolder], prior: SavedModel, real: RealTunes, output: Path
) -> None:
    """Play all games that are not over yet, one after the other, with a bar each.

    Raises:
        Interrupted: once the game that was played has been saved.
        UserError: if a folder holds something else than its game, or a game fails.
    """
    for game in games:
        game.require_own()
    with progress_bar() as progress, stop_request() as is_to_stop:
        for game in games:
            if game.is_done:
                continue
            try:
                _play_with_bar(game, prior, real, progress, is_to_stop)
            except StoppedError as stop:
                raise Interrupted(
                    f"interrupted in round {stop.step} of {game.name}; to go on, give the same "
                    f"command again with --output {output}"
                ) from None


def _play_with_bar(
    game: GameFolder,
    prior: SavedModel,
    real: RealTunes,
    progress: Progress,
    is_to_stop: Callable[[], bool],
) -> None:
    bar = progress.add_task(
        game.name,
        total=game.total,
        completed=completed_in(game.run, game.standing),
        unit="sequences",
        note="compiling",
    )

    def show(record: Record) -> None:
        standing = game.standing(record)
        progress.update(bar, completed=standing.completed, note=standing.note)

    play(
        game,
        prior,
        real.played,
        real.watched,
        is_to_stop=is_to_stop,
        on_record=show,
        on_remark=lambda remark: console.print(f"{game.name}: {remark}"),
    )


def play(
    game: GameFolder,
    prior: SavedModel,
    played: SequenceBatch,
    watched: SequenceBatch,
    *,
    is_to_stop: Callable[[], bool] = lambda: False,
    on_record: Callable[[Record], None] = lambda record: None,
    on_remark: Callable[[str], None] = lambda remark: None,
) -> None:
    """One game, from wherever its folder stands, to its end; the players are then saved.

    Args:
        game: with the folder.
        prior: what the generator begins as, unless the game says otherwise.
        played: real sequences that the discriminator learns from.
        watched: real sequences to measure by.
        is_to_stop: asked after each round.
        on_record: told what each round has measured.
        on_remark: told what a user should know.

    Raises:
        StoppedError: after `is_to_stop` said so; it tells the round.
        UserError: as `play_on_disk` does.
    """
    own = game.game
    start = prior.model
    if own.start == "untrained":
        start = untrained(start, own.tutoring.seed, usual_training().token_bound)
    adversary = Adversary(prior.vocabulary, start, played, watched, own.tutoring, own.adversary)
    game.begin()
    state = play_on_disk(
        adversary, game.run, is_to_stop=is_to_stop, on_record=on_record, on_remark=on_remark
    )
    _save(game, adversary, state, prior)


def _save(game: GameFolder, adversary: Adversary, state: AdversaryState, prior: SavedModel) -> None:
    """Both players; the generator last, since its model tells that the game is over."""
    kept = {name: prior.origin[name] for name in ("task", "tokenisation", "max_length", "data")}
    origin = {"made_by": made_by(), **kept, "generator": game.game.generator}
    discriminator = state.discriminator.discriminator
    save_model(
        SavedDiscriminator(discriminator, prior.vocabulary, origin), game.path / DISCRIMINATOR
    )
    save_model(SavedModel(adversary.policy(state), prior.vocabulary, origin), game.run.model)
    shutil.rmtree(game.path / CHECKPOINTS, ignore_errors=True)
