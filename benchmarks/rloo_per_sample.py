"""How near RLOO comes to π* with a number of samples, on problems that are enumerated.

    python benchmarks/rloo_per_sample.py
    python benchmarks/rloo_per_sample.py --learning-rate 0.006 --environments 64

Five problems of six tokens and length five at c = 1, whose random priors and rewards differ, with
five seeds each. Printed are KL(π‖π*) in nats a sequence, from the enumeration, after each number of
sequences (each a run of its own, whose learning rate decays to its end): the mean over problems and
seeds, and the lowest and highest mean of a problem.
"""

from __future__ import annotations

import argparse
import statistics

from seqtutor.proof import exact
from seqtutor.proof.problems import Problem, enumeration
from seqtutor.task import Task
from seqtutor.training.run import run_tutor
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

LENGTH, C = 5, 1.0
SETTINGS = ("learning_rate", "learning_rate_final_share", "environments", "gradient_norm")


def divergence(
    problem: Problem, task: Task, samples: int, seed: int, changes: dict[str, float]
) -> float:
    """KL(π‖π*) of a run of so many sequences."""
    settings = TutorSettings.of(
        "rloo", c=C, steps=samples * LENGTH, seed=seed, log_every=samples * LENGTH, **changes
    )
    tuned = run_tutor(Tutor(task, problem.prior, settings))
    whole = enumeration(problem)
    best = exact.optimum(whole, c=C).log_policy
    return exact.kl_divergence(whole, exact.policy_table(whole, tuned.policy), best)


def main() -> None:
    """Print a row for each number of samples."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[50_000, 100_000])
    parser.add_argument("--problems", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    for name in SETTINGS:
        default = getattr(TutorSettings, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = parser.parse_args()
    changes = {name: getattr(options, name) for name in SETTINGS}
    print(", ".join(f"{name} {value:g}" for name, value in changes.items()))
    for samples in options.samples:
        means = []
        for number in range(options.problems):
            problem = Problem("a", 6, LENGTH, False, "each step", C, 1.0, seed=200 + number)
            task = problem.task  # One reward, so that the seeds share a compiled program.
            found = [
                divergence(problem, task, samples, seed, changes) for seed in range(options.seeds)
            ]
            means.append(statistics.mean(found))
        low, high, mean = min(means), max(means), statistics.mean(means)
        print(f"{samples:,} samples: {mean:.4f} nats ({low:.4f} … {high:.4f})", flush=True)


if __name__ == "__main__":
    main()
