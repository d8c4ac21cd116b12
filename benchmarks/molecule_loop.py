"""How fast molecules go through the whole loop: sampling, scoring by RDKit, and learning.

For each method, batch, reward and number of worker processes: seconds a step (a batch of strings
generated, scored and learned from), strings a second, and the share of the three parts. Scoring is
timed around the reward's call, sampling alone, and learning is the rest. Strings that were met
before are not scored again; the share of new ones is printed. Methods with a replay learn while the
workers score; for the shares they do one after the other, and "meanwhile" is the speed as it is.

    python benchmarks/molecule_loop.py --methods rloo psi --batches 128 512

`benchmarks/molecule_scoring.py` measures the scoring alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import tyro

from seqtutor.rewards import Reward
from seqtutor.runs.policies import load_prior
from seqtutor.task import Task
from seqtutor.tasks.molecule.reward import MoleculeReward
from seqtutor.tasks.molecule.spec import spec
from seqtutor.training.plan import TutorState
from seqtutor.training.rollout import sample
from seqtutor.training.settings import TutorSettings, applicable_settings
from seqtutor.training.tutor import Tutor

TITLES = ("", "s/step", "strings/s", "sampling", "scoring", "learning", "new", "meanwhile")
ROW = "{:44} {:>8} {:>10} {:>9} {:>9} {:>9} {:>6} {:>10}"


@dataclass(frozen=True)
class Options:
    """Measure the loop of molecules."""

    methods: tuple[str, ...] = ("rloo", "psi")
    """Methods of `seqtutor tune`."""
    batches: tuple[int, ...] = (128, 512)
    """Strings generated in a step."""
    presets: tuple[str, ...] = ("qed", "drug-like")
    """Presets of `seqtutor tune molecule`, for their rewards and settings."""
    workers: tuple[int, ...] = (1, 2)
    """Worker processes."""
    steps: int = 20
    """Steps that are measured, after as many that are not."""
    prior: Path | None = None
    """Folder of a prior; the one of the package if not given."""


class Timed:
    """A reward that adds up the seconds of its calls."""

    def __init__(self, reward: MoleculeReward) -> None:
        self.reward, self.seconds = reward, 0.0

    def __call__(self, tokens: Any, mask: Any) -> Mapping[str, Any]:
        start = time.perf_counter()
        terms = self.reward(tokens, mask)
        self.seconds += time.perf_counter() - start
        return terms


def main(options: Options) -> None:
    """Measure and print."""
    saved = load_prior(spec, options.prior)
    length = saved.origin["max_length"]
    for batch in options.batches:
        seconds = seconds_to_sample(saved.model, batch, length, saved.vocabulary.end)
        print(f"sampling alone, batch {batch}: {batch / seconds:,.0f} strings/s")
    print(ROW.format(*TITLES))
    for preset in options.presets:
        for method in options.methods:
            for batch in options.batches:
                for workers in options.workers:
                    measure(options, preset, method, batch, workers)


def seconds_to_sample(model: Any, batch: int, length: int, end: int | None) -> float:
    """A batch's seconds, once compiled: the least of five."""
    draw = jax.jit(lambda key: sample(model, key, batch, length, 1.0, end).tokens)
    times = []
    for seed in range(6):
        start = time.perf_counter()
        draw(jax.random.key(seed)).block_until_ready()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def measure(options: Options, preset: str, method: str, batch: int, workers: int) -> None:
    """Print a row."""
    saved = load_prior(spec, options.prior)
    chosen = spec.preset(preset)
    own, _ = spec.complete(chosen.settings(method), saved)
    length = saved.origin["max_length"]
    changes = {
        **chosen.tutor(method),
        "environments": batch,
        "replay_capacity": 8 * batch,
        "steps": 10 * options.steps * batch * length,
    }
    settings = TutorSettings.of(method, **applicable_settings(method, **changes))
    with spec.task(replace(own, goal=None, calls=None), saved, workers) as task:

        def tutor_with(function: Any) -> Tutor:
            weighted = Reward(function, own.reward.weights)
            return Tutor(Task(saved.vocabulary, length, weighted), saved.model, settings)

        reward = task.reward.function
        assert isinstance(reward, MoleculeReward)
        timed = Timed(reward)
        tutor = tutor_with(timed)
        sampling = options.steps * seconds_to_collect(tutor)
        begin = warmed_up(tutor, options.steps)
        before, timed.seconds = reward.scorer.counts, 0.0
        seconds = seconds_to_advance(tutor, begin, options.steps)
        counts = reward.scorer.counts
        # Of another seed: what was met before is not scored again.
        as_it_is = replace(tutor_with(reward), settings=replace(settings, seed=1))
        meanwhile = seconds
        if as_it_is.learns_meanwhile:
            begin = warmed_up(as_it_is, options.steps)
            meanwhile = seconds_to_advance(as_it_is, begin, options.steps)
    shares = (sampling, timed.seconds, seconds - sampling - timed.seconds)
    new = (counts.computed - before.computed) / (counts.items - before.items)
    print(
        ROW.format(
            f"{preset}, {method}, batch {batch}, {workers} worker(s)",
            f"{seconds / options.steps:.3f}",
            f"{batch * options.steps / seconds:,.0f}",
            *(f"{100 * share / seconds:.0f} %" for share in shares),
            f"{100 * new:.0f} %",
            f"{batch * options.steps / meanwhile:,.0f}" if as_it_is.learns_meanwhile else "–",
        ),
        flush=True,
    )


def warmed_up(tutor: Tutor, steps: int) -> TutorState:
    """A state after some steps, with everything compiled."""
    state, _ = tutor.advance(tutor.initial_state(), steps)
    return jax.block_until_ready(state)


def seconds_to_advance(tutor: Tutor, state: TutorState, steps: int) -> float:
    """Seconds of so many steps."""
    start = time.perf_counter()
    jax.block_until_ready(tutor.advance(state, steps))
    return time.perf_counter() - start


def seconds_to_collect(tutor: Tutor) -> float:
    """Seconds to generate a batch with the policy and the prior beside it."""
    from seqtutor.training.iteration import collect

    network = tutor.initial_state().network
    run = jax.jit(lambda key: collect(tutor, tutor.prior, network, key, jax.numpy.zeros(())).tokens)
    times = []
    for seed in range(6):
        start = time.perf_counter()
        run(jax.random.key(seed)).block_until_ready()
        times.append(time.perf_counter() - start)
    return min(times[1:])


if __name__ == "__main__":
    main(tyro.cli(Options))
