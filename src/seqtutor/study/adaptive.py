"""The next pair of models: the one whose comparison tells most, given the votes so far.

The posterior of the parameters φ is normal about the estimate, with covariance (I + P)⁻¹: Fisher's
information I of the votes, and the precision P of a wide prior. A vote on an ordered pair adds its
own information J, and lowers the variance of each difference c of two models to

    cᵀ (I + P + J)⁻¹ c                                                                        (2)

The pair is chosen that lowers a weighted sum of these variances most. With the goal "all" every
difference weighs the same; with "order" a difference weighs Φ(−|z|), z being the posterior mean
in standard deviations, so that votes go to differences whose sign is still open; with "best" so do
the differences between the model that leads and the others, and no other counts.

The likelihood, and so the fit, does not depend on how pairs were chosen.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from seqtutor.study.bradley_terry import Fit, contrast, fit, vote_information
from seqtutor.study.plan import Goal
from seqtutor.study.tally import cells_of

PRIOR_DEVIATION = 2.0
"""Of each log-odds; it only matters before the first few votes."""


def next_pair(
    counts: Float[np.ndarray, "cell outcome"],
    models: int,
    generator: np.random.Generator,
    goal: Goal = "order",
) -> tuple[int, int]:
    """The comparison that tells most: which models stand on the left and the right, by number.

    Args:
        counts: votes so far, such as `Tally.total`; a comparison that was handed out and is not yet
            answered may count as a third of each outcome.
        models: how many there are.
        generator: decides between pairs that tell the same.
        goal: what is to be known.
    """
    place = next_cells(counts[None], models, generator, goal)[0]
    return cells_of(models)[place]


def next_cells(
    counts: Float[np.ndarray, "study cell outcome"],
    models: int,
    generator: np.random.Generator,
    goal: Goal = "order",
) -> Int[np.ndarray, " study"]:
    """For each study the ordered pair, by its place in `cells_of`, that tells most."""
    fitted = fit(counts, models, tolerance=1e-3)
    told = _told(fitted, models, goal)
    cells = cells_of(models)
    opposite = np.array([cells.index((right, left)) for left, right in cells])
    # Both orders of a pair count alike; then the one that was heard less often is taken.
    told = (told + told[:, opposite]) / 2
    heard = counts.sum(axis=-1)
    least = heard < heard[:, opposite]
    told *= 1 + 1e-6 * least + 1e-7 * generator.random(told.shape)
    return told.argmax(axis=1)


def _told(fitted: Fit, models: int, goal: Goal) -> Float[np.ndarray, "study cell"]:
    """By how much a vote on each ordered pair lowers the weighted sum of variances (2)."""
    added = vote_information(fitted.parameters)
    before = fitted.information + np.eye(models + 1) / PRIOR_DEVIATION**2
    contrasts = contrasts_of(models)
    variances = _variances(before, contrasts)
    weights = _weights(fitted, contrasts, variances, goal)
    after = _variances(before[:, None] + added, contrasts)
    return (weights[:, None] * (variances[:, None] - after)).sum(axis=-1)


def _weights(
    fitted: Fit,
    contrasts: Float[np.ndarray, "difference parameter"],
    variances: Float[np.ndarray, "study difference"],
    goal: Goal,
) -> Float[np.ndarray, "study difference"]:
    """What each difference is worth to the goal, relative to the one that is worth most.

    In logarithms, so that where every sign is certain the least certain one still counts.
    """
    from scipy.special import log_ndtr

    if goal == "all":
        return np.ones_like(variances)
    still_open = log_ndtr(-np.abs(fitted.parameters @ contrasts.T) / np.sqrt(variances))
    if goal == "best":
        pairs = np.array(list(combinations(range(fitted.strengths.shape[-1]), 2)))
        leader = fitted.strengths.argmax(axis=-1)
        is_of_leader = (pairs == leader[:, None, None]).any(axis=-1)
        still_open = np.where(is_of_leader, still_open, -np.inf)
    return np.exp(still_open - still_open.max(axis=-1, keepdims=True))


def _variances(precision: np.ndarray, contrasts: np.ndarray) -> np.ndarray:
    covariance = np.linalg.inv(precision)
    return np.einsum("dp,...pq,dq->...d", contrasts, covariance, contrasts, optimize=True)


def contrasts_of(models: int) -> Float[np.ndarray, "difference parameter"]:
    """The weights of the difference of each pair of models."""
    return np.array([contrast(models, *pair) for pair in combinations(range(models), 2)])
