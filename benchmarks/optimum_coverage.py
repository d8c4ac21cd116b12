"""How often the bounds on log Z hold on 50 problems whose log Z is known.

    python benchmarks/optimum_coverage.py

Ten problems of each kind of `seqtutor.proof.problems`, with other random numbers each, and for
each of them policies from near the prior to near the optimum, and one that is far from both. Every
policy's bounds are drawn again and again; a bound should hold in at least 97.5 % of the draws,
since both together have a confidence of 95 %. "Exact" takes the samples of π* in the upper bound
from π*, "resampled" from the other samples, as on problems that cannot be enumerated.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from seqtutor.measures.estimates import mean_estimate
from seqtutor.measures.intervals import interval_of
from seqtutor.measures.log_partition import LogPartition, batches_of, log_partition
from seqtutor.proof import exact
from seqtutor.proof.problems import PROBLEMS, enumeration

QUALITIES = {"near the prior": (0.1, 0.3), "halfway": (0.5, 0.3), "near π*": (0.95, 0.1)}
"""The share of the way to π* in log π, and the standard deviation of the noise on it."""
FAR = ("far from both", (-1.0, 1.0))


@dataclass(frozen=True)
class Case:
    """A policy on a problem: log-probabilities and log-weights of every sequence.

    `log_policy`, `log_prior`, `log_target` (log p + r/c) are `Float["sequences"]`.
    """

    log_policy: np.ndarray
    log_prior: np.ndarray
    log_target: np.ndarray

    @property
    def log_z(self) -> float:
        """The sum over all sequences."""
        return float(logsumexp(self.log_target))

    def bounds(
        self, number: int, generator: np.random.Generator, *, is_exact: bool
    ) -> tuple[LogPartition, np.ndarray]:
        """From so many samples of both; and log p + r/c − log π of the policy's own."""

        def drawn(log_probabilities: np.ndarray, size: int) -> np.ndarray:
            weights = np.exp(log_probabilities - logsumexp(log_probabilities))
            return generator.choice(len(weights), size, p=weights / weights.sum())

        rows = np.stack([drawn(one, number) for one in (self.log_policy, self.log_prior)])
        densities = np.stack([self.log_policy[rows], self.log_prior[rows]])
        optimal = None
        if is_exact:
            star = drawn(self.log_target, batches_of(number))
            optimal = self.log_target[star], np.stack([self.log_policy[star], self.log_prior[star]])
        seed = int(generator.integers(2**31))
        found = log_partition(self.log_target[rows], densities, seed=seed, optimal=optimal)
        return found, self.log_target[rows[0]] - self.log_policy[rows[0]]


def cases(problem_count: int) -> Iterator[tuple[str, Case]]:
    """Each quality of policy on each problem."""
    for index in range(problem_count):
        kinds = list(PROBLEMS.values())
        problem = replace(kinds[index % len(kinds)], seed=100 + index)
        whole, generator = enumeration(problem), np.random.default_rng(index)
        sequences = exact.distinct_sequences(whole)
        best = exact.optimum(whole, c=problem.c).log_policy
        log_prior = sequences.along(whole.log_prior).sum(axis=1)
        log_target = log_prior + sequences.along(whole.rewards).sum(axis=1) / problem.c
        for name, (share, noise) in (*QUALITIES.items(), FAR):
            levels = []
            for prior, optimum in zip(whole.log_prior, best, strict=True):
                logits = prior + share * (optimum - prior)
                logits = logits + noise * generator.standard_normal(logits.shape)
                levels.append(logits - logsumexp(logits, axis=1, keepdims=True))
            yield name, Case(sequences.along(levels).sum(axis=1), log_prior, log_target)


def coverage(problem_count: int, draws: int, number: int, seed: int) -> dict[tuple[str, str], dict]:
    """By quality of policy and kind of upper bound: shares and means over problems and draws."""
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    generator = np.random.default_rng(seed)
    for name, case in cases(problem_count):
        truth = case.log_z
        objective = float(np.exp(case.log_policy) @ (case.log_target - case.log_policy))
        for kind in ("exact", "resampled"):
            row = found[name, kind]
            for _ in range(draws):
                bounds, returns = case.bounds(number, generator, is_exact=kind == "exact")
                distance = bounds.above(interval_of(mean_estimate(returns)))
                row["lower"].append(bounds.lower <= truth)
                row["upper"].append(bounds.upper >= truth)
                row["distance"].append(distance.low <= truth - objective <= distance.high)
                row["below"].append(truth - bounds.lower)
                row["above"].append(bounds.upper - truth)
                row["size"].append(bounds.effective_size / bounds.number)
                row["trusted"].append(bounds.is_trusted)
    return {key: {n: float(np.mean(v)) for n, v in row.items()} for key, row in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=50)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--number", type=int, default=1000, help="samples of each proposal")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = coverage(options.problems, options.draws, options.number, options.seed)
    print(f"{options.problems} problems, {options.draws} draws of {options.number} samples of each")
    print(
        "| Policy | π* | lower bound holds | upper bound holds | KL(π‖π*) covered | "
        "lower below, nats | upper above, nats | effective share | tail trusted |"
    )
    print("| :-- | :-- | --: | --: | --: | --: | --: | --: | --: |")
    for (name, kind), row in found.items():
        shares = " | ".join(f"{row[one]:.1%}" for one in ("lower", "upper", "distance"))
        nats = " | ".join(f"{row[one]:.3f}" for one in ("below", "above"))
        rest = " | ".join(f"{row[one]:.0%}" for one in ("size", "trusted"))
        print(f"| {name} | {kind} | {shares} | {nats} | {rest} |".replace("%", " %"))


if __name__ == "__main__":
    main()
