"""A mean over seeds and how far to trust it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class MeanInterval(NamedTuple):
    """A mean and half the width of its confidence interval, each of the shape that is left."""

    mean: np.ndarray
    half_width: np.ndarray


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> MeanInterval:
    """Mean over the first axis with Student's t interval; NaN half width for a single value.

    Args:
        values: `Float["seed *rest"]`, independent repetitions along the first axis.
        confidence: probability that the interval covers the true mean of normal values.
    """
    from scipy.special import stdtrit

    values = np.asarray(values, dtype=np.float64)
    count = values.shape[0]
    mean = values.mean(axis=0)
    if count < 2:
        return MeanInterval(mean, np.full_like(mean, np.nan))
    standard_error = values.std(axis=0, ddof=1) / np.sqrt(count)
    return MeanInterval(mean, stdtrit(count - 1, 0.5 + confidence / 2) * standard_error)
