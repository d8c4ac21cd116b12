"""Confidence intervals of means over seeds and over samples.

A measured value varies with the seed of the training run and with the sequences that were sampled.
The value of seed i is m_i = μ + a_i + e_i, with a_i from training and e_i, whose standard error is
known, from sampling. Shares, which may be of rare events, have intervals of their own;
`benchmarks/interval_coverage.py` prints how often these contain the true value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from seqtutor.measure import Estimate

CONFIDENCE = 0.95


class MeanInterval(NamedTuple):
    """Means and half the widths of their confidence intervals, `Float["*rest"]` each."""

    mean: np.ndarray
    half_width: np.ndarray


class Interval(NamedTuple):
    """A value with the ends of its confidence interval; NaN where there is none."""

    value: float
    low: float
    high: float

    @classmethod
    def around(cls, value: float, half_width: float) -> Interval:
        """The symmetric interval around a value."""
        return cls(value, value - half_width, value + half_width)

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        """Whether both ends have the same sign."""
        return self.low > 0 or self.high < 0


def difference(one: Interval, other: Interval) -> Interval:
    """The difference of two independent values: the squares of their half widths add up."""
    half = float(np.hypot(one.half_width, other.half_width))
    return Interval.around(one.value - other.value, half)


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> MeanInterval:
    """Mean over the first axis with Student's t interval; NaN half width for a single value.

    Args:
        values: `Float["seed *rest"]`, independent along the first axis.
        confidence: probability that the interval covers the true mean of normal values.
    """
    values = np.asarray(values, dtype=np.float64)
    count = values.shape[0]
    mean = values.mean(axis=0)
    if count < 2:
        return MeanInterval(mean, np.full_like(mean, np.nan))
    standard_error = values.std(axis=0, ddof=1) / np.sqrt(count)
    return MeanInterval(mean, _of_count(count, confidence) * standard_error)


def share_interval(share: float, trials: float, confidence: float = CONFIDENCE) -> Interval:
    """The interval of Clopper and Pearson (1934) of a share of independent trials.

    It contains the true share at least as often as it says, whatever that is, and has a width where
    nothing was seen. `trials` need not be a whole number (see `share_estimate`).
    """
    from scipy.special import betaincinv

    seen, tail = share * trials, (1 - confidence) / 2
    low = float(betaincinv(seen, trials - seen + 1, tail)) if seen > 0 else 0.0
    high = float(betaincinv(seen + 1, trials - seen, 1 - tail)) if seen < trials else 1.0
    return Interval(share, low, high)


def interval_of(estimate: Estimate, confidence: float = CONFIDENCE) -> Interval:
    """The interval of an estimate over its samples; NaN ends if it is not known.

    It is Student's t, and that of `share_interval` for a share.
    """
    if not math.isnan(estimate.trials):
        return share_interval(estimate.value, estimate.trials, confidence)
    if estimate.count < 2:
        return Interval.around(estimate.value, float("nan"))
    half = _of_count(estimate.count, confidence) * estimate.standard_error
    return Interval.around(estimate.value, half)


def interval_over_seeds(seeds: Sequence[Estimate]) -> Interval:
    """Mean over seeds with Student's t interval; of a single seed the interval over its samples.

    The latter says nothing about other seeds. The interval of a share over seeds contains that over
    all their samples: seeds that agree, such as on an event that none of them saw, still do not
    know it better than their samples tell.
    """
    if len(seeds) == 1:
        return interval_of(seeds[0])
    mean, half_width = mean_interval([one.value for one in seeds])
    over_seeds = Interval.around(float(mean), float(half_width))
    trials = sum(one.trials for one in seeds)
    if math.isnan(trials):
        return over_seeds
    over_samples = share_interval(over_seeds.value, trials)
    low, high = min(over_seeds.low, over_samples.low), max(over_seeds.high, over_samples.high)
    return Interval(over_seeds.value, low, high)


def seeds_and_samples_interval(means: ArrayLike, standard_errors: ArrayLike) -> Interval:
    """The mean over seeds, each measured on samples, with its interval.

    The variance s² of the seeds' values includes the variance of sampling, so that it gives the
    interval of Student's t. If a few seeds happen to agree, s² is below the known variance of
    sampling, which is then used in its place: the standard error is √(max(s², se²)/k). A single
    seed has the normal interval over its samples, which says nothing about other seeds.

    Args:
        means: `Float["seed"]`, the values.
        standard_errors: `Float["seed"]`, over samples; NaN if not known.
    """
    means = np.asarray(means, np.float64)
    errors = np.asarray(standard_errors, np.float64)
    seeds = len(means)
    if seeds == 1:
        error = float(errors[0])
    else:
        sampling = float(np.mean(np.nan_to_num(errors) ** 2))
        error = np.sqrt(max(means.var(ddof=1), sampling) / seeds)
    half = _of_count(seeds) * error
    mean = float(means.mean())
    return Interval.around(mean, float(half))


def bootstrap_means(
    means: Float[np.ndarray, "seed measure"],
    standard_errors: Float[np.ndarray, "seed measure"],
    resamples: int,
    generator: np.random.Generator,
) -> Float[np.ndarray, "resample measure"]:
    """Resampled means over seeds: a bootstrap over seeds and samples.

    Seeds are drawn with replacement, and for each drawn seed the noise of sampling, which is normal
    for a mean over thousands of sequences. Two corrections make the variance of the result equal to
    that of `seeds_and_samples_interval`: seeds vary by k/(k − 1) more than resampled ones, and
    their differences include the noise of sampling already, so that they are scaled by
    √(1 − se²/s²) (Davison & Hinkley 1997, section 3.8, on both). All measures of a seed are
    resampled together; the noise of sampling is independent for each measure. A standard error of
    NaN, not known, counts as zero; with a single seed the result is then NaN.
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
) -> Interval:
    """The interval of a statistic of means over seeds, from its values on `bootstrap_means`.

    The bootstrap gives the standard error. The width is that of Student's t with `seeds` − 1
    degrees of freedom, since the percentiles of a bootstrap over a handful of seeds are far too
    narrow (Hesterberg 2015, "What teachers should know about the bootstrap"). For a plain mean the
    result is that of `seeds_and_samples_interval`.
    """
    half = _of_count(seeds) * float(np.std(resampled, ddof=1))
    return Interval.around(value, half)


def quantile(degrees: float, confidence: float = CONFIDENCE) -> float:
    """Half the width of an interval in standard errors: of Student's t, of the normal law for ∞."""
    from scipy.special import ndtri, stdtrit

    upper = 0.5 + confidence / 2
    return float(ndtri(upper) if math.isinf(degrees) else stdtrit(degrees, upper))


def _of_count(count: int, confidence: float = CONFIDENCE) -> float:
    """The quantile of Student's t, and of the normal law for a single value."""
    return quantile(count - 1 if count > 1 else math.inf, confidence)
