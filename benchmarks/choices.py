"""What each choice for speed is worth: the loop's way and the other ways, in turns.

    XLA_FLAGS=--xla_cpu_multi_thread_eigen=false python benchmarks/choices.py
    python benchmarks/choices.py --only sampling "a record" --clock wall

Sizes are those of the melody task: 100 cells, 32 steps, 64 sequences in an update, 128 collected.
Before anything is timed, the other way must give what the loop's way gives, where it is a matter
of speed alone. Each line is the median over the rounds of the other way's time over ours, with the
middle half of them: above 1, ours is the faster one. One thread and the processor's time make it
hold on a machine that does other work too.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from seqtutor.models.files import load_model
from seqtutor.models.recurrence import LSTMState, lstm_cell, lstm_unroll, split_gates
from seqtutor.runs.speed import Measurement
from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
from seqtutor.tasks.melody.task import melody_task
from seqtutor.training import plan as tutor_plan
from seqtutor.training.iteration import iterate, learn
from seqtutor.training.plan import TutorState
from seqtutor.training.rollout import sample_logits
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

Way = Callable[[], Any]
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
CELLS, STEPS, LEARNED, COLLECTED = 100, 32, 64, 128


@dataclass(frozen=True)
class Options:
    """Measure each choice and print it."""

    only: tuple[str, ...] = ()
    """Choices whose names have one of these in them; all of them if none is given."""
    rounds: int = 9
    """Turns of each way."""
    seconds: float = 0.3
    """Of each turn, at least."""
    clock: Literal["wall", "processor"] = "processor"
    """What tells the time; the processor's means something with one thread alone."""


@dataclass(frozen=True)
class Choice:
    """Ways to do one thing.

    `ours` is the loop's; the `others` have what they do for a name. They `agree` if all give the
    same up to rounding, whenever they are asked.
    """

    ours: Way
    others: Mapping[str, Way]
    agree: bool = True


def normal(seed: int, *shape: int) -> jax.Array:
    """Numbers of about a gate's size."""
    return 0.5 * jax.random.normal(jax.random.key(seed), shape)


def unroll(
    projected: jax.Array, recurrent: jax.Array, cell: Callable[..., LSTMState] = lstm_cell
) -> jax.Array:
    """A layer as a scan that JAX differentiates by itself."""

    def step(state: LSTMState, at: jax.Array) -> tuple[LSTMState, jax.Array]:
        state = cell(state, at, recurrent)
        return state, state.hidden

    zeros = jnp.zeros((projected.shape[1], recurrent.shape[0]))
    return jax.lax.scan(step, LSTMState(zeros, zeros), projected)[1]


def four_products(state: LSTMState, projected: jax.Array, recurrent: jax.Array) -> LSTMState:
    """The cell with a product for each gate."""
    columns = jnp.split(recurrent, 4, axis=1)
    products = [state.hidden @ own for own in columns]
    write, keep, show, candidate = split_gates(projected + jnp.concatenate(products, axis=-1))
    cell = keep * state.cell + write * candidate
    return LSTMState(show * jnp.tanh(cell), cell)


def textbook_gates(state: LSTMState, projected: jax.Array, recurrent: jax.Array) -> LSTMState:
    """The cell with a sigmoid for each of three gates and a tanh for the candidate."""
    write, keep, show, candidate = jnp.split(projected + state.hidden @ recurrent, 4, axis=-1)
    cell = jax.nn.sigmoid(keep) * state.cell + jax.nn.sigmoid(write) * jnp.tanh(candidate)
    return LSTMState(jax.nn.sigmoid(show) * jnp.tanh(cell), cell)


def gradient_of(layer: Callable[..., jax.Array]) -> Callable[..., Any]:
    """Forward and backward through a layer, compiled."""
    direction = normal(3, STEPS, LEARNED, CELLS)
    return jax.jit(jax.grad(lambda *given: jnp.sum(layer(*given) * direction), argnums=(0, 1)))


