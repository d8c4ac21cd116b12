"""A run whose folder holds all that it needs to go on after an interruption."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable

import jax
import numpy as np

from seqtutor.models.base import SequenceModel
from seqtutor.rewards import as_reward
from seqtutor.training.checkpoint import Checkpoints
from seqtutor.training.run import GUARDED, Record, chunks
from seqtutor.training.run_folder import METRICS, RunFolder
from seqtutor.training.tutor import Tutor

CHECKPOINTS = "checkpoints"
CHECKPOINT_SECONDS = 60.0


class StoppedError(Exception):
    """A run was asked to stop, and has saved where it stands; `step` is how far it came."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped at step {step:,}")
        self.step = step


def run_on_disk(
    tutor: Tutor,
    folder: RunFolder,
    *,
    seconds: float = CHECKPOINT_SECONDS,
    is_to_stop: Callable[[], bool] = lambda: False,
    on_record: Callable[[Record], None] = lambda record: None,
    on_remark: Callable[[str], None] = lambda remark: None,
) -> SequenceModel:
    """Run a tutor to its end from wherever the folder's checkpoints stand; gives the policy.

    Records and remarks go to the folder too. A checkpoint is saved when so many `seconds` have
    passed since the last, and when `is_to_stop` says so after a chunk. On the same machine the run
    goes on bit for bit as if it had never stopped; where it can't, a remark says why.

    Raises:
        StoppedError: after `is_to_stop` said so.
        DivergedError: if the loss or a reward term is not finite.
        UserError: if no checkpoint can be used, a file cannot be written, or another process runs
            in the folder.
    """
    with folder.locked():
        return _run(tutor, folder, seconds, is_to_stop, on_record, on_remark)


def _run(
    tutor: Tutor,
    folder: RunFolder,
    seconds: float,
    is_to_stop: Callable[[], bool],
    on_record: Callable[[Record], None],
    on_remark: Callable[[str], None],
) -> SequenceModel:
    checkpoints = Checkpoints(folder.path / CHECKPOINTS, _digest(folder, tutor))
    found = checkpoints.latest(tutor)
    folder.cut(found.step if found else 0)

    def remark(text: str) -> None:
        # A run that goes on can come past the same event again.
        if text not in folder.remarks():
            folder.remark(text)
            on_remark(text)

    for text in found.remarks if found else ():
        remark(text)
    records = folder.records(GUARDED)
    if found and (not records or records[-1]["step"] != found.step):
        remark(f"records before step {found.step:,} are lost from {METRICS}")
    reward = as_reward(tutor.task.reward)
    state = found.state if found else None
    if found:
        reward.restore(found.remembered)
    saved = time.monotonic()
    for progress in chunks(tutor, state, records):
        state = progress.state
        folder.append(progress.record)
        on_record(progress.record)
        if progress.remark:
            remark(progress.remark)
        stops = is_to_stop()
        if stops or time.monotonic() - saved >= seconds:
            folder.sync()
            checkpoints.save(state, int(progress.record["step"]), reward.state())
            saved = time.monotonic()
        if stops:
            raise StoppedError(int(progress.record["step"]))
    assert state is not None
    return tutor.policy(state.network)


def _digest(folder: RunFolder, tutor: Tutor) -> str:
    """A hash of all that makes the run: its configuration and the prior's weights."""
    sums = hashlib.sha256(json.dumps(folder.settings(), sort_keys=True).encode())
    for leaf in jax.tree.leaves(tutor.prior):
        sums.update(np.asarray(leaf).tobytes())
    return sums.hexdigest()
