"""How near RLOO comes to π* with a number of samples, on problems that are enumerated.

    python benchmarks/rloo_per_sample.py
    python benchmarks/rloo_per_sample.py --learning-rates 0.003 0.01 --baselines regression

Five problems of six tokens and length five at c = 1, whose random priors and rewards differ, with
five seeds each. Printed are KL(π‖π*) in nats a sequence, from the enumeration, after each number of
sequences (each a run of its own, whose learning rate decays to its end): the mean over problems and
seeds, and the lowest and highest mean of a problem. The baseline "whole return" is that of RLOO as
published, and as TRL has it: the mean of the others' returns of whole sequences.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from seqtutor.methods.rloo import BASELINES
from seqtutor.proof import exact
from seqtutor.proof.problems import Problem
from seqtutor.rewards import Reward, compiled, learned
from seqtutor.task import Task
from seqtutor.training.seeds import run_seeds
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from seqtutor.vocabulary import Vocabulary

SIZE, LENGTH, C = 6, 5, 1.0


@learned
def from_table(table: Array, tokens: Array, mask: Array) -> dict[str, Array]:
    """A number for each position, previous token and token; the first has token 0 before it.

    A parameter, so that all problems share a compiled program.
    """
    previous = jnp.concatenate([jnp.zeros_like(tokens[:, :1]), tokens[:, :-1]], axis=1)
    return {"numbers": jnp.where(mask, table[jnp.arange(LENGTH), previous, tokens], 0.0)}


TASK = Task(Vocabulary(tuple(map(str, range(SIZE)))), LENGTH, Reward(from_table))


def divergences(
    number: int, samples: int, seeds: Sequence[int], changes: dict[str, float | str]
) -> list[float]:
    """KL(π‖π*) of a run of so many sequences with each seed, on the problem of a number."""
    problem = Problem("a", SIZE, LENGTH, False, "each step", C, 1.0, seed=200 + number)
    table = np.random.default_rng(problem.seed).normal(size=(LENGTH, SIZE, SIZE))
    steps = samples * LENGTH
    settings = TutorSettings.of("rloo", c=C, steps=steps, log_every=steps, **changes)
    tutor = Tutor(TASK, problem.prior, settings, jnp.asarray(table, jnp.float32))
    reward = Reward(compiled(partial(from_table, tutor.reward_parameters)))
    whole = exact.enumerate_problem(problem.prior, reward, LENGTH)
    best = exact.optimum(whole, c=C).log_policy
    return [
        exact.kl_divergence(whole, exact.policy_table(whole, tuned.policy), best)
        for tuned in run_seeds(tutor, seeds)
    ]


def main() -> None:
    """Print a row for each baseline, learning rate and number of samples."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[50_000, 100_000])
    parser.add_argument("--problems", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--baselines", nargs="+", default=list(BASELINES), choices=BASELINES)
    rates = [TutorSettings.learning_rate]
    parser.add_argument("--learning-rates", type=float, nargs="+", default=rates)
    parser.add_argument("--environments", type=int, default=TutorSettings.environments)
    options = parser.parse_args()
    print("| baseline | learning rate | samples | KL(π‖π*), nats | of the problems |")
    print("| :-- | --: | --: | --: | --: |")
    for samples in options.samples:
        for baseline in options.baselines:
            for rate in options.learning_rates:
                changes = {
                    "baseline": baseline,
                    "learning_rate": rate,
                    "environments": options.environments,
                }
                means = [
                    statistics.mean(divergences(one, samples, range(options.seeds), changes))
                    for one in range(options.problems)
                ]
                found = f"{statistics.mean(means):.4f} | {min(means):.4f} … {max(means):.4f}"
                print(f"| {baseline} | {rate:g} | {samples:,} | {found} |", flush=True)


if __name__ == "__main__":
    main()
