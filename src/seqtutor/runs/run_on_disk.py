"""A tuning run or a game in a folder with checkpoints, from which it continues if interrupted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from seqtutor.adversarial.game import Game, GameState, play_rounds
from seqtutor.errors import UserError
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import weights_hash
from seqtutor.rewards import Reward
from seqtutor.runs.checkpoint import Checkpoint, Checkpoints
from seqtutor.runs.run_folder import CHECKPOINTS, METRICS, RunFolder
from seqtutor.training.run import (
    GUARDED,
    OnRecord,
    Record,
    chunks,
    ended_by_caller,
    ignore_record,
    joined,
)
from seqtutor.training.tutor import Tutor

CHECKPOINT_SECONDS = 60.0


def saved_steps(folder: RunFolder) -> list[int]:
    """The steps, or rounds, of a run's checkpoints, newest first; they may be damaged."""
    return Checkpoints(folder.path / CHECKPOINTS, "").steps()


class StoppedError(Exception):
    """A run was asked to stop and has saved a checkpoint; `step` is the step, or round, of it."""

    def __init__(self, step: int, counter: str = "step") -> None:
        super().__init__(f"stopped at {counter} {step:,}")
        self.step = step


class Progress(Protocol):
    """What a run gives after a chunk, or a game after a round."""

    @property
    def state(self) -> Any:
        """All that changes."""

    @property
    def record(self) -> Record:
        """What was measured."""

    @property
    def remark(self) -> str | None:
        """What a user should know, if anything."""


@dataclass(frozen=True)
class _Run:
    """A tutor or a game, and how it is driven.

    Attributes:
        subject: what a checkpoint belongs to.
        drive: continues from a state and the records up to it.
        prior: its weights are part of what decides the outcome.
        reward: of the generated sequences.
        counter: the number in the records that counts chunks or rounds.
        needed: what a record must have.
        whole: gives a state that this process can read completely.
        devices: that share the work.
    """

    subject: Tutor | Game
    drive: Callable[[Any, Sequence[Record]], Iterator[Progress]]
    prior: SequenceModel
    reward: Reward
    counter: str
    needed: tuple[str, ...]
    whole: Callable[[Any], Any] = lambda state: state
    devices: int = 1


def run_on_disk(
    tutor: Tutor,
    folder: RunFolder,
    *,
    seconds: float = CHECKPOINT_SECONDS,
    is_to_stop: Callable[[], bool] = lambda: False,
    on_record: OnRecord = ignore_record,
    on_remark: Callable[[str], None] = lambda remark: None,
    begin: Callable[[], None] = lambda: None,
    finish: Callable[[SequenceModel], None] = lambda policy: None,
    keep: Callable[[ActionValueNetwork], None] = lambda network: None,
) -> SequenceModel:
    """Run a tutor to its end, continuing from the checkpoints in the folder; gives the policy.

    Records and remarks are also written into the folder. A checkpoint is saved when `is_to_stop`
    says so and, if there is room, at the end. On the same machine a run continues bit for bit as if
    it had not stopped; where it cannot, a remark says why. No other process can run in the folder
    from before `begin` until after `finish`.

    Args:
        tutor: of the configuration that the folder has after `begin`.
        folder: of the run.
        seconds: between two checkpoints.
        is_to_stop: asked after each chunk; the run is saved and stops where it says so.
        on_record: called with each record; the run ends with the first for which it returns False.
        on_remark: called with what the user should know: a collapse, or where the run continues.
        begin: called once the folder is locked; may write the configuration.
        finish: called with the policy.
        keep: called before that, with the network that the policy is made of.

    Raises:
        StoppedError: after `is_to_stop` said so.
        DivergedError: if the loss or a reward term is not finite.
        UserError: if no checkpoint can be used, a file cannot be written, or another process runs
            in the folder.
    """
    drive, reward = partial(chunks, tutor), tutor.task.reward
    run = _Run(tutor, drive, tutor.prior, reward, "step", GUARDED, tutor.whole, tutor.devices)
    with folder.locked():
        begin()
        reward.record_in(folder.path)
        try:
            state = _continued(run, folder, seconds, is_to_stop, on_record, on_remark)
        finally:
            reward.record_in(None)
        keep(state.network)
        policy = tutor.policy(state.network)
        finish(policy)
    return policy


