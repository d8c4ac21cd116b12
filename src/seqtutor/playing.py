"""The adversarial game from Python: `seqtutor.play`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqtutor.adversarial.evaluation import as_batch
from seqtutor.adversarial.files import SavedDiscriminator, load_discriminator
from seqtutor.adversarial.game import Game, play_rounds
from seqtutor.adversarial.reward import discriminator_reward
from seqtutor.adversarial.settings import GameSettings
from seqtutor.api import Generator, load
from seqtutor.data import pad, split
from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, weights_hash
from seqtutor.rewards import Reward
from seqtutor.runs.games import GameConfig, GameJob, play_game
from seqtutor.runs.provenance import lasting_origin
from seqtutor.runs.run_folder import plain
from seqtutor.task import Task
from seqtutor.training.run import Record
from seqtutor.training.settings import TutorSettings


@dataclass(frozen=True)
class Played:
    """Both players of a finished game.

    Attributes:
        generator: the tuned generator, with a record of each round.
        discriminator: as it is at the end.
    """

    generator: Generator
    discriminator: SavedDiscriminator

    def reward(self, weight: float = 1.0) -> Reward:
        """The logit of the discriminator as a reward, for a task of its vocabulary."""
        return discriminator_reward(self.discriminator, weight=weight)


def play(
    prior: Generator,
    task: Task,
    real: Iterable[Sequence[str]],
    *,
    method: str = "rloo",
    game: GameSettings | None = None,
    held_out_share: float = 0.2,
    output: str | Path | None = None,
    on_record: Callable[[Record], None] = lambda record: None,
    **settings: Any,
) -> Played:
    """Tune a copy of the prior against a discriminator that learns to tell it from real sequences.

    Args:
        prior: what `pretrain` or `load` gives.
        task: of the prior's vocabulary; its own reward is added if `game.task_weight` is above 0.
        real: sequences as lists of tokens, or strings where every token is one character.
        method: by which the generator is tuned.
        game: the rules; by default those of `GameSettings`.
        held_out_share: random share of the real sequences that measures the discriminator.
        output: folder of the game, which gets configuration, records, checkpoints and both players.
            An interrupted game with the same settings continues from there, a finished one is
            loaded.
        on_record: called with the record of each round.
        **settings: those of `TutorSettings` and of the method; c and the discount are 1 if not
            given.

    Raises:
        UserError: if the prior has another vocabulary than the task, a sequence is not one of the
            task, a setting cannot be used, or the folder holds something else.
        DivergedError: if a loss or a reward is not finite.
    """
    if prior.vocabulary != task.vocabulary:
        raise UserError("the prior was trained on another vocabulary than the task's")
    rules = game or GameSettings()
    tutoring = TutorSettings.of(method, **{"c": 1.0, "discount": 1.0, **settings})
    tutoring = replace(
        tutoring, steps=rules.generator_steps(tutoring.environments, task.max_length)
    )
    training, held_out, _ = split(
        pad(task.vocabulary, task.max_length, real),
        validation_share=held_out_share,
        test_share=0.0,
        seed=tutoring.seed,
    )
    batches = as_batch(training), as_batch(held_out)
    if output is None:
        players = Game(task, prior.model, *batches, tutoring, rules)
        return _play_in_memory(players, prior, on_record)
    digest = hashlib.sha256(b"".join(part.tokens.tobytes() for part in (training, held_out)))
    prior_digest = weights_hash(prior.model)
    config = GameConfig(
        method, digest.hexdigest(), prior_digest, len(training), tutoring, rules, task=task.name
    )
    start = SavedModel(prior.model, prior.vocabulary, prior.origin, prior.folder)
    job = GameJob(method, Path(output), config, task, start, *batches)
    job.require_own_folder()
    if not job.is_done:
        play_game(job, on_record=on_record)
    generator = load(job.run.model)
    return Played(
        replace(generator, records=job.run.records(), remarks=job.run.remarks()),
        load_discriminator(job.folder),
    )


def _play_in_memory(game: Game, prior: Generator, on_record: Callable[[Record], None]) -> Played:
    records, remarks, state = [], [], None
    for progress in play_rounds(game):
        state = progress.state
        records.append(progress.record)
        remarks += [progress.remark] if progress.remark else []
        on_record(progress.record)
    assert state is not None
    task = game.task
    origin = {
        **lasting_origin(prior.origin),
        "max_length": task.max_length,
        "game": plain(game.settings),
        "tutoring": plain(game.tutoring),
    }
    return Played(
        Generator(game.policy(state), task.vocabulary, task.max_length, records, remarks, origin),
        SavedDiscriminator(state.discriminator.discriminator, task.vocabulary, origin),
    )
