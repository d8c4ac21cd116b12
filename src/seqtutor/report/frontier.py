"""The reward–KL frontier: the reward of each method at each distance from the prior.

A policy is measured once for each seed. Policies that differ only in the seed are a point; the
points of a method over its values of c, or of a control over its parameter, are a frontier.
Methods are compared where their frontiers have the same KL divergence.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from seqtutor.measure import Estimates
from seqtutor.measures.estimates import UNKNOWN
from seqtutor.measures.intervals import (
    Interval,
    bootstrap_interval,
    bootstrap_means,
    seeds_and_samples_interval,
)

PRIOR, TEMPERATURE, BEST_OF_N = "prior", "temperature", "best-of-n"
CONTROLS = (PRIOR, TEMPERATURE, BEST_OF_N)
_PARTICLES, _TUNED_AT = "SMC of ", " tuned at c = "

MEASURES = (
    "reward",
    "reward_per_step",
    "objective",
    "kl",
    "kl_per_step",
    "entropy",
    "log_prior",
    "distinct",
    "self_similarity",
    "seconds",
    "model_calls",
)
"""The measures of a policy: see `comparison_estimates`; the seconds of the run, and how many models
run for each token of a sequence that is kept."""

NOT_AT_KL = ("objective", "kl", "kl_per_step")
"""Measures that are meaningless between two values of c, or are held equal."""

RESAMPLES = 2000


def particles_name(size: int) -> str:
    """The policy that draws one of so many particles of the prior, at each c."""
    return f"{_PARTICLES}{size}"


def rescaled_name(symbol: str, c: float) -> str:
    """The policy of a method that was tuned at one c and is rescaled for others."""
    return f"{symbol}{_TUNED_AT}{c:g}"


def is_of_particles(name: str) -> bool:
    """Whether a policy samples the optimum of each c without any training."""
    return name.startswith(_PARTICLES)


def is_steered(name: str) -> bool:
    """Whether a policy was made for its c at sampling time."""
    return is_of_particles(name) or _TUNED_AT in name


@dataclass(frozen=True)
class MeasuredPolicy:
    """One policy of one seed.

    Attributes:
        name: a method, one of `CONTROLS`, or of a policy that is steered.
        seed: of its training; 0 for a control.
        estimates: by the names in `MEASURES`; what is missing is not known.
        c: the weight of the prior.
        discount: γ.
        parameter: the temperature or n of a control.
        is_collapsed: whether the policy is only a few sequences.
    """

    name: str
    seed: int
    estimates: Estimates
    c: float | None = None
    discount: float | None = None
    parameter: float | None = None
    is_collapsed: bool = False

    @property
    def setting(self) -> float:
        """What varies along the frontier: c, or the control's parameter (1 for the prior)."""
        setting = self.parameter if self.c is None else self.c
        return 1.0 if setting is None else setting


@dataclass(frozen=True)
class Point:
    """A place on a frontier: policies that differ only in their seeds."""

    policies: tuple[MeasuredPolicy, ...]

    @property
    def name(self) -> str:
        """The method or control."""
        return self.policies[0].name

    @property
    def setting(self) -> float:
        """The value of c, or the control's parameter."""
        return self.policies[0].setting

    @property
    def seeds(self) -> int:
        """How many policies there are."""
        return len(self.policies)

    @property
    def collapsed(self) -> int:
        """How many of them have collapsed."""
        return sum(policy.is_collapsed for policy in self.policies)

    def interval(self, measure: str) -> Interval:
        """Mean and 95 % interval of a measure over seeds (over samples, if there is one seed)."""
        column = MEASURES.index(measure)
        return seeds_and_samples_interval(self.means[:, column], self.standard_errors[:, column])

    @cached_property
    def means(self) -> Float[np.ndarray, "seed measure"]:
        """The measures of each seed, in the order of `MEASURES`."""
        return self._matrix("value")

    @cached_property
    def standard_errors(self) -> Float[np.ndarray, "seed measure"]:
        """Their standard errors over samples; NaN where not known."""
        return self._matrix("standard_error")

    @property
    def kl(self) -> float:
        """Mean KL divergence over seeds, in nats a sequence."""
        return float(self.means[:, MEASURES.index("kl")].mean())

    def _matrix(self, part: str) -> Float[np.ndarray, "seed measure"]:
        rows = [
            [getattr(policy.estimates.get(name, UNKNOWN), part) for name in MEASURES]
            for policy in self.policies
        ]
        return np.array(rows, np.float64)


def points_of(policies: Sequence[MeasuredPolicy]) -> list[Point]:
    """Policies put together over seeds; methods and settings in order of appearance and size."""
    order = list(dict.fromkeys(policy.name for policy in policies))

    def place(policy: MeasuredPolicy) -> tuple[int, float]:
        return order.index(policy.name), policy.setting

    grouped = itertools.groupby(sorted(policies, key=place), key=place)
    return [Point(tuple(group)) for _, group in grouped]


