"""How long each method takes to come within half a nat of log Z, on melodies at c = 10 and γ = 1.

The headline benchmark: every method whose fixed point at γ = 1 is π*, with the settings of `WAYS`;
then the papers' own algorithm (`papers_algorithm.py`) and the same in eager PyTorch
(`pytorch_comparison.py`, which says how to install it), one after the other in one process.

    python benchmarks/time_to_optimum.py
    python benchmarks/time_to_optimum.py --only G RLOO --budget 60

A policy is looked at `LOOKS` times: its objective J, of melodies drawn anew at each look, is taken
from log Z, which is known. A way ends with the first look at which the whole 95 % interval of that
distance is within the goal, with its schedule, or with the first look after the budget. Neither
compiling nor looking is counted. Where others use the machine, the processor's seconds, of all
threads, are the fair figure.
"""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import tyro

import papers_algorithm
from seqtutor.measures.estimates import mean_estimate
from seqtutor.measures.intervals import Interval, interval_of
from seqtutor.measures.sampling import draw
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import load_model
from seqtutor.models.lstm import LSTM
from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
from seqtutor.tasks.melody.task import melody_task
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

C, DISCOUNT, LENGTH = 10.0, 1.0, 32
LOG_Z = 5.66
"""5.65 … 5.68, with an effective size of 72,600 (docs/optimum.md)."""
LOOKS = 8
LOOK, SURE = 1024, 4096
"""Melodies of a look, and of the one that decides."""
INFORMED = {"network": "task", "optimiser": "muon", "learning_rate": 0.01}
"""The task's network."""


@dataclass(frozen=True)
class Options:
    """Measure every way."""

    goal: float = 0.5
    """Nats below log Z."""
    budget: float = 240.0
    """Seconds of the processor, of all threads together, after which a way is given up."""
    only: tuple[str, ...] = ()
    """Names of the ways to measure; all if there are none."""


class Way(ABC):
    """Something that trains a policy in turns, of which the first is made to compile it."""

    @abstractmethod
    def compile(self) -> None:
        """Do what is done once."""

    @abstractmethod
    def advance(self) -> int:
        """One of `LOOKS` turns; gives the environment steps made since the beginning."""

    @abstractmethod
    def policy(self) -> SequenceModel:
        """What has been learned."""


class Package(Way):
    """The package's loop."""

    def __init__(self, method: str, steps: int, **changes: Any) -> None:
        settings = TutorSettings.of(method, c=C, discount=DISCOUNT, steps=steps, **changes)
        self.tutor = Tutor(melody_task(), load_model(SHIPPED_PRIOR).model, settings)
        self.looks = 0

    def compile(self) -> None:
        """One iteration, which is thrown away."""
        self.tutor.advance(self.tutor.initial_state(), 1)
        self.state = self.tutor.initial_state()

    def advance(self) -> int:
        """A share of the schedule."""
        done, self.looks = int(self.state.iteration), self.looks + 1
        until = self.looks * self.tutor.iterations // LOOKS
        self.state, _ = jax.block_until_ready(self.tutor.advance(self.state, until - done))
        return until * self.tutor.steps_per_iteration

    def policy(self) -> SequenceModel:
        """The tuned model."""
        return self.tutor.policy(self.state.network)


class Papers(Way):
    """The papers' own algorithm, compiled."""

    def __init__(self, method: Any, steps: int) -> None:
        self.options = papers_algorithm.Options(method, steps, c=C, discount=DISCOUNT)
        self.prior = load_model(SHIPPED_PRIOR).model
        self.optimiser = papers_algorithm.optimiser_of(self.options)
        self.learner = papers_algorithm.first_learner(self.options, self.prior)

    def _advanced(self) -> papers_algorithm.Learner:
        melodies = self.options.steps // LENGTH // LOOKS
        learner, _ = papers_algorithm.advance(
            self.options, self.prior, self.learner, self.optimiser, melodies
        )
        return jax.block_until_ready(learner)

    def compile(self) -> None:
        """A turn, which is thrown away."""
        self._advanced()

    def advance(self) -> int:
        """A share of the schedule of ε."""
        self.learner = self._advanced()
        return int(self.learner.melodies) * LENGTH

    def policy(self) -> SequenceModel:
        """The network, with the prior if it stands beside it."""
        return papers_algorithm.policy_of(self.options, self.prior, self.learner)