@contextmanager
def written_out(steps: int) -> Iterator[None]:
    """Within, every `scan` has so many steps in each turn of its loop."""
    with mock.patch.object(jax.lax, "scan", functools.partial(jax.lax.scan, unroll=steps)):
        yield


def the_recurrence() -> dict[str, Choice]:
    """An update's way through its layer, forward and back, and a collection's, forward."""
    given = normal(0, STEPS, LEARNED, 4 * CELLS), normal(1, CELLS, 4 * CELLS)
    back = gradient_of(lstm_unroll)
    longer = {}
    for steps in (2, 4, 8):
        with written_out(steps):
            # A function of its own, so that JAX traces it again.
            compiled = gradient_of(lambda *arrays: lstm_unroll(*arrays)).lower(*given).compile()
        longer[f"{steps} steps in a turn"] = functools.partial(compiled, *given)
    forward = normal(2, STEPS, COLLECTED, 4 * CELLS), given[1]

    def collecting(cell: Callable[..., LSTMState]) -> Way:
        run = jax.jit(lambda *arrays: unroll(*arrays, cell))
        return lambda: run(*forward)

    ours = functools.partial(back, *given)
    apart = gradient_of(unroll)
    return {
        "weight gradient as one product over all steps": Choice(
            ours, {"a product a step, by JAX's own gradient": lambda: apart(*given)}
        ),
        "the loop over time": Choice(ours, longer),
        "one product for four gates": Choice(
            collecting(lstm_cell), {"four products": collecting(four_products)}
        ),
        "one tanh for four gates": Choice(
            collecting(lstm_cell), {"three sigmoids and a tanh": collecting(textbook_gates)}
        ),
    }


def the_inputs() -> dict[str, Choice]:
    """What the first layer reads of the tokens, forward and back."""
    vocabulary = 38
    tokens = jax.random.randint(jax.random.key(0), (STEPS, LEARNED), 0, vocabulary)
    rows, recurrent = normal(1, vocabulary, 4 * CELLS), normal(2, CELLS, 4 * CELLS)

    def looked_up(rows: jax.Array, recurrent: jax.Array) -> jax.Array:
        return lstm_unroll(rows[tokens], recurrent)

    def one_hot(rows: jax.Array, recurrent: jax.Array) -> jax.Array:
        return lstm_unroll(jax.nn.one_hot(tokens, vocabulary) @ rows, recurrent)

    def in_the_loop(rows: jax.Array, recurrent: jax.Array) -> jax.Array:
        def step(state: LSTMState, at: jax.Array) -> tuple[LSTMState, jax.Array]:
            state = lstm_cell(state, jax.nn.one_hot(at, vocabulary) @ rows, recurrent)
            return state, state.hidden

        zeros = jnp.zeros((LEARNED, CELLS))
        return jax.lax.scan(step, LSTMState(zeros, zeros), tokens)[1]

    def way(layer: Callable[..., jax.Array]) -> Way:
        run = gradient_of(layer)
        return lambda: run(rows, recurrent)

    others = {"one-hot product before the loop": way(one_hot)}
    others["one-hot product at each step"] = way(in_the_loop)
    return {"rows of tokens looked up before the loop": Choice(way(looked_up), others)}


def sampling() -> dict[str, Choice]:
    """The tokens of one step of a collection."""
    choices = {}
    for vocabulary in (38, 512):
        logits, key = normal(0, COLLECTED, vocabulary), jax.random.key(1)
        inverse = jax.jit(sample_logits)
        gumbel = jax.jit(lambda logits, key: jax.random.categorical(key, logits))
        choices[f"sampling of {vocabulary} tokens by the inverse distribution"] = Choice(
            functools.partial(inverse, logits, key),
            {"Gumbel": functools.partial(gumbel, logits, key)},
            agree=False,
        )
    return choices


def a_tutor(method: str) -> Tutor:
    """By its defaults."""
    return Tutor(melody_task(), load_model(SHIPPED_PRIOR).model, TutorSettings.of(method))


