"""Driving a tutor from Python: chunks of compiled work, a record and its check after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import jax
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.training.plan import TutorState
from seqtutor.training.settings import TutorSettings
from seqtutor.training.sharding import copied
from seqtutor.training.tutor import Tutor
from seqtutor.training.watching import watched

Record = dict[str, int | float]

OnRecord = Callable[[Record], object]
"""Is given each record; the run ends with the first for which it returns False."""


def ignore_record(record: Record) -> None:
    """Let the run go on."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a chunk.

    `remark` is for the user: the policy has collapsed (once a run), or why the run ends here.
    """

    state: TutorState
    record: Record
    remark: str | None = None


@dataclass(frozen=True)
class Tuned:
    """The end of a run: the policy, a record for every chunk, and the remarks made.

    A record holds `step` (environment steps so far), `seconds`, the `loss`, and the means over the
    chunk of what `seqtutor.training.metrics.measure` gives.
    """

    policy: SequenceModel
    records: list[Record]
    remarks: list[str]


class DivergedError(UserError):
    """A loss, a reward or a weight was not finite; `last_good` is the policy before that chunk."""

    def __init__(self, message: str, last_good: SequenceModel, seed: int) -> None:
        super().__init__(message)
        self.last_good = last_good
        self.seed = seed


def chunks(
    tutor: Tutor, state: TutorState | None = None, records: Sequence[Record] = ()
) -> Iterator[Progress]:
    """Run a tutor to its end, giving the state and a record after each chunk of iterations.

    A run that was interrupted continues from a `state` with the `records` made until then: the
    guard reads them, and time continues where they end; a reward with a memory must have been
    restored to what it was then. The next chunk uses up a given state's memory: copy what is to be
    kept of it first. The run ends early where the settings' guards or the reward's `end` say so.
    The plan's remark comes with the first record.

    Raises:
        DivergedError: if the loss or a reward term is not finite.
        UserError: if the reward fails, or the model is inconsistent.
    """
    tutor.require_consistent_model()
    reward = tutor.task.reward
    beforehand = tutor.remark if state is None else None
    if state is None:
        reward.restart()
        state = tutor.initial_state()
    guard = Guard(tutor.settings)
    for record in records:
        guard.check(record)
    start = time.perf_counter() - (records[-1]["seconds"] if records else 0.0)
    for iterations in chunk_lengths(tutor, int(state.iteration)):
        if guard.stops or reward.end is not None:
            return
        last_good = copied(state.network, tutor.devices)
        state, metrics = watched(tutor, partial(tutor.advance, state, iterations))
        steps = int(state.iteration) * tutor.steps_per_iteration
        record = record_of(metrics, steps, start)
        end = reward.end
        is_last = end is not None or int(state.iteration) == tutor.iterations
        seen = last_good, state.network, state.key, state.iteration
        saved = partial(record_of_final_policy, tutor, *seen)
        checked = check_chunk(guard, record, saved, is_last=is_last)
        if checked.failure is not None:
            raise DivergedError(checked.failure, tutor.policy(last_good), tutor.settings.seed)
        of_reward = None if end is None else f"ended at step {steps:,}: {end}"
        yield Progress(state, record, joined(beforehand, checked.remark, of_reward))
        beforehand = None


def ended_by_caller(step: int | float) -> str:
    """The remark on a run that `on_record` ended."""
    return f"ended at step {step:,}: on_record returned False"


def joined(*remarks: str | None) -> str | None:
    """Remarks in one line, if there are any."""
    return "; ".join(filter(None, remarks)) or None


def run_tutor(
    tutor: Tutor,
    on_record: OnRecord = ignore_record,
    on_remark: Callable[[str], None] = lambda remark: None,
) -> Tuned:
    """Run a tutor to its end, or to the record for which `on_record` returns False.

    Raises:
        DivergedError: if the loss or a reward term is not finite.
    """
    records, remarks = [], []
    state = None
    for progress in chunks(tutor):
        state = progress.state
        records.append(progress.record)
        goes_on = on_record(progress.record) is not False
        remark = joined(
            progress.remark, None if goes_on else ended_by_caller(progress.record["step"])
        )
        if remark:
            remarks.append(remark)
            on_remark(remark)
        if not goes_on:
            break
    assert state is not None
    return Tuned(tutor.policy(state.network), records, remarks)


def chunk_lengths(tutor: Tutor, done: int = 0) -> list[int]:
    """Iterations of each chunk from the iteration `done` to the end.

    A run has chunks of one length, but for one iteration: a record of fewer would be noisier.
    """
    total = tutor.iterations
    chunk = max(1, round(tutor.settings.log_every / tutor.steps_per_iteration))
    number = max(1, round(total / chunk))
    ends = [place * total // number for place in range(1, number + 1)]
    left = [done, *(end for end in ends if end > done)]
    return [after - before for before, after in pairwise(left)]


def record_of(metrics: Mapping[str, np.ndarray], steps: int, start: float) -> Record:
    """The record of a chunk that ended at `steps`, of a run that began at the time `start`."""
    means = {name: float(np.mean(values)) for name, values in metrics.items()}
    return {"step": steps, "seconds": time.perf_counter() - start, **means}


SMALL_CHANGE = 0.05
"""Of the norm of all weights: a chunk's records speak for a policy that changed no more in it."""


