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
from seqtutor.preferences.settings import PreferenceTerm
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
class ComparisonPlan:
    """What is compared.

    Attributes:
        spec: the task.
        methods: by name.
        output: folder of everything.
        c: weights of the prior, each a point on every method's frontier.
        seeds: runs of each method at each c, with the seeds 0, 1, 2 …
        steps: environment steps of a run, rounded up to whole records.
        preset: whose settings of the task are used; `None` for the first preset. The settings of
            the tutor are the methods' defaults.
        discount: γ of all methods; E[r]/c − KL, by which they are compared, is that of γ = 1.
        number: sequences that each policy is measured on.
        temperatures: at which the prior is measured as a control.
        best_of: each n whose best of n samples from the prior is measured as a control.
        smc: each number of particles of the prior of which one is drawn, at each c, as a control.
        at_kl: KL divergences, in nats a sequence, at which to compare; empty: four where most
            methods are.
        prior: folder of the prior; `None` for the one that comes with the package.
        preference: a preference model as a term of the reward; methods that learn from votes learn
            from those of its folder.
        workers: runs at the same time; `None` for one for each core.

    Raises:
        UserError: if a number is out of its range, or there is no such method or preset.
    """

    spec: TaskSpec[Any]
    methods: tuple[str, ...]
    output: Path
    c: tuple[float, ...] = (2.5, 5.0, 10.0, 20.0)
    seeds: int = 5
    steps: int = 500_000
    preset: str | None = None
    discount: float = 1.0
    number: int = 10_000
    temperatures: tuple[float, ...] = (0.25, 0.5, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
    best_of: tuple[int, ...] = (4, 8, 16, 32, 64)
    smc: tuple[int, ...] = (64,)
    at_kl: tuple[float, ...] = ()
    prior: Path | None = None
    workers: int | None = None
    preference: PreferenceTerm = field(default_factory=PreferenceTerm)
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
