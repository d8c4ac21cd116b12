"""Driving a tutor from Python: chunks of compiled work, a record after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import numpy as np

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.training.tutor import Tutor, TutorState

Record = dict[str, int | float]


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a chunk."""

    state: TutorState
    record: Record


@dataclass(frozen=True)
class Tuned:
    """The end of a run: the policy and a record for every chunk.

    A record holds `step` (environment steps so far), `seconds`, the `loss`, and the means over the
    chunk of what `seqtutor.training.tutor.measure` gives.
    """

    policy: SequenceModel
    records: list[Record]


def chunks(tutor: Tutor, state: TutorState | None = None) -> Iterator[Progress]:
    """Run a tutor to its end, giving the state and a record after each chunk of iterations.

    The next chunk uses up a given state's memory: copy what is to be kept of it before going on.

    Raises:
        UserError: if the loss or a reward term is not finite.
    """
    state = tutor.initial_state() if state is None else state
    done, total = int(state.iteration), tutor.iterations
    chunk = max(1, min(total, round(tutor.settings.log_every / tutor.steps_per_iteration)))
    start = time.perf_counter()
    while done < total:
        state, metrics = tutor.advance(state, min(chunk, total - done))
        record = {name: float(np.mean(values)) for name, values in jax.device_get(metrics).items()}
        done = int(state.iteration)
        _require_finite(record, done * tutor.steps_per_iteration)
        yield Progress(
            state,
            {
                "step": done * tutor.steps_per_iteration,
                "seconds": time.perf_counter() - start,
                **record,
            },
        )


def run_tutor(tutor: Tutor, on_record: Callable[[Record], None] = lambda record: None) -> Tuned:
    """Run a tutor to its end."""
    records = []
    state = None
    for progress in chunks(tutor):
        state = progress.state
        records.append(progress.record)
        on_record(progress.record)
    assert state is not None
    return Tuned(tutor.policy(state.network), records)


def _require_finite(record: Record, step: int) -> None:
    # Terms first: a reward that is not finite makes everything after it so.
    order = sorted(record, key=lambda name: not name.startswith("reward/"))
    for name in order:
        if np.isfinite(record[name]):
            continue
        if name.startswith("reward/"):
            term = name.removeprefix("reward/")
            raise UserError(f"the reward term {term!r} is not finite by step {step:,}; mend it")
        raise UserError(f"{name} is not finite by step {step:,}; lower the learning rate")
