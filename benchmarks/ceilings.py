"""What the machine can do, what an update must do, and how near the one comes to the other.

    python benchmarks/ceilings.py
    python benchmarks/ceilings.py --priors melody --rounds 3
    XLA_FLAGS=--xla_cpu_multi_thread_eigen=false python benchmarks/ceilings.py --clock processor

In one run, in turns: the matrix products of an update alone (each of its shapes, by XLA, from the
same memory again and again), a large matrix product, a copy of a large array, and the update
itself, of Ψ by its defaults on a full replay. Operations and bytes are counted twice: by the
formulas of `Counts`, which hold for an LSTM of one layer, and by XLA's cost analysis of the same
update. XLA counts the body of a loop once, so that its count is taken of the program with its loops
over time unrolled, before it is optimised: its bytes are those of every operation on its own, an
upper bound where the formula gives a lower one.

The share of the products' ceiling is the time that the update's matrix products take alone over
the time of the update: what is left for everything else (gates, gathers, losses, Adam) is the rest.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal
from unittest import mock

import equinox as eqx
import jax
import jax.numpy as jnp
import tyro

from seqtutor.methods import psi
from seqtutor.methods.base import Experience
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import SavedModel
from seqtutor.rewards import compiled
from seqtutor.runs.speed import Measurement, Shape, Work, operations_of, product
from seqtutor.task import Task
from seqtutor.training.iteration import learn
from seqtutor.training.plan import TutorState
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


@dataclass(frozen=True)
class Options:
    """Measure the ceilings and the update."""

    priors: tuple[Literal["melody", "molecule"], ...] = ("melody", "molecule")
    """The melodies' 100 cells, the molecules' 256."""
    batch: int = psi.METHOD.settings.batch
    """Sequences in an update."""
    rounds: int = 7
    """Turns of each measurement; the median counts."""
    seconds: float = 0.3
    """Of each measurement, at least."""
    large: int = 2048
    """Rows and columns of the large product."""
    megabytes: int = 256
    """Of the array that is copied."""
    clock: Literal["wall", "processor"] = "wall"
    """What tells the time; the processor's does not count what other programs take, and means
    something with one thread alone."""


def copy(megabytes: int) -> Measurement:
    """Reading a large array and writing another."""
    numbers = jnp.ones(megabytes * 2**18)
    double = jax.jit(lambda array: 2 * array)
    double(numbers).block_until_ready()
    return Measurement(lambda: double(numbers).block_until_ready())


@compiled
def nothing(tokens: jax.Array, mask: jax.Array) -> dict[str, jax.Array]:
    """A reward that is not asked."""
    del mask
    return {"nothing": jnp.zeros(tokens.shape)}


@dataclass(frozen=True)
class Counts:
    """What one update must do, for an LSTM of one layer.

    Attributes:
        work: the sizes.
        hidden: cells of the layer.
        parameters: numbers that are trained.
    """

    work: Work
    hidden: int
    parameters: int

    @classmethod
    def of(cls, tutor: Tutor, state: TutorState) -> Counts:
        """Those of a tutor's update."""
        trained = jax.tree.leaves(eqx.filter(state.network, eqx.is_inexact_array))
        parameters = sum(leaf.size for leaf in trained)
        return cls(Work.of(tutor, state), tutor.prior.feature_size, parameters)

    @property
    def outputs(self) -> int:
        """The vocabulary and the value."""
        return self.work.products[-2][1] + 1

    @property
    def products(self) -> dict[Shape, int]:
        """Shapes of the matrix products, with how often each comes.

        Step by step the networks go forward and the gradient goes back; the weight gradient is one
        product over all steps (`seqtutor.models.recurrence`).
        """
        work, gates = self.work, 4 * self.hidden
        rows = work.batch * work.time
        return {
            (work.batch, self.hidden, gates): work.networks * work.time,
            (work.batch, gates, self.hidden): work.time,
            (self.hidden, rows, gates): 1,
            (rows, self.hidden, self.outputs): work.networks,
            (rows, self.outputs, self.hidden): 1,
            (self.hidden, rows, self.outputs): 1,
        }

    @property
    def bytes(self) -> int:
        """What must be read and written if nothing but the weights stays in the cache.

        A cell and step: 4 projected inputs in; 4 gates, the cell and the hidden output out; back:
        these 4 gates, both cells and the output's gradient in, 4 gradients out; these and the
        output in for the weights, and again for the rows of tokens; the target's 4 inputs in and
        its output out. Then for each output forward and back, and nine numbers a parameter for
        Adam and the target.
        """
        work = self.work
        cell = (4 + 6) + (4 + 2 + 1 + 4) + (4 + 1) + 4 + (4 + 1) * (work.networks - 1)
        rows = work.batch * work.time
        return 4 * (rows * (cell * self.hidden + 4 * self.outputs) + 9 * self.parameters)


