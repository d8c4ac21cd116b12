"""How heavy the tail of importance weights is: the shape k̂ of a generalised Pareto distribution.

A distribution whose tail has the shape k has moments of order below 1/k: a variance for k < 1/2, a
mean for k < 1. The shape is fitted to the largest weights (Vehtari et al. 2024, "Pareto smoothed
importance sampling") by the nearly Bayesian estimator of Zhang & Stephens (2009, "A new and
efficient estimation method for the generalized Pareto distribution").
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

FEWEST = 5
"""Of the values that a tail is fitted to."""
LARGEST = 0.5
"""Above this k̂ the weights have no variance. Estimates are often fair up to 0.7, the limit of
Vehtari et al.; but an upper bound from such weights may be too low (docs/optimum.md)."""


def pareto_k(log_weights: Float[np.ndarray, " sequence"]) -> float:
    """k̂ of the min(S/5, 3√S) largest of S weights, drawn towards 1/2 as by ten more values.

    NaN where the largest weights are equal, so that there is no tail.
    """
    number = len(log_weights)
    size = math.ceil(min(number / 5, 3 * math.sqrt(number)))
    largest = np.sort(np.asarray(log_weights, np.float64))[-size - 1 :]
    scaled = np.exp(largest - largest[-1])
    exceedances = scaled[1:] - scaled[0]
    exceedances = exceedances[exceedances > 0]
    if len(exceedances) < FEWEST:
        return math.nan
    return (len(exceedances) * _shape(exceedances) + 10 * 0.5) / (len(exceedances) + 10)


def largest_trusted_k(number: int) -> float:
    """Up to this k̂ bounds from so many weights are to be trusted: min(1 − 1/log₁₀ S, 1/2)."""
    return min(1 - 1 / math.log10(number), LARGEST) if number > 1 else -math.inf


def _shape(sorted_values: Float[np.ndarray, " value"]) -> float:
    """The posterior mean of θ = −k/σ on a grid, and the shape k that is most likely given it."""
    number, largest = len(sorted_values), sorted_values[-1]
    points = 30 + math.isqrt(number)
    quartile = sorted_values[int(number / 4 + 0.5) - 1]
    steps = np.arange(1, points + 1) - 0.5
    theta = 1 / largest + (1 - np.sqrt(points / steps)) / (3 * quartile)
    shapes = np.log1p(-theta[:, None] * sorted_values).mean(axis=1)
    # At θ = 0, where the grid may have a point, −θ/k is 0/0: the limit of an exponential tail.
    with np.errstate(invalid="ignore"):
        rates = np.where(shapes == 0, 1 / sorted_values.mean(), -theta / shapes)
    log_likelihood = number * (np.log(rates) - shapes - 1)
    weights = np.exp(log_likelihood - log_likelihood.max())
    mean = float(weights @ theta / weights.sum())
    return float(np.log1p(-mean * sorted_values).mean())
