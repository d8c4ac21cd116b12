"""The likelihood of a vote between two sequences: Bradley–Terry with ties and a position term.

With utilities u, the difference d = u(left) − u(right), a bias b towards the left side and ν ≥ 0:

    P(left) : P(tie) : P(right) = e^((d + b)/2) : ν : e^(−(d + b)/2)

(Davidson 1970, "On extending the Bradley–Terry model to accommodate ties", eq. 2.1; the bias is the
order effect of Davidson & Beaver 1977 on the scale of d.) ν = 0 is the model of Bradley & Terry
(1952), P(left) = σ(d + b). A vote's score is 1 for the left side, 0 for the right one and ½ for a
tie.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

PerVote = Float[Array, " votes"]


def outcome_log_probabilities(
    differences: PerVote, log_tie: float | Float[Array, ""] | None, bias: float | Float[Array, ""]
) -> Float[Array, "votes outcome"]:
    """Log P of left, tie and right.

    Args:
        differences: d of each vote.
        log_tie: log ν; `None` for ν = 0, where a tie has the log-probability −∞.
        bias: b.
    """
    half = (differences + bias) / 2
    if log_tie is None:
        left, right = jax.nn.log_sigmoid(2 * half), jax.nn.log_sigmoid(-2 * half)
        return jnp.stack([left, jnp.full_like(left, -jnp.inf), right], axis=-1)
    tie = jnp.full_like(half, log_tie)
    return jax.nn.log_softmax(jnp.stack([half, tie, -half], axis=-1), axis=-1)


def vote_log_likelihood(
    scores: PerVote,
    differences: PerVote,
    log_tie: float | Float[Array, ""] | None = None,
    bias: float | Float[Array, ""] = 0.0,
) -> PerVote:
    """Log P of each vote.

    Without ties, a score s between 0 and 1 counts as s votes for the left side and 1 − s for the
    right one, so that a tie is half a vote for each.
    """
    logs = outcome_log_probabilities(differences, log_tie, bias)
    decided = scores * logs[:, 0] + (1 - scores) * logs[:, 2]
    if log_tie is None:
        return decided
    return jnp.where(scores == 0.5, logs[:, 1], decided)