@dataclass(frozen=True)
class Update:
    """The update of one prior: the program, its state, what it must do."""

    tutor: Tutor
    state: TutorState
    counts: Counts

    @classmethod
    def of(cls, saved: SavedModel, length: int, batch: int) -> Update:
        """Ψ by its defaults, with a replay that is full of random sequences."""
        tutor = Tutor(
            Task(saved.vocabulary, length, nothing),
            saved.model,
            TutorSettings.of("psi", batch=batch),
        )
        state = tutor.initial_state()
        full = eqx.tree_at(lambda s: s.replay, state, full_replay(tutor, state))
        return cls(tutor, full, Counts.of(tutor, state))

    def measurement(self) -> Measurement:
        """All updates that follow a collection, as one program."""
        run = jax.jit(lambda state, key: learn(self.tutor, self.tutor.prior, state, key))
        key = jax.random.key(0)
        jax.block_until_ready(run(self.state, key))
        times = self.tutor.updates
        return Measurement(lambda: jax.block_until_ready(run(self.state, key)), times)

    def counted_by_xla(self) -> dict[str, float]:
        """XLA's own count of one update, its loops over time unrolled."""
        one = replace(self.tutor, settings=self.tutor.settings.with_changes(updates=1))
        with unrolled():
            lowered = jax.jit(lambda state, key: learn(one, one.prior, state, key)).lower(
                self.state, jax.random.key(0)
            )
        counted = lowered.cost_analysis()
        assert counted is not None
        return counted


def full_replay(tutor: Tutor, state: TutorState) -> Any:
    """A replay with something in every row."""
    shape = (tutor.replay_capacity, tutor.task.max_length)
    size = tutor.task.vocabulary.size
    experience = Experience(
        jax.random.randint(jax.random.key(1), shape, 0, size),
        jnp.ones(shape, bool),
        jnp.zeros(shape),
        jnp.full(shape, -jnp.log(size)),
        jnp.full((*shape, size), -jnp.log(size)) if tutor.keeps_whole_prior else None,
    )
    filled = jnp.asarray(tutor.replay_capacity, jnp.int32)
    return replace(state.replay, stored=experience, filled=filled)


@contextmanager
def unrolled() -> Iterator[None]:
    """Within, every `scan` is written out step by step."""
    scan = jax.lax.scan
    with mock.patch.object(jax.lax, "scan", functools.partial(scan, unroll=True)):
        yield


def load(prior: str) -> tuple[SavedModel, int]:
    """A prior of the package and the length of its sequences."""
    from seqtutor.runs.policies import load_prior
    from seqtutor.task_registry import find_spec

    saved = load_prior(find_spec(prior))
    return saved, saved.origin.get("max_length", 32)


def report(
    prior: str, update: Update, taken: float, alone: dict[Shape, float], peak: float
) -> None:
    """Print what one prior's update does and reaches."""
    counts, work = update.counts, update.counts.work
    xla = update.counted_by_xla()
    model: SequenceModel = update.tutor.prior
    print(
        f"\n{prior}: {model.feature_size} cells, {work.batch} sequences of {work.time}, "
        f"{counts.parameters:,} parameters"
    )
    print(f"  {'matrix products':<28}{'times':>6}{'Gflop/s alone':>16}{'ms in all':>12}")
    products = 0.0
    for shape, times in counts.products.items():
        milliseconds = 1e3 * times * alone[shape]
        products += milliseconds
        rate = operations_of(shape) / alone[shape] / 1e9
        name = " × ".join(map(str, shape))
        print(f"  {name:<28}{times:>6}{rate:>16.1f}{milliseconds:>12.2f}")
    operations = work.operations_per_update
    rate = operations / taken / 1e9
    rows = {
        "operations, by formula": f"{operations / 1e6:,.1f} million",
        "operations, by XLA": f"{xla['flops'] / 1e6:,.1f} million, and "
        f"{xla.get('transcendentals', 0) / 1e6:,.1f} million transcendental",
        "bytes, at least": f"{counts.bytes / 1e6:,.1f} million",
        "bytes, by XLA unfused": f"{xla['bytes accessed'] / 1e6:,.1f} million",
        "the update": f"{1e3 * taken:.2f} ms, {rate:.1f} Gflop/s, "
        f"{counts.bytes / taken / 1e9:.1f} GB/s at least",
        "share of its products' speed": f"{100 * products / (1e3 * taken):.0f} %",
        "share of the large product's": f"{100 * rate / peak:.0f} %",
    }
    for name, value in rows.items():
        print(f"  {name:<30}{value}")


def main(options: Options) -> None:
    """Measure everything in turns and print it."""
    updates = {name: Update.of(*load(name), options.batch) for name in options.priors}
    large = (options.large,) * 3
    shapes = {shape for update in updates.values() for shape in update.counts.products}
    measurements: dict[object, Measurement] = {shape: product(shape) for shape in {large, *shapes}}
    measurements["copy"] = copy(options.megabytes)
    measurements |= {name: update.measurement() for name, update in updates.items()}
    for _ in range(options.rounds):
        for measurement in measurements.values():
            measurement.clock = CLOCKS[options.clock]
            measurement.measure(options.seconds)
    peak = operations_of(large) / measurements[large].median / 1e9
    moved = 2 * options.megabytes * 2**20 / measurements["copy"].median / 1e9
    device = jax.devices()[0]
    print(f"{device.platform} {device.device_kind}, JAX {jax.__version__}, {options.rounds} rounds")
    print(f"large product, {options.large} × {options.large}: {peak:.1f} Gflop/s in float32")
    print(f"copy of {options.megabytes} MiB: {moved:.1f} GB/s read and written")
    alone = {shape: measurements[shape].median for shape in shapes}
    for name, update in updates.items():
        report(name, update, measurements[name].median, alone, peak)


if __name__ == "__main__":
    main(tyro.cli(Options))
