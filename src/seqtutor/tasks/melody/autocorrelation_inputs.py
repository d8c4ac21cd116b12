"""What the autocorrelations of a melody so far tell of those to come, as inputs of a network.

Of all rules, autocorrelation costs a good melody most, and what a token will cost depends on sums
over the whole melody. These numbers are sufficient for it, beside the rhythm to come: the number of
tokens n, their mean and spread, each coefficient, the last tokens as many as the longest lag has,
and the sums of the first ones. Products and thresholds of numbers are hard for a perceptron, so
that both are among the inputs: products of the last tokens, and each number by how much of each of
several intervals lies below it (Gorishniy et al. 2022, "On embeddings for numerical features in
tabular deep learning").
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.stepwise import RuleState, centred

COEFFICIENTS = np.array(
    [-1, -0.6, -0.4, -0.3, -0.22, -0.15, -0.1, -0.05, 0, 0.05, 0.1, 0.15, 0.22, 0.3, 0.4, 0.6, 1],
    np.float32,
)
"""Ends of the intervals of a coefficient; closer where the papers' limit of 0.15 is."""
DEVIATIONS = np.array([-3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3], np.float32)
"""Ends of the intervals of a token, in standard deviations from the mean."""
_SPREAD = 10.0
"""A spread of tokens, in semitones, by which such numbers are divided."""
_LEAST_SPREAD = 0.5
_FURTHEST = 3.0
"""Margins in tokens beyond it are all the same to the network."""


class Contour(NamedTuple):
    """The sums of a melody so far, as numbers without a unit but for those in semitones.

    Attributes:
        number: n, of tokens, at least 1.
        mean: of the tokens less `CENTRE`, in semitones.
        spread: their standard deviation, in semitones, at least a half.
        coefficients: the autocorrelation at each lag; 0 where it is not defined.
        last: the last tokens, the newest first, as many as the longest lag has, in standard
            deviations from the mean; 0 before the first token.
        opening: the mean of the first tokens, as many as each lag has, in the same unit.
    """

    number: Float[Array, ""]
    mean: Float[Array, ""]
    spread: Float[Array, ""]
    coefficients: Float[Array, " lag"]
    last: Float[Array, " back"]
    opening: Float[Array, " lag"]


def contour_of(state: RuleState, rules: MelodyRuleSettings) -> Contour:
    """The numbers of a state."""
    lags = np.asarray(rules.autocorrelation_lags)
    n = jnp.maximum(state.position, 1).astype(jnp.float32)
    total = state.total.astype(jnp.float32)
    mean = total / n
    variance = jnp.maximum(state.squares.astype(jnp.float32) / n - mean**2, 0.0)
    spread = jnp.maximum(jnp.sqrt(variance), _LEAST_SPREAD)
    back = np.arange(1, max(rules.autocorrelation_lags) + 1)
    recent = jnp.stack([centred(state, int(steps)) for steps in back]).astype(jnp.float32)
    is_there = state.position >= back
    opening = state.opening.astype(jnp.float32)
    ends = opening + jnp.cumsum(recent)[lags - 1]
    covariances = (
        state.products.astype(jnp.float32) - mean * (2 * total - ends) + (n - lags) * mean**2
    )
    is_known = (n > lags) & (variance > 0)
    coefficients = covariances / (n * jnp.maximum(variance, 1e-3))
    return Contour(
        n,
        mean,
        spread,
        jnp.where(is_known, coefficients, 0.0).astype(jnp.float32),
        jnp.where(is_there, (recent - mean) / spread, 0.0),
        (opening - jnp.minimum(n, lags) * mean) / (spread * lags),
    )


def autocorrelation_inputs(state: RuleState, rules: MelodyRuleSettings) -> Float[Array, " inputs"]:
    """Numbers near one each: the contour, its products, its intervals, and margins in tokens.

    A margin is the coefficient less its limit, times n/4: about how many tokens can change it.
    """
    n, mean, spread, r, last, opening = contour_of(state, rules)
    limit = rules.autocorrelation_threshold
    products = (last[:, None] * last)[np.triu_indices(len(last))]
    size = jnp.stack([n / len(state.tokens), 4 / n, mean / _SPREAD, spread / _SPREAD])
    margins = jnp.concatenate([r - limit, r + limit]) * n / 4
    return jnp.concatenate(
        [
            size,
            jnp.log(spread)[None],
            2 * r,
            r * n / 8,
            jnp.clip(margins, -_FURTHEST, _FURTHEST),
            last / 2,
            opening / 2,
            products / 2,
            intervals(r, COEFFICIENTS),
            intervals(last, DEVIATIONS),
        ]
    )


def intervals(
    numbers: Float[Array, " numbers"], ends: Float[np.ndarray, " ends"]
) -> Float[Array, " inputs"]:
    """What share of each interval between two ends lies below each number, all in one row."""
    below = (numbers[:, None] - ends[:-1]) / np.diff(ends)
    return jnp.clip(below, 0.0, 1.0).reshape(-1)
