"""Evaluating policies of one task against one prior, with the results cached in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.measure import Estimate, Estimates
from seqtutor.measures.controls import TemperedModel, best_of_n
from seqtutor.measures.intervals import CONFIDENCE
from seqtutor.measures.log_partition import PREFIX, from_samples, lower_bound_of_log_mean
from seqtutor.measures.particles import draw_by_particles
from seqtutor.measures.policy import comparison_estimates
from seqtutor.measures.proposals import Untwisted
from seqtutor.measures.sampling import Samples, draw, log_probabilities
from seqtutor.models.base import SequenceModel
from seqtutor.report.frontier import (
    BEST_OF_N,
    PRIOR,
    TEMPERATURE,
    MeasuredPolicy,
    particles_name,
)
from seqtutor.runs.measure_cache import cached_estimates
from seqtutor.runs.optimum import samples_of_prior
from seqtutor.task import Task


def with_calls(estimates: Estimates, calls: float) -> Estimates:
    """With how many models run for each token of a sequence that is kept."""
    return {**estimates, "model_calls": Estimate(calls)}


@dataclass(frozen=True)
class CachedEvaluator:
    """Samples from policies and measures them, unless a file has the results already.

    Attributes:
        task: gives the reward, the length and the end token.
        prior: the reference of KL and log p.
        number: sequences that each policy is measured on.
        key: what the task and the prior are made of, in JSON's types: if it changes, results of
            earlier calls are computed anew.
        confidence: of the bounds on log Z from the samples of one policy.
    """

    task: Task
    prior: SequenceModel
    number: int
    key: Mapping[str, Any]
    confidence: float = CONFIDENCE

    def evaluate(
        self,
        path: Path,
        key: Mapping[str, Any],
        load: Callable[[], SequenceModel],
        *,
        seed: int = 0,
        c: float | None = None,
    ) -> Estimates:
        """The estimates of `comparison_estimates` for one policy and, with `c`, of log Z.

        Args:
            path: the file.
            key: tells this policy from others.
            load: returns the policy; called if the file does not have its results.
            seed: of the sampling.
            c: the weight of the prior, if the objective and log Z are to be measured too.
        """

        def compute() -> dict[str, Estimates]:
            policy = load()
            samples = draw(
                policy,
                self.prior,
                number=self.number,
                length=self.task.max_length,
                end=self.task.vocabulary.end,
                seed=seed,
                reward=self.task.reward,
            )
            found = comparison_estimates(samples, c)
            if c is not None:
                log_policy = log_probabilities(policy, self._of_prior)
                bounds = from_samples(
                    samples, self._of_prior, log_policy, c, confidence=self.confidence
                )
                found |= bounds.estimates
            return {"policy": found}

        whole_key = self._key(key, seed=seed, c=c, confidence=self.confidence)
        return cached_estimates(path, whole_key, compute)["policy"]

    @cached_property
    def _of_prior(self) -> Samples:
        """Its sequences, by whose weights log Z is estimated for every policy."""
        return samples_of_prior(self.prior, self.task, self.task.max_length, self.number)

    def evaluate_prior(self, folder: Path) -> MeasuredPolicy:
        """The prior itself, whose KL divergence from itself is exactly zero."""
        estimates = self.evaluate(folder / "prior.json", {}, lambda: self.prior)
        return MeasuredPolicy(PRIOR, 0, with_calls(estimates, 1))

    def evaluate_temperature(self, folder: Path, temperature: float) -> MeasuredPolicy:
        """The prior at another temperature."""
        estimates = self.evaluate(
            folder / f"temperature={temperature}.json",
            {"temperature": temperature},
            lambda: TemperedModel(self.prior, temperature),
        )
        return MeasuredPolicy(TEMPERATURE, 0, with_calls(estimates, 1), parameter=temperature)

    def evaluate_best_of_n(self, folder: Path, sizes: tuple[int, ...]) -> list[MeasuredPolicy]:
        """The best of n samples from the prior, for each n."""
        if not sizes:
            return []

        def compute() -> dict[str, Estimates]:
            chosen = best_of_n(self.prior, self.task, sizes, number=self.number)
            return {str(n): comparison_estimates(samples) for n, samples in chosen.items()}

        key = self._key({"best_of": sizes})
        found = cached_estimates(folder / "best-of-n.json", key, compute)
        return [
            MeasuredPolicy(BEST_OF_N, 0, with_calls(found[str(n)], n), parameter=n) for n in sizes
        ]

    def evaluate_particles(self, folder: Path, size: int, c: float) -> MeasuredPolicy:
        """One of so many particles of the prior, with a lower bound on log Z from all groups."""

        def compute() -> dict[str, Estimates]:
            drawn = draw_by_particles(
                Untwisted(self.prior), self.task, c, number=self.number, size=size
            )
            assert drawn.reward is not None
            log_z = drawn.reward.astype(np.float64) / c - drawn.kl
            lower = lower_bound_of_log_mean(log_z, (1 + self.confidence) / 2)
            found = comparison_estimates(drawn, c)
            return {"policy": found | {f"{PREFIX}lower": Estimate(lower)}}

        key = self._key({"particles": size}, c=c, confidence=self.confidence)
        path = folder / f"particles={size}-c={c}.json"
        estimates = cached_estimates(path, key, compute)["policy"]
        return MeasuredPolicy(particles_name(size), 0, with_calls(estimates, size), c=c)

    def _key(self, key: Mapping[str, Any], **others: float | None) -> dict[str, Any]:
        return {**self.key, "number": self.number, **key, **others}