class Eager(Way):
    """The papers' algorithm, Ψ, in eager PyTorch with as many threads as serve it best."""

    def __init__(self, budget: float) -> None:
        import pytorch_comparison

        self.options = pytorch_comparison.Options(c=C, discount=DISCOUNT)
        prior = load_model(SHIPPED_PRIOR).model
        assert isinstance(prior, LSTM)
        self.prior, self.seconds = prior, budget / LOOKS
        self.begin = partial(pytorch_comparison.EagerTutor, self.options, prior)
        self.best_threads = pytorch_comparison.best_threads

    def compile(self) -> None:
        """Choose the threads."""
        tutor = self.begin()
        self.best_threads(lambda: tutor.run(self.options.seconds))
        self.tutor = self.begin()

    def advance(self) -> int:
        """A share of the budget."""
        until = time.process_time() + self.seconds
        while time.process_time() < until:
            self.tutor.run(0.5)
        return self.tutor.replay.added

    def policy(self) -> SequenceModel:
        """The network, as the package's model."""
        return self.tutor.network.as_model(self.prior)


WAYS: dict[str, Callable[[], Way]] = {
    "G": partial(Package, "g", 500_000, **INFORMED),
    "Ψ": partial(Package, "psi", 500_000, **INFORMED),
    "RLOO": partial(Package, "rloo", 800_000, environments=16, **INFORMED),
    "PPO": partial(Package, "ppo", 600_000, **INFORMED),
    "GRPO": partial(Package, "grpo", 600_000, **INFORMED),
    "Path": partial(Package, "path", 600_000, **INFORMED),
    "the papers' Ψ, compiled": partial(Papers, "psi", 400_000),
}
"""The methods whose fixed point at γ = 1 is π*; the others aim elsewhere."""


def distance(policy: SequenceModel, number: int, seed: int) -> Interval:
    """Nats below log Z.

    The log-weights r/c + log p − log π of a policy's melodies have J as their mean, and are all
    log Z at the optimum: near it they tell J by fewer melodies than a KL that is exact at each
    step does.
    """
    task = melody_task()
    samples = draw(
        policy,
        load_model(SHIPPED_PRIOR).model,
        number=number,
        length=LENGTH,
        seed=seed,
        reward=task.reward,
        batch=LOOK,
    )
    assert samples.reward is not None
    weights = samples.reward.astype(np.float64) / C + samples.log_prior - samples.log_policy
    value, low, high = interval_of(mean_estimate(weights))
    return Interval(LOG_Z - value, LOG_Z - high, LOG_Z - low)


@dataclass
class Clock:
    """Seconds of the wall and of the processor, of all threads, that some work took."""

    wall: float = 0.0
    processor: float = 0.0

    def time(self, work: Callable[[], Any]) -> Any:
        """Do it, and add what it took."""
        wall, processor = time.perf_counter(), time.process_time()
        result = work()
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor
        return result


def measure(name: str, way: Way, options: Options) -> str:
    """Train and look in turns; gives a row of the table."""
    compiling, tuning, steps = Clock(), Clock(), 0
    compiling.time(way.compile)
    for look in range(LOOKS):
        steps = tuning.time(way.advance)
        found = distance(way.policy(), LOOK, 2 * look)
        is_last = look == LOOKS - 1 or tuning.processor > options.budget
        if found.value <= options.goal or is_last:
            found = distance(way.policy(), SURE, 2 * look + 1)
        print(f"{name}: {steps:,} steps, {tuning}, {found}", file=sys.stderr, flush=True)
        if found.high <= options.goal or is_last:
            break
    is_reached = "yes" if found.high <= options.goal else "no"
    spent = f"{tuning.processor:.0f} | {tuning.wall:.0f} | {compiling.processor:.0f}"
    nats = f"{found.value:.2f} ({found.low:.2f} … {found.high:.2f})"
    return f"| {name} | {is_reached} | {steps:,} | {spent} | {nats} |"


def main(options: Options) -> None:
    """Print the table."""
    ways = WAYS | {"the papers' Ψ in eager PyTorch": partial(Eager, options.budget)}
    print(f"| | within {options.goal:g} | steps | CPU s | wall s | CPU s to compile | nats |")
    print("| :-- | :-- | --: | --: | --: | --: | --: |", flush=True)
    for name in options.only or ways:
        print(measure(name, ways[name](), options), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
