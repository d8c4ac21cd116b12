"""Means over seeds and samples, and how far to trust them.

A run has two sources of chance: the seed that it was trained with and the sequences that it was
measured on. The mean of seed i is m_i = μ + a_i + e_i, with a_i from training and e_i, of known
standard error, from measuring.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

CONFIDENCE = 0.95


class MeanInterval(NamedTuple):
    """A mean and half the width of its confidence interval, each of the shape that is left."""

    mean: np.ndarray
    half_width: np.ndarray


class Interval(NamedTuple):
    """A value with the ends of its confidence interval; NaN where there is none."""

    value: float
    low: float
    high: float

    @classmethod
    def around(cls, value: float, half_width: float) -> Interval:
        """The interval that reaches as far to both sides."""
        return cls(value, value - half_width, value + half_width)

    @property
    def half_width(self) -> float:
        """Half of the distance between the ends."""
        return (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign of the value is beyond doubt."""
        return self.low > 0 or self.high < 0


def difference(one: Interval, other: Interval) -> Interval:
    """One value minus another, which is independent of it: the squares of half widths add up."""
    half = float(np.hypot(one.half_width, other.half_width))
    return Interval.around(one.value - other.value, half)


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> MeanInterval:
    """Mean over the first axis with Student's t interval; NaN half width for a single value.

    Args:
        values: `Float["seed *rest"]`, independent repetitions along the first axis.
        confidence: probability that the interval covers the true mean of normal values.
    """
    values = np.asarray(values, dtype=np.float64)
    count = values.shape[0]
    mean = values.mean(axis=0)
    if count < 2:
        return MeanInterval(mean, np.full_like(mean, np.nan))
    standard_error = values.std(axis=0, ddof=1) / np.sqrt(count)
    return MeanInterval(mean, _quantile(count, confidence) * standard_error)


def half_width_of(standard_error: float, count: int, confidence: float = CONFIDENCE) -> float:
    """Half of Student's t interval of a mean over `count` values; NaN for a single value."""
    return _quantile(count, confidence) * standard_error if count > 1 else float("nan")


def seeds_and_samples_interval(
    means: ArrayLike, standard_errors: ArrayLike, confidence: float = CONFIDENCE
) -> Interval:
    """The mean over seeds, each measured on samples, with its interval.

    What the seeds' means differ by holds both sources of chance already, so that their variance s²
    gives the interval of Student's t. Where few seeds happen to agree, s² falls below the known
    variance of the samples, which then takes its place: the standard error is √(max(s², se²)/k).
    A single seed has the normal interval over its samples, which says nothing about other seeds.

    Args:
        means: `Float["seed"]`.
        standard_errors: `Float["seed"]`, those of the means over samples; NaN if not known.
        confidence: probability that the interval covers the true mean.
    """
    means = np.asarray(means, np.float64)
    errors = np.asarray(standard_errors, np.float64)
    seeds = len(means)
    if seeds == 1:
        error = float(errors[0])
    else:
        sampling = float(np.mean(np.nan_to_num(errors) ** 2))
        error = np.sqrt(max(means.var(ddof=1), sampling) / seeds)
    half = _quantile(seeds, confidence) * error
    mean = float(means.mean())
    return Interval.around(mean, float(half))


def bootstrap_means(
    means: Float[np.ndarray, "seed measure"],
    standard_errors: Float[np.ndarray, "seed measure"],
    resamples: int,
    generator: np.random.Generator,
) -> Float[np.ndarray, "resample measure"]:
    """Means over seeds as they might have come out: a bootstrap over seeds and samples.

    Seeds are drawn with replacement, and for each drawn seed its samples anew. The mean of
    thousands of resampled sequences is normal, so that it is drawn as such. Two corrections make
    the variance of the result that of `seeds_and_samples_interval`: seeds differ by k/(k − 1) more
    than resampled ones do, and their differences hold the noise of the samples already, so that
    they shrink by √(1 − se²/s²) (Davison & Hinkley 1997, section 3.8, on both). All measures of a
    seed stay together; the noise of samples is drawn for each measure alone. Standard errors that
    are NaN, not known, count as zero; but of a single seed nothing is known then: NaN.
    """
    seeds, measures = means.shape
    errors = np.nan_to_num(standard_errors) if seeds > 1 else standard_errors
    chosen = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    centre = means.mean(axis=0)
    noise = generator.standard_normal((resamples, measures)) * np.sqrt(chosen @ errors**2) / seeds
    if seeds == 1:
        return centre + noise
    between = means.var(axis=0, ddof=1)
    sampling = (errors**2).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.nan_to_num(np.maximum(0.0, 1 - sampling / between))
    shrunk = (means - centre) * np.sqrt(kept * seeds / (seeds - 1))
    return centre + chosen @ shrunk / seeds + noise


def bootstrap_interval(
    value: float,
    resampled: Float[np.ndarray, " resample"],
    seeds: int,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of a statistic of means over seeds, from its values on `bootstrap_means`.

    The bootstrap gives the standard error; Student's t of `seeds` − 1 degrees gives the width,
    since the percentiles of a bootstrap over a handful of seeds are far too narrow (Hesterberg
    2015, "What teachers should know about the bootstrap"). For a plain mean this is
    `seeds_and_samples_interval`.
    """
    half = _quantile(seeds, confidence) * float(np.std(resampled, ddof=1))
    return Interval.around(value, half)


def _quantile(count: int, confidence: float) -> float:
    """How many standard errors the interval reaches: Student's t, or normal for a single seed."""
    from scipy.special import ndtri, stdtrit

    upper = 0.5 + confidence / 2
    return float(stdtrit(count - 1, upper) if count > 1 else ndtri(upper))