def the_loop() -> dict[str, Choice]:
    """A record of five iterations of Ψ."""
    tutor, iterations = a_tutor("psi"), 5
    arguments = tutor.compiled_part(), tutor.prior, None
    programs = {
        donated: jax.jit(iterate, static_argnums=0, donate_argnums=3 if donated else ())
        for donated in (True, False)
    }

    def way(calls: int, *, donated: bool = True) -> Way:
        state: list[TutorState] = [tutor.initial_state()]

        def run() -> jax.Array:
            for _ in range(calls):
                state[0], metrics = programs[donated](*arguments, state[0], iterations // calls)
                jax.block_until_ready(metrics)
            return state[0].iteration

        return run

    others = {"a program an iteration": way(iterations)}
    others["state copied, not donated"] = way(1, donated=False)
    return {"a record as one program": Choice(way(1), others, agree=False)}


def the_prior() -> dict[str, Choice]:
    """G's updates, which need the prior's log-probabilities of all tokens."""

    def way(most_bytes: int) -> Way:
        tutor = a_tutor("g")
        with mock.patch.object(tutor_plan, "MOST_PRIOR_BYTES", most_bytes):
            # Not by `advance`, since equal tutors share its program.
            collect = jax.jit(lambda state: iterate(tutor, tutor.prior, None, state, jnp.array(1)))
            state, _ = collect(tutor.initial_state())
            key = jax.random.key(0)
            run = jax.jit(lambda state: learn(tutor, tutor.prior, state, key)[1])
            compiled = run.lower(state).compile()
        return lambda: compiled(state)

    return {
        "the prior's log-probabilities kept in the replay": Choice(
            way(tutor_plan.MOST_PRIOR_BYTES), {"asked of the prior again": way(0)}
        )
    }


def the_rules() -> dict[str, Choice]:
    """The nine rules of a collection."""
    tokens = jax.random.randint(jax.random.key(0), (COLLECTED, STEPS), 0, 38)
    mask = jnp.ones(tokens.shape, bool)
    reward = melody_task().reward
    at_once = jax.jit(lambda: reward(tokens, mask).total)

    @jax.jit
    def by_prefix() -> jax.Array:
        def of(length: jax.Array) -> jax.Array:
            # What comes later does not count: the rules are causal.
            known = jnp.where(jnp.arange(STEPS) < length, tokens, 0)
            return reward(known, mask).total[:, length - 1]

        return jax.lax.map(of, jnp.arange(1, STEPS + 1)).T

    return {"rules of all steps at once": Choice(at_once, {"of each prefix anew": by_prefix})}


GROUPS = (the_recurrence, the_inputs, sampling, the_rules, the_prior, the_loop)


def main(options: Options) -> None:
    """Measure each in turns and print it."""
    print(f"{'choice':<52}{'instead':<44}{'times ours':>12}")
    for group in GROUPS:
        for name, choice in group().items():
            if options.only and not any(part in name for part in options.only):
                continue
            report(name, choice, options)


def report(name: str, choice: Choice, options: Options) -> None:
    """One choice: a line for each other way."""
    for other, way in choice.others.items():
        if choice.agree:
            for one, two in zip(*map(jax.tree.leaves, (choice.ours(), way())), strict=True):
                np.testing.assert_allclose(one, two, rtol=1e-2, atol=1e-3, err_msg=other)
        pair = [
            Measurement(lambda run=run: jax.block_until_ready(run()), clock=CLOCKS[options.clock])
            for run in (choice.ours, way)
        ]
        for _ in range(options.rounds):
            for measurement in pair:
                measurement.measure(options.seconds)
        ratios = [after / before for before, after in zip(*(m.seconds for m in pair), strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        spread = f"({low:.2f} to {high:.2f})"
        print(f"{name:<52}{other:<44}{middle:>9.2f} ×   {spread}", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