def has_moved(before: ActionValueNetwork, after: ActionValueNetwork) -> bool:
    """Whether the weights are not finite, or changed by more than `SMALL_CHANGE` of their norm."""
    old, new = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(jax.device_get(network))])
        for network in (before, after)
    )
    with np.errstate(over="ignore", invalid="ignore"):
        change = np.linalg.norm(new - old) / max(float(np.linalg.norm(old)), 1e-9)
    return not change <= SMALL_CHANGE


def record_of_final_policy(
    tutor: Tutor,
    before: ActionValueNetwork,
    network: ActionValueNetwork,
    key: PRNGKeyArray,
    iteration: Int[Array, ""],
) -> Record | None:
    """What is measured of the policy that a run ends with, by a collection of its own.

    The records know the policies that collected, each of which was updated afterwards. Where the
    last chunk, from `before` on, changed the network little, they speak for it: `None`.
    """
    if not has_moved(before, network):
        return None
    metrics = jax.device_get(
        watched(tutor, partial(tutor.evaluate_policy, network, key, iteration))
    )
    means = {name: float(value) for name, value in metrics.items()}
    return {"step": int(iteration) * tutor.steps_per_iteration, **means}


GUARDED = ("step", "seconds", "entropy", "kl", "distinct")
"""What a record must have for a run to go on from it."""


class Guard:
    """Watches the records for a collapse and for the KL divergence at which to stop."""

    def __init__(self, settings: TutorSettings) -> None:
        self.settings = settings
        self.first_distinct: float | None = None
        self.has_collapsed = False
        self.stops = False

    def check(self, record: Record, policy: str = "the policy") -> str | None:
        """A remark about a record, if there is one; sets `stops` if the run is to end with it.

        No remark is made twice. `policy` names the policy that was measured.
        """
        settings, step, limit = self.settings, record["step"], self.settings.stop_at_kl
        if limit is not None and record["kl"] >= limit and not self.stops:
            self.stops = True
            return (
                f"stopped at step {step:,}: the KL divergence of {policy} is {record['kl']:.3f} "
                f"nats a step, beyond {limit:g}; a smaller log_every checks it more often"
            )
        reason = self._collapse(record)
        if reason is None or self.has_collapsed:
            return None
        self.has_collapsed = True
        self.stops = self.stops or settings.stop_on_collapse
        verb = "stopped at" if settings.stop_on_collapse else "warning at"
        return (
            f"{verb} step {step:,}: {policy} has collapsed, {reason}; "
            "a lower learning rate or a larger c prevents it"
        )

    def _collapse(self, record: Record) -> str | None:
        entropy, distinct = record["entropy"], record["distinct"]
        if self.first_distinct is None:
            self.first_distinct = distinct
        if entropy < self.settings.collapse_entropy:
            return f"its entropy is {entropy:.3f} nats a step"
        if distinct < self.settings.collapse_distinct * self.first_distinct:
            return f"only {100 * distinct:.0f} % of a batch are distinct sequences"
        return None


@dataclass(frozen=True)
class ChunkCheck:
    """The result of checking a chunk: a failure that ends the run, or a remark for the user."""

    failure: str | None
    remark: str | None = None


def check_chunk(
    guard: Guard,
    record: Record,
    record_of_final_policy: Callable[[], Record | None],
    *,
    is_last: bool,
) -> ChunkCheck:
    """Check the record of a chunk and, where the run ends with it, the policy that is saved."""
    failure = non_finite_message(record)
    if failure is not None:
        return ChunkCheck(failure)
    remark = guard.check(record)
    if not (is_last or guard.stops):
        return ChunkCheck(None, remark)
    saved = record_of_final_policy()
    if saved is None:
        return ChunkCheck(None, remark)
    failure = non_finite_message(saved)
    if failure is not None:
        return ChunkCheck(failure)
    return ChunkCheck(None, joined(remark, guard.check(saved, "the policy that is saved")))


def non_finite_message(record: Record) -> str | None:
    """A message about the first number that is not finite, if there is one.

    Terms come first, since they make everything after them so.
    """
    order = sorted(record, key=lambda name: not name.startswith("reward/"))
    name = next((name for name in order if not np.isfinite(record[name])), None)
    if name is None:
        return None
    step = record["step"]
    if name.startswith("reward/"):
        term = name.removeprefix("reward/")
        return f"the reward term {term!r} is not finite by step {step:,}; mend it"
    return f"{name} is not finite by step {step:,}; lower the learning rate"
