"""What a comparison runs and measures: methods, values of c and seeds, with their controls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from seqtutor.methods.registry import method_named
from seqtutor.preferences.files import load_weights
from seqtutor.runs.comparison_options import ComparisonOptions
from seqtutor.runs.config import RunConfig
from seqtutor.runs.jobs import Job, worker_count
from seqtutor.runs.made_of import made_of_votes
from seqtutor.runs.policies import load_prior
from seqtutor.runs.preferred import rounded
from seqtutor.runs.seeds import reward_worker_options
from seqtutor.settings import require
from seqtutor.task_spec import TaskSpec
from seqtutor.training.settings import TutorSettings

RECORDS = 25
"""Records of a run, the points of its learning curve."""

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class ComparisonPlan(ComparisonOptions):
    """What is compared.

    Attributes:
        spec: the task.
        methods: by name; those that learn from votes learn from the votes of the preference model.
        output: folder of everything.

    Raises:
        UserError: if a number is out of its range, or there is no such method or preset.
    """

    spec: TaskSpec[Any]
    methods: tuple[str, ...]
    output: Path
    settings: Any = field(default=None, init=False)
    """The task's settings, complete."""

    def __post_init__(self) -> None:
        for name, least in (("seeds", 1), ("steps", 1), ("number", 2)):
            value = getattr(self, name)
            require(value >= least, f"{name} must be at least {least}, not {value}")
        for name in ("methods", "c"):
            require(len(getattr(self, name)) >= 1, f"{name} needs at least one value")
        for name in ("c", "temperatures", "at_kl"):
            for value in getattr(self, name):
                require(0 < value < math.inf, f"{name} must be above 0, not {value}")
        for name in ("best_of", "smc"):
            for n in getattr(self, name):
                require(n >= 2, f"{name} must be at least 2, not {n}")
        worker_count(self.workers)
        for method in self.methods:
            TutorSettings.of(method, discount=self.discount)
            require(
                self.preference.model is not None or not method_named(method).learns_from_votes,
                f"{method} learns from votes: name a preference model, whose votes it then takes, "
                "with --preference.model",
            )
        sets = {
            "methods": self.methods,
            "c": sorted(self.c),
            "temperatures": sorted(set(self.temperatures) - {1.0}),
            "best_of": sorted(self.best_of),
            "smc": sorted(self.smc),
            "at_kl": sorted(self.at_kl),
        }
        for name, values in sets.items():
            object.__setattr__(self, name, _distinct(values))
        settings = self.spec.preset(self.preset).settings(self.methods[0])
        complete, _ = self.spec.complete(settings, load_prior(self.spec, self.prior))
        object.__setattr__(self, "settings", complete)

    def jobs(self, length: int, now: Mapping[str, Any]) -> tuple[Job, ...]:
        """Every run, seed after seed, so that a whole comparison exists early.

        Args:
            length: of the longest sequence.
            now: what runs are made of beside their configuration, as `made_of` gives it.
        """
        options = reward_worker_options(None, worker_count(self.workers))
        grid = product(range(self.seeds), self.c, self.methods)
        configs = [self.config(method, c, seed, length) for seed, c, method in grid]
        return tuple(
            Job(
                f"{one.tutor.method} c={one.tutor.c:g} seed {one.tutor.seed}",
                self.run_folder(one.tutor.method, one.tutor.c, one.tutor.seed),
                self.spec,
                one,
                samples=0,
                options=options,
                made_of={**now, **made_of_votes(one)},
            )
            for one in configs
        )

    def run_folder(self, method: str, c: float, seed: int) -> Path:
        """The folder of one run."""
        return self.output / "runs" / method / f"c={c}" / f"seed{seed}"

    def config(self, method: str, c: float, seed: int, length: int) -> RunConfig[Any]:
        """The configuration of one run, of sequences of at most `length` tokens."""
        # Not the preset's settings of the tutor, which are each method's own way to one aim.
        own: dict[str, Any] = {"c": c, "discount": self.discount, "seed": seed}
        if method_named(method).learns_from_votes:
            own |= self.of_votes
        tutor = TutorSettings.of(method, **{**self.spec.tutor_settings(method), **own})
        collection = tutor.environments * length
        record = collection * max(1, round(self.steps / collection / RECORDS))
        # Whole records: each is a mean over as many collections.
        steps = record * math.ceil(self.steps / record)
        tutor = replace(tutor, steps=steps, log_every=record)
        return RunConfig(self.spec.name, tutor, self.settings, self.prior, self.preference)

    @cached_property
    def of_votes(self) -> dict[str, Any]:
        """Settings of methods that learn from votes: those of the preference model."""
        assert self.preference.model is not None
        weights = load_weights(self.preference.model)[0]
        return {
            "votes": self.preference.model,
            "tie": rounded(weights.tie),
            "side_bias": rounded(weights.bias),
        }


def _distinct(values: Iterable[_Value]) -> tuple[_Value, ...]:
    return tuple(dict.fromkeys(values))