def play_on_disk(
    game: Game,
    folder: RunFolder,
    *,
    seconds: float = CHECKPOINT_SECONDS,
    is_to_stop: Callable[[], bool] = lambda: False,
    on_record: OnRecord = ignore_record,
    on_remark: Callable[[str], None] = lambda remark: None,
    begin: Callable[[], None] = lambda: None,
    finish: Callable[[GameState], None] = lambda state: None,
) -> GameState:
    """Play a game to its end as `run_on_disk` runs a tutor; gives the state of both players.

    Raises:
        StoppedError: after `is_to_stop` said so.
        DivergedError: if a loss, a reward or a measure is not finite.
        UserError: as for `run_on_disk`.
    """
    needed, reward = ("round", "step", "seconds"), game.rewarded_task.reward
    run = _Run(game, partial(play_rounds, game), game.prior, reward, "round", needed)
    with folder.locked():
        begin()
        state: GameState = _continued(run, folder, seconds, is_to_stop, on_record, on_remark)
        finish(state)
    return state


def _continued(
    run: _Run,
    folder: RunFolder,
    seconds: float,
    is_to_stop: Callable[[], bool],
    on_record: OnRecord,
    on_remark: Callable[[str], None],
) -> Any:
    counter = run.counter
    sums = _digest(folder, run.prior)
    checkpoints = Checkpoints(folder.path / CHECKPOINTS, sums, run.devices)
    found: Checkpoint[Any] | None = checkpoints.latest(run.subject)
    begins_again = found is None and bool(folder.records((counter,)))
    folder.cut(found.step if found else 0, counter)

    def remark(text: str) -> None:
        # A run that continues can reach the same event again.
        if text not in folder.remarks():
            folder.remark(text)
            on_remark(text)

    if found:
        on_remark(f"Continuing from {counter} {found.step:,}")
    elif begins_again:
        on_remark("There is no checkpoint: starting again, without the records so far")
    for text in found.remarks if found else ():
        remark(text)
    records = folder.records(run.needed)
    if found and (not records or records[-1][counter] != found.step):
        remark(f"records before {counter} {found.step:,} are lost from {METRICS}")
    reward = run.reward
    state = found.state if found else None
    if found:
        reward.restore(found.extra)

    def save() -> None:
        folder.sync()
        checkpoints.save(run.whole(state), int(record[counter]), reward.state())

    record: Record = {}
    saved = time.monotonic()
    for progress in run.drive(state, records):
        state, record = progress.state, progress.record
        folder.append(record)
        reward.write(folder.path)
        goes_on = on_record(record) is not False
        made = joined(progress.remark, None if goes_on else ended_by_caller(record[counter]))
        for text in (*filter(None, [made]), *reward.remarks()):
            remark(text)
        if not goes_on:
            break
        stops = is_to_stop()
        if stops or time.monotonic() - saved >= seconds:
            save()
            saved = time.monotonic()
        if stops:
            raise StoppedError(int(record[counter]), counter)
    assert state is not None
    reward.write(folder.path)
    for text in reward.remarks(is_over=True):
        remark(text)
    if record:
        try:
            save()
        except UserError as error:
            # The model is smaller than a checkpoint: there may be room for it.
            on_remark(f"{error}; trying to finish without this checkpoint")
    return state


def _digest(folder: RunFolder, prior: SequenceModel) -> str:
    """A hash of what decides the outcome: the configuration and the prior's weights."""
    return weights_hash(prior, json.dumps(folder.settings(), sort_keys=True))
