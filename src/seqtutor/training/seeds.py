"""Independent runs that differ in the seed alone, side by side in one compiled program.

One policy leaves most of a GPU idle, so that a batch of them takes little longer. A CPU gains
nothing: there, runs go to processes, one for each core (`seqtutor tune --seeds`), or one after the
other through one compiled program. Every run is the one that `seqtutor.training.run` makes of its
seed, up to the rounding of matrix products, which are computed in batches here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.settings import require, require_seed
from seqtutor.training.iteration import iterate
from seqtutor.training.metrics import HostMetrics, Metrics
from seqtutor.training.plan import TutorState
from seqtutor.training.run import (
    DivergedError,
    Guard,
    Record,
    Tuned,
    check_chunk,
    chunk_lengths,
    ended_by_caller,
    joined,
    record_of,
    record_of_final_policy,
)
from seqtutor.training.tutor import Tutor, in_calls
from seqtutor.training.watching import watched

EVERYWHERE, BY_SEED = PartitionSpec(), PartitionSpec("seeds")


@dataclass(frozen=True)
class SeedProgress:
    """Where the run of one seed stands after a chunk.

    Its record and remark are those of `seqtutor.training.run.Progress`, the seconds being those of
    all seeds together; `policy` is there once the run has ended.
    """

    seed: int
    record: Record
    remark: str | None = None
    policy: SequenceModel | None = None


OnSeedRecord = Callable[[int, Record], object]
"""Is given each record with its seed; the run of a seed ends where it returns False."""


def seed_chunks(
    tutor: Tutor, seeds: Sequence[int], on_record: OnSeedRecord = lambda seed, record: None
) -> Iterator[SeedProgress]:
    """Run a tutor with every seed to its end, giving each seed's record after each chunk.

    The seed in the tutor's settings does not count. A run that its guards or `on_record` stop, or
    that diverges, ends alone; the others go on.

    Raises:
        UserError: if the reward has a memory, which the seeds would share, or the model is
            inconsistent.
        DivergedError: after all the others have ended, if the loss or a reward term of a seed was
            not finite; it names the seed.
    """
    require(
        not tutor.task.reward.has_memory,
        "the reward has a memory, which seeds in one program would share; run them one after the "
        "other, or in processes",
    )
    tutor.require_consistent_model()
    states = initial_states(tutor, seeds)
    guards = {seed: Guard(tutor.settings) for seed in seeds}
    diverged: DivergedError | None = None
    start, done = time.perf_counter(), 0
    for iterations in chunk_lengths(tutor):
        last_good = jax.tree.map(jnp.copy, states.network)
        states, metrics = watched(tutor, partial(advance_seeds, tutor, states, iterations))
        done += iterations
        for row, seed in enumerate(seeds):
            if seed not in guards:
                continue
            own = {name: numbers[row] for name, numbers in metrics.items()}
            record = record_of(own, done * tutor.steps_per_iteration, start)
            is_last = done == tutor.iterations
            checked = check_chunk(
                guards[seed],
                record,
                partial(_of_saved, tutor, last_good, states, row),
                is_last=is_last,
            )
            if checked.failure is not None:
                good = tutor.policy(_row(last_good, row))
                diverged = diverged or DivergedError(f"seed {seed}: {checked.failure}", good, seed)
                del guards[seed]
                continue
            goes_on = on_record(seed, record) is not False
            has_ended = guards[seed].stops or is_last or not goes_on
            policy = tutor.policy(_row(states.network, row)) if has_ended else None
            if has_ended:
                del guards[seed]
            of_caller = None if goes_on else ended_by_caller(record["step"])
            beforehand = tutor.remark if done == iterations else None
            remark = joined(beforehand, checked.remark, of_caller)
            yield SeedProgress(seed, record, remark, policy)
        if not guards:
            break
    if diverged is not None:
        raise diverged


def run_seeds(
    tutor: Tutor,
    seeds: Sequence[int],
    on_record: OnSeedRecord = lambda seed, record: None,
) -> list[Tuned]:
    """Run a tutor with every seed to its end; what comes back is in the order of the seeds.

    `on_record` is that of `seed_chunks`.

    Raises:
        UserError, DivergedError: as `seed_chunks` does.
    """
    records: dict[int, list[Record]] = {seed: [] for seed in seeds}
    remarks: dict[int, list[str]] = {seed: [] for seed in seeds}
    policies: dict[int, SequenceModel] = {}
    for progress in seed_chunks(tutor, seeds, on_record):
        records[progress.seed].append(progress.record)
        if progress.remark:
            remarks[progress.seed].append(progress.remark)
        if progress.policy is not None:
            policies[progress.seed] = progress.policy
    return [Tuned(policies[seed], records[seed], remarks[seed]) for seed in seeds]


def initial_states(tutor: Tutor, seeds: Sequence[int]) -> TutorState:
    """The initial state of each seed; every array has the seeds as its first axis.

    Raises:
        UserError: if there is no seed, one is given twice, or one is out of range.
    """
    require(len(seeds) > 0, "there must be at least one seed")
    require(len(set(seeds)) == len(seeds), "every seed can be given only once")
    for seed in seeds:
        require_seed("seed", seed)
    one = tutor.initial_state()
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    states = jax.vmap(lambda key: eqx.tree_at(lambda state: state.key, one, key))(keys)
    return jax.device_put(states, NamedSharding(_mesh(len(seeds)), BY_SEED))


def advance_seeds(
    tutor: Tutor, states: TutorState, iterations: int
) -> tuple[TutorState, HostMetrics]:
    """Run some iterations of every seed; each metric comes back as `Float["seeds iterations"]`.

    The given states' memory is used up.
    """
    fixed = tutor.compiled_part(), tutor.prior, tutor.reward_parameters
    return in_calls(partial(_advance_seeds, *fixed), states, iterations)


def _iterate_seeds(
    tutor: Tutor,
    prior: SequenceModel,
    reward_parameters: Any,
    states: TutorState,
    iterations: Int[Array, ""],
) -> tuple[TutorState, Metrics]:
    """`iterate` for a batch of states, each device for its share."""

    def share(
        prior: SequenceModel,
        reward_parameters: Any,
        states: TutorState,
        iterations: Int[Array, ""],
    ) -> tuple[TutorState, Metrics]:
        return jax.vmap(lambda state: iterate(tutor, prior, reward_parameters, state, iterations))(
            states
        )

    shares = jax.shard_map(
        share,
        mesh=_mesh(states.iteration.shape[0]),
        in_specs=(EVERYWHERE, EVERYWHERE, BY_SEED, EVERYWHERE),
        out_specs=BY_SEED,
        check_vma=False,
    )
    return shares(prior, reward_parameters, states, iterations)


_advance_seeds = jax.jit(_iterate_seeds, static_argnums=0, donate_argnums=3)


def _mesh(seeds: int) -> Mesh:
    """As many devices as can have equal shares of the seeds."""
    devices = jax.local_devices()
    shares = max(n for n in range(1, len(devices) + 1) if seeds % n == 0)
    return Mesh(np.array(devices[:shares]), ("seeds",))


def _of_saved(
    tutor: Tutor, before: ActionValueNetwork, states: TutorState, row: int
) -> Record | None:
    """The record of the policy that one seed ends with, unless the last chunk's speaks for it."""
    networks = _row(before, row), _row(states.network, row)
    return record_of_final_policy(tutor, *networks, states.key[row], states.iteration[row])


def _row(networks: ActionValueNetwork, row: int) -> ActionValueNetwork:
    """The network of one seed, in memory of its own."""
    return jax.tree.map(lambda array: array[row], networks)
