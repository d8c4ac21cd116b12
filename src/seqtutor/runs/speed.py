"""How fast a tutor's loop runs, and how fast this machine could at most do its matrix products."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp

from seqtutor.training.plan import TutorState
from seqtutor.training.tutor import Tutor

Shape = tuple[int, int, int]
"""Rows, inner size and columns of a matrix product."""

CHAIN_OPERATIONS = 2e8
"""Of a chain of products, so that starting it takes no time that counts."""


def operations_of(shape: Shape) -> int:
    """Multiplications and additions of a product."""
    rows, inner, columns = shape
    return 2 * rows * inner * columns


def operations_in(products: Mapping[Shape, int]) -> int:
    """Multiplications and additions of products that each come so often."""
    return sum(operations_of(shape) * times for shape, times in products.items())


@dataclass(frozen=True)
class Counts:
    """What one update must do, for an LSTM of one layer.

    Attributes:
        batch, time, hidden, outputs: sizes; the outputs are the vocabulary and the value.
        parameters: numbers that are trained.
        networks: that read the batch: the one that learns, and a target where there is one.
    """

    batch: int
    time: int
    hidden: int
    outputs: int
    parameters: int
    networks: int = 2

    @classmethod
    def of(cls, tutor: Tutor, state: TutorState) -> Counts:
        """Those of a tutor's update."""
        trained = jax.tree.leaves(eqx.filter(state.network, eqx.is_inexact_array))
        return cls(
            tutor.batch,
            tutor.task.max_length,
            tutor.prior.feature_size,
            tutor.task.vocabulary.size + 1,
            sum(leaf.size for leaf in trained),
            1 if tutor.method.target is None else 2,
        )

    @property
    def products(self) -> dict[Shape, int]:
        """Shapes of the matrix products, with how often each comes.

        Step by step the networks go forward and the gradient goes back; the weight gradient is one
        product over all steps (`seqtutor.models.recurrence`).
        """
        gates, rows = 4 * self.hidden, self.batch * self.time
        return {
            (self.batch, self.hidden, gates): self.networks * self.time,
            (self.batch, gates, self.hidden): self.time,
            (self.hidden, rows, gates): 1,
            (rows, self.hidden, self.outputs): self.networks,
            (rows, self.outputs, self.hidden): 1,
            (self.hidden, rows, self.outputs): 1,
        }

    @property
    def operations(self) -> int:
        """Multiplications and additions of the matrix products."""
        return operations_in(self.products)

    @property
    def bytes(self) -> int:
        """What must be read and written if nothing but the weights stays in the cache.

        A cell and step: 4 projected inputs in; 4 gates, the cell and the hidden output out; back:
        these 4 gates, both cells and the output's gradient in, 4 gradients out; these and the
        output in for the weights, and again for the rows of tokens; the target's 4 inputs in and
        its output out. Then for each output forward and back, and nine numbers a parameter for
        Adam and the target.
        """
        cell = (4 + 6) + (4 + 2 + 1 + 4) + (4 + 1) + 4 + (4 + 1) * (self.networks - 1)
        rows = self.batch * self.time
        return 4 * (rows * (cell * self.hidden + 4 * self.outputs) + 9 * self.parameters)


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
    """What was measured of a loop, in turns with the matrix product of its layer.

    Attributes:
        environment_steps_per_second, learned_transitions_per_second: collecting and learning in
            turns.
        gflop_per_second: operations of the loop's matrix products, in units of 10^9.
        ceiling_gflop_per_second: the same of the product of the layer's shape, alone.
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
        self.counts = Counts.of(tutor, self.state)
        self.advance()
        self.first_seconds = time.perf_counter() - start

    def advance(self) -> None:
        """One chunk, to its end."""
        self.state, _ = jax.block_until_ready(self.tutor.advance(self.state, self.iterations))

    @property
    def layer(self) -> Shape:
        """The product of one step of one batch."""
        return self.counts.batch, self.counts.hidden, 4 * self.counts.hidden

    @property
    def transitions(self) -> int:
        """That one iteration learns from."""
        return self.tutor.updates * self.counts.batch * self.counts.time

    @property
    def operations(self) -> int:
        """Of the matrix products of one iteration: the prior and the policy collect, one learns."""
        counts, settings = self.counts, self.tutor.settings
        environments, hidden = settings.environments, counts.hidden
        collected = {
            (environments, hidden, 4 * hidden): 2 * counts.time,
            (environments, hidden, counts.outputs): 2 * counts.time,
        }
        return operations_in(collected) + self.tutor.updates * counts.operations


def measure_loop(tutor: Tutor, *, iterations: int, rounds: int, seconds: float) -> LoopSpeed:
    """The loop and the product of its layer's shape, in turns, the median of the rounds.

    Args:
        tutor: of any task; its prior has one LSTM layer.
        iterations: collections with their updates in each chunk.
        rounds: turns.
        seconds: of each turn of each, at least.
    """
    loop = Loop(tutor, iterations)
    whole, alone = Measurement(loop.advance, iterations), product(loop.layer)
    for _ in range(rounds):
        alone.measure(seconds / 4)
        whole.measure(seconds)
    return LoopSpeed(
        environment_steps_per_second=tutor.steps_per_iteration / whole.median,
        learned_transitions_per_second=loop.transitions / whole.median,
        gflop_per_second=loop.operations / whole.median / 1e9,
        ceiling_gflop_per_second=operations_of(loop.layer) / alone.median / 1e9,
        spread=max(whole.spread, alone.spread),
        first_seconds=loop.first_seconds,
    )