def position(kl: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
    """Where a KL divergence stands on the axis of the figures, on which lines are straight.

    arsinh(KL/1 nat) is linear near the prior, at zero, and logarithmic far from it.
    """
    return np.arcsinh(kl)


@dataclass(frozen=True)
class AtKL:
    """A frontier's measures at one KL divergence."""

    name: str
    intervals: Mapping[str, Interval]

    @property
    def reward(self) -> Interval:
        """What it earns there."""
        return self.intervals["reward"]


@dataclass(frozen=True)
class Frontier:
    """A method's or a control's points, from near the prior to far from it."""

    name: str
    points: tuple[Point, ...]

    @property
    def is_control(self) -> bool:
        """Whether it is not a method's, trained at each c."""
        return any(point.name in CONTROLS or is_steered(point.name) for point in self.points)

    @property
    def is_over_c(self) -> bool:
        """Whether its points are values of c, as a method's are."""
        return all(point.policies[0].c is not None for point in self.points)

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and largest mean KL divergence, in nats a sequence."""
        kls = [point.kl for point in self.points]
        return min(kls), max(kls)

    def at_kl(self, kl: float) -> AtKL | None:
        """The measures at a KL divergence, between the points; `None` where it is not reached.

        Interpolated linearly over `position(kl)`, as the line is drawn. Where the bootstrap moves
        the end of the frontier past the KL divergence, the end counts.
        """
        low, high = self.range
        if not low <= kl <= high:
            return None
        means = np.stack([point.means.mean(axis=0) for point in self.points])
        value = _interpolate(means[None], kl)[0]
        resampled = _interpolate(self._resampled_means, kl)
        seeds = min(point.seeds for point in self.points)
        intervals = {
            name: bootstrap_interval(float(value[column]), resampled[:, column], seeds)
            for column, name in enumerate(MEASURES)
            if name not in NOT_AT_KL
        }
        return AtKL(self.name, intervals)

    @cached_property
    def _resampled_means(self) -> Float[np.ndarray, "resample point measure"]:
        # A seed of its own, the same in every process: no two frontiers share their chance.
        generator = np.random.default_rng(zlib.crc32(self.name.encode()))
        drawn = [
            bootstrap_means(point.means, point.standard_errors, RESAMPLES, generator)
            for point in self.points
        ]
        return np.stack(drawn, axis=1)


def _interpolate(
    curves: Float[np.ndarray, "curve point measure"], kl: float
) -> Float[np.ndarray, "curve measure"]:
    """Each curve at a KL divergence; its points are put in the order of their own."""
    column = MEASURES.index("kl")
    order = np.argsort(curves[:, :, column], axis=1, kind="stable")
    curves = np.take_along_axis(curves, order[:, :, None], axis=1)
    if curves.shape[1] == 1:
        return curves[:, 0]
    places = position(np.maximum(curves[:, :, column], 0.0))
    above = np.clip((places < position(kl)).sum(axis=1), 1, curves.shape[1] - 1)
    rows = np.arange(len(curves))
    left, right = places[rows, above - 1], places[rows, above]
    width = np.maximum(right - left, 1e-12)
    share = np.clip((position(kl) - left) / width, 0.0, 1.0)[:, None]
    # Not (1 − share)·a + share·b: an unknown measure of a point that has no share stays out of it.
    below_values, above_values = curves[rows, above - 1], curves[rows, above]
    between = below_values + share * (above_values - below_values)
    return np.where(share == 0, below_values, np.where(share == 1, above_values, between))


def frontiers_of(points: Sequence[Point]) -> list[Frontier]:
    """The frontiers of all methods, then those of the controls, which begin at the prior."""
    prior = tuple(point for point in points if point.name == PRIOR)
    methods = dict.fromkeys(point.name for point in points if point.name not in CONTROLS)
    named = {name: [point for point in points if point.name == name] for name in methods}
    tempered = [point for point in points if point.name == TEMPERATURE]
    controls = {
        "cooler prior": [point for point in tempered if point.setting < 1],
        "hotter prior": [point for point in tempered if point.setting > 1],
        BEST_OF_N: [point for point in points if point.name == BEST_OF_N],
    }
    drawn = [Frontier(name, _nearest_first(own)) for name, own in named.items()]
    drawn += [
        Frontier(name, _nearest_first([*prior, *own])) for name, own in controls.items() if own
    ]
    return drawn


def _nearest_first(points: Sequence[Point]) -> tuple[Point, ...]:
    return tuple(sorted(points, key=lambda point: point.kl))


def common_kls(frontiers: Sequence[Frontier], number: int = 4) -> list[float]:
    """KL divergences at which many methods can be compared, rounded to two digits.

    They divide the axis where at least two methods are, weighted by how many more than one there
    are, into equal parts. Empty where no two methods overlap.
    """
    ranges = [position(np.array(one.range)) for one in frontiers if not one.is_control]
    edges = np.unique(np.concatenate(ranges)) if ranges else np.zeros(0)
    if len(edges) < 2:
        return []
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    present = sum(((low < middles) & (middles < high)).astype(float) for low, high in ranges)
    mass = np.concatenate([[0.0], np.cumsum(np.maximum(present - 1, 0) * widths)])
    if mass[-1] == 0:
        return []
    wanted = (np.arange(number) + 0.5) / number * mass[-1]
    places = np.interp(wanted, mass, edges)
    rounded = [float(f"{value:.2g}") for value in np.sinh(places)]
    return list(dict.fromkeys(rounded))
