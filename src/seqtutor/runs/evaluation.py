"""Measuring policies of one task against one prior, and keeping what was measured in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtutor.measures.controls import TemperedModel, best_of_n
from seqtutor.measures.sampling import Measures, measure_policy, measures_of
from seqtutor.models.base import SequenceModel
from seqtutor.report.frontier import BEST_OF_N, PRIOR, TEMPERATURE, MeasuredPolicy
from seqtutor.runs.measure_cache import cached_measures
from seqtutor.task import Task


@dataclass(frozen=True)
class Laboratory:
    """Where policies are measured.

    Attributes:
        task: gives the reward.
        prior: what policies are compared with.
        number: sequences that each policy is measured on.
        made_of: what makes the task and the prior, in JSON's types: when it changes, what was
            measured before no longer counts.
    """

    task: Task
    prior: SequenceModel
    number: int
    made_of: Mapping[str, Any]

    def policy(
        self,
        path: Path,
        made_of: Mapping[str, Any],
        load: Callable[[], SequenceModel],
        *,
        seed: int = 0,
        c: float | None = None,
    ) -> Measures:
        """Measure a policy, unless the file at `path` has its measures.

        Args:
            path: the file.
            made_of: tells this policy from others.
            load: gives the policy, if it is wanted.
            seed: of the sampling.
            c: the weight of the prior, if the objective is to be measured too.
        """

        def measure() -> dict[str, Measures]:
            measured = measure_policy(
                load(), self.prior, self.task, number=self.number, seed=seed, c=c
            )
            return {"policy": measured}

        key = self._key(made_of, seed=seed, c=c)
        return cached_measures(path, key, measure)["policy"]

    def control_of_prior(self, folder: Path) -> MeasuredPolicy:
        """The prior itself; its divergence from itself is exactly zero."""
        measures = self.policy(folder / "prior.json", {}, lambda: self.prior)
        return MeasuredPolicy(PRIOR, 0, measures.values, measures.standard_errors)

    def control_of_temperature(self, folder: Path, temperature: float) -> MeasuredPolicy:
        """The prior at another temperature."""
        measures = self.policy(
            folder / f"temperature={temperature}.json",
            {"temperature": temperature},
            lambda: TemperedModel(self.prior, temperature),
        )
        return _control(TEMPERATURE, temperature, measures)

    def controls_of_best_of_n(self, folder: Path, sizes: tuple[int, ...]) -> list[MeasuredPolicy]:
        """The best of n samples from the prior, for each n."""
        if not sizes:
            return []

        def measure() -> dict[str, Measures]:
            chosen = best_of_n(self.prior, self.task, sizes, number=self.number)
            return {str(n): measures_of(samples) for n, samples in chosen.items()}

        found = cached_measures(folder / "best-of-n.json", self._key({"best_of": sizes}), measure)
        return [_control(BEST_OF_N, n, found[str(n)]) for n in sizes]

    def _key(self, made_of: Mapping[str, Any], **others: float | None) -> dict[str, Any]:
        return {**self.made_of, "number": self.number, **made_of, **others}


def _control(name: str, parameter: float, measures: Measures) -> MeasuredPolicy:
    return MeasuredPolicy(name, 0, measures.values, measures.standard_errors, parameter=parameter)
