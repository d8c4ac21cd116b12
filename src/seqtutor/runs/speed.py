"""How fast a tutor's loop runs, and how fast this machine could do its matrix products at most."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from seqtutor.models.base import SequenceModel
from seqtutor.training.plan import TutorState
from seqtutor.training.tutor import Tutor

Shape = tuple[int, int, int]
"""Rows, inner size and columns of a matrix product."""

CHAIN_OPERATIONS = 2e8
"""Of a chain of products, so that the time to start it does not count."""


def operations_of(shape: Shape) -> int:
    """Multiplications and additions of a product."""
    rows, inner, columns = shape
    return 2 * rows * inner * columns


@dataclass(frozen=True)
class Work:
    """What the loop of a tutor computes, counted in matrix products alone.

    Attributes:
        environments: sequences that are generated in each iteration.
        batch: sequences in each update.
        time: tokens in a sequence.
        updates: updates in each iteration.
        networks: how many networks read the batch: the one that learns, and a target if there is
            one.
        products: the matrices that the learning network multiplies each token by, as (inner size,
            columns), with the readout of the value.
        prior_products: the same of the prior.
    """

    environments: int
    batch: int
    time: int
    updates: int
    networks: int
    products: tuple[tuple[int, int], ...]
    prior_products: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, tutor: Tutor, state: TutorState) -> Work:
        """The work of a tutor."""
        settings, model = tutor.settings, state.network.model
        return cls(
            environments=settings.environments,
            batch=tutor.batch,
            time=tutor.task.max_length,
            updates=tutor.updates,
            networks=1 if tutor.method.target is None else 2,
            products=(*_sizes(model), (model.feature_size, 1)),
            prior_products=_sizes(tutor.prior),
        )

    @property
    def operations_per_update(self) -> int:
        """Each network goes forward once; the gradients of inputs and of weights take as much."""
        rows = self.batch * self.time
        return (self.networks + 2) * sum(operations_of((rows, *one)) for one in self.products)

    @property
    def operations_per_iteration(self) -> int:
        """The prior and the policy generate, and the policy learns."""
        rows = self.environments * self.time
        both = (*self.products, *self.prior_products)
        collected = sum(operations_of((rows, *one)) for one in both)
        return collected + self.updates * self.operations_per_update

    @property
    def largest_product(self) -> Shape:
        """The largest product of one step of one batch."""
        return max(((self.batch, *one) for one in self.products), key=operations_of)


def _sizes(model: SequenceModel) -> tuple[tuple[int, int], ...]:
    return tuple((matrix.shape[0], matrix.shape[1]) for matrix in model.matrices)


@dataclass
class Measurement:
    """Something that is run again and again.

    Attributes:
        run: does it and waits for its end.
        times: how often a run does it.
        seconds: that each took, a number a round.
        clock: tells the seconds; `time.process_time` is for a machine that does other work too.
    """

    run: Callable[[], object]
    times: int = 1
    seconds: list[float] = field(default_factory=list)
    clock: Callable[[], float] = time.perf_counter

    def measure(self, least: float) -> None:
        """One round of at least so many seconds."""
        runs, start = 0, self.clock()
        while (taken := self.clock() - start) < least:
            self.run()
            runs += 1
        self.seconds.append(taken / runs / self.times)

    @property
    def median(self) -> float:
        """Of the rounds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The longest of the rounds over the shortest."""
        return max(self.seconds) / min(self.seconds)


def product(shape: Shape) -> Measurement:
    """A chain of float32 products of that shape, so that none can be left out."""
    rows, inner, columns = shape
    times = max(1, round(CHAIN_OPERATIONS / operations_of(shape)))
    left = jnp.full((rows, inner), 1e-3)
    right = jnp.full((inner, columns), 1e-3)

    @jax.jit
    def chain(left: jax.Array, right: jax.Array) -> jax.Array:
        def one(left: jax.Array, _: None) -> tuple[jax.Array, None]:
            result = left @ right
            # One number of the result goes on, which costs nothing and needs the whole product.
            return left.at[0, 0].add(1e-9 * jnp.max(result[:1])), None

        return jax.lax.scan(one, left, None, length=times)[0]

    chain(left, right).block_until_ready()
    return Measurement(lambda: chain(left, right).block_until_ready(), times)


@dataclass(frozen=True)
class LoopSpeed:
    """What was measured of a loop, in turns with its largest matrix product.

    Attributes:
        environment_steps_per_second, learned_transitions_per_second: collecting and learning in
            turns.
        gflop_per_second: operations of the loop's matrix products, in units of 10^9.
        ceiling_gflop_per_second: the same of the largest of these products, alone.
        spread: the longest of the rounds over the shortest, of the loop or of the product,
            whichever is more; 1 where nothing else ran on the machine.
        first_seconds: from the start to the end of the first chunk: compiling, or reading what was
            compiled before.
    """

    environment_steps_per_second: float
    learned_transitions_per_second: float
    gflop_per_second: float
    ceiling_gflop_per_second: float
    spread: float
    first_seconds: float

    @property
    def share(self) -> float:
        """Of the ceiling."""
        return self.gflop_per_second / self.ceiling_gflop_per_second


class Loop:
    """A tutor's loop that goes on and on, chunk after chunk."""

    def __init__(self, tutor: Tutor, iterations: int) -> None:
        """Compile it and run the first chunk, of so many iterations."""
        self.tutor = tutor
        self.iterations = iterations
        start = time.perf_counter()
        self.state = tutor.initial_state()
        self.work = Work.of(tutor, self.state)
        self.advance()
        self.first_seconds = time.perf_counter() - start

    def advance(self) -> None:
        """One chunk, to its end."""
        self.state, _ = jax.block_until_ready(self.tutor.advance(self.state, self.iterations))

    @property
    def transitions(self) -> int:
        """Number of transitions that one iteration learns from."""
        return self.work.updates * self.work.batch * self.work.time


def measure_loop(tutor: Tutor, *, iterations: int, rounds: int, seconds: float) -> LoopSpeed:
    """The loop and its largest matrix product, in turns, the median of the rounds.

    Args:
        tutor: of any task and with any model.
        iterations: collections with their updates in each chunk.
        rounds: turns.
        seconds: of each turn of each, at least.
    """
    loop = Loop(tutor, iterations)
    whole, alone = Measurement(loop.advance, iterations), product(loop.work.largest_product)
    for _ in range(rounds):
        alone.measure(seconds / 4)
        whole.measure(seconds)
    return LoopSpeed(
        environment_steps_per_second=tutor.steps_per_iteration / whole.median,
        learned_transitions_per_second=loop.transitions / whole.median,
        gflop_per_second=loop.work.operations_per_iteration / whole.median / 1e9,
        ceiling_gflop_per_second=operations_of(loop.work.largest_product) / alone.median / 1e9,
        spread=max(whole.spread, alone.spread),
        first_seconds=loop.first_seconds,
    )
