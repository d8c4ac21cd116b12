"""A run, or a game, whose folder holds all that it needs to go on after an interruption."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from seqtutor.adversarial.game import Adversary, AdversaryState, rounds
from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import weights_hash
from seqtutor.runs.checkpoint import Checkpoint, Checkpoints
from seqtutor.runs.run_folder import METRICS, RunFolder
from seqtutor.training.run import GUARDED, Record, chunks
from seqtutor.training.tutor import Tutor

CHECKPOINTS = "checkpoints"
CHECKPOINT_SECONDS = 60.0


def saved_steps(folder: RunFolder) -> list[int]:
    """The steps, or rounds, of a run's checkpoints, newest first; they may be damaged."""
    return Checkpoints(folder.path / CHECKPOINTS, "").steps()


class StoppedError(Exception):
    """A run was asked to stop, and has saved where it stands; `step` is how far it came."""

    def __init__(self, step: int, counter: str = "step") -> None:
        super().__init__(f"stopped at {counter} {step:,}")
        self.step = step


class Standing(Protocol):
    """Where a run stands after a chunk, or a game after a round."""

    @property
    def state(self) -> Any:
        """All that changes."""

    @property
    def record(self) -> Record:
        """What was measured."""

    @property
    def remark(self) -> str | None:
        """What a user should know now."""


@dataclass(frozen=True)
class _Course:
    """What goes on: a run, how it is driven from a state and its records, and what counts it.

    `whole` gives a state all of which this process can read; `devices` share the work.
    """

    run: Tutor | Adversary
    drive: Callable[[Any, Sequence[Record]], Iterator[Standing]]
    prior: SequenceModel
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
    on_record: Callable[[Record], None] = lambda record: None,
    on_remark: Callable[[str], None] = lambda remark: None,
    begin: Callable[[], None] = lambda: None,
    finish: Callable[[SequenceModel], None] = lambda policy: None,
) -> SequenceModel:
    """Run a tutor to its end from wherever the folder's checkpoints stand; gives the policy.

    Records and remarks go to the folder too. A checkpoint is saved when so many `seconds` have
    passed since the last, when `is_to_stop` says so after a chunk, and, if there is room, at the
    end. On the same machine the run goes on bit for bit as if it had never stopped; where it can't,
    a remark says why. `on_remark` is also told where it goes on.

    No other process can run in the folder meanwhile, from before `begin`, which may write its
    configuration, until after `finish`, which is given the policy.

    Raises:
        StoppedError: after `is_to_stop` said so.
        DivergedError: if the loss or a reward term is not finite.
        UserError: if no checkpoint can be used, a file cannot be written, or another process runs
            in the folder.
    """
    drive = partial(chunks, tutor)
    course = _Course(tutor, drive, tutor.prior, "step", GUARDED, tutor.whole, tutor.devices)
    with folder.locked():
        begin()
        state = _run(course, folder, seconds, is_to_stop, on_record, on_remark)
        policy = tutor.policy(state.network)
        finish(policy)
    return policy


def play_on_disk(
    adversary: Adversary,
    folder: RunFolder,
    *,
    seconds: float = CHECKPOINT_SECONDS,
    is_to_stop: Callable[[], bool] = lambda: False,
    on_record: Callable[[Record], None] = lambda record: None,
    on_remark: Callable[[str], None] = lambda remark: None,
) -> AdversaryState:
    """Play a game to its end as `run_on_disk` runs a tutor; gives the state of both players.

    Raises:
        StoppedError: after `is_to_stop` said so; it tells the round.
        DivergedError: if a loss, a reward or a measure is not finite.
        UserError: as `run_on_disk` does.
    """
    needed = ("round", "step", "seconds")
    course = _Course(adversary, partial(rounds, adversary), adversary.prior, "round", needed)
    with folder.locked():
        state: AdversaryState = _run(course, folder, seconds, is_to_stop, on_record, on_remark)
    return state


def _run(
    course: _Course,
    folder: RunFolder,
    seconds: float,
    is_to_stop: Callable[[], bool],
    on_record: Callable[[Record], None],
    on_remark: Callable[[str], None],
) -> Any:
    counter = course.counter
    sums = _digest(folder, course.prior)
    checkpoints = Checkpoints(folder.path / CHECKPOINTS, sums, course.devices)
    found: Checkpoint[Any] | None = checkpoints.latest(course.run)
    begins_again = found is None and bool(folder.records((counter,)))
    folder.cut(found.step if found else 0, counter)

    def remark(text: str) -> None:
        # A run that goes on can come past the same event again.
        if text not in folder.remarks():
            folder.remark(text)
            on_remark(text)

    if found:
        on_remark(f"Going on from {counter} {found.step:,}")
    elif begins_again:
        on_remark("There is no checkpoint: beginning again, without the records so far")
    for text in found.remarks if found else ():
        remark(text)
    records = folder.records(course.needed)
    if found and (not records or records[-1][counter] != found.step):
        remark(f"records before {counter} {found.step:,} are lost from {METRICS}")
    reward = course.run.task.reward
    state = found.state if found else None
    if found:
        reward.restore(found.remembered)

    def save() -> None:
        folder.sync()
        checkpoints.save(course.whole(state), int(record[counter]), reward.state())

    record: Record = {}
    saved = time.monotonic()
    for progress in course.drive(state, records):
        state, record = progress.state, progress.record
        folder.append(record)
        reward.write(folder.path)
        on_record(record)
        if progress.remark:
            remark(progress.remark)
        stops = is_to_stop()
        if stops or time.monotonic() - saved >= seconds:
            save()
            saved = time.monotonic()
        if stops:
            raise StoppedError(int(record[counter]), counter)
    assert state is not None
    reward.write(folder.path)
    if record:
        try:
            save()
        except UserError as error:
            # What is made of the state may be smaller, and find the room that this did not.
            on_remark(f"{error}; trying to finish without this checkpoint")
    return state


def _digest(folder: RunFolder, prior: SequenceModel) -> str:
    """A hash of all that makes the run: its configuration and the prior's weights."""
    return weights_hash(prior, json.dumps(folder.settings(), sort_keys=True))
