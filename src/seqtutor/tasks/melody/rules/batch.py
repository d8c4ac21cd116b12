"""Rules about many melodies together: what one earns depends on the others of its batch.

What a table says of a policy's melodies as a whole, such as that many begin alike, no rule about a
single melody can ask for (Khalifa et al. 2021 on such constraints on distributions).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.rewards import compiled
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.autocorrelation import autocorrelations
from seqtutor.tasks.melody.rules.motif import is_repeated_motif
from seqtutor.tasks.melody.settings import BatchRuleSettings

LAGS = (1, 2, 3)
"""The lags of `autocorrelation_aims`, in steps; those of Table 1."""


def common_opening(
    tokens: Int[Array, "batch time"], settings: BatchRuleSettings
) -> Float[Array, "batch time"]:
    """No opening is much commoner than the commonest of real tunes.

    Let f be the share of the other melodies of the batch that begin with the same `opening_steps`
    tokens, and s `opening_share`. At the last of these steps r_t = −log(f/s) if f > s, else 0.

    A policy that learns from this comes to rest where no opening gains on another. Let q be the
    shares of openings at the optimum of E[r]/c − KL without this reward, and w its weight over c.
    Then the shares are q/Z where this is at most s, and s·(q/(Z·s))^(1/(1 + w)) where it is more; Z
    makes their sum one.
    """
    steps = min(settings.opening_steps, tokens.shape[1])
    openings = tokens[:, :steps]
    same = (openings[:, None] == openings).all(axis=2)
    others = (same.sum(axis=1) - 1) / max(len(tokens) - 1, 1)
    excess = jnp.log(jnp.maximum(others / settings.opening_share, 1.0))
    return jnp.zeros(tokens.shape, excess.dtype).at[:, steps - 1].set(-excess)


def mean_autocorrelation(
    tokens: Int[Array, "batch time"], settings: BatchRuleSettings
) -> Float[Array, " batch"]:
    """The mean autocorrelation of the melodies is pulled to an aim at each of `LAGS`.

    A melody earns Σ_k (a_k − m_k)·ρ_k, with ρ_k its own coefficient (0 if undefined), m_k the mean
    of the others of the batch and a_k `autocorrelation_aims`; see `towards`.
    """
    own = [jnp.nan_to_num(one[:, -1]) for one in autocorrelations(tokens, LAGS)]
    pairs = zip(own, settings.autocorrelation_aims, strict=True)
    return jnp.stack([towards(coefficients, aim) for coefficients, aim in pairs]).sum(axis=0)


def returning_motif(
    tokens: Int[Array, "batch time"], settings: BatchRuleSettings, rules: MelodyRuleSettings
) -> Float[Array, " batch"]:
    """The share of the melodies in which a motif returns is pulled to `returning_motif_aim`."""
    returns = is_repeated_motif(tokens, rules).any(axis=1).astype(jnp.result_type(float))
    return towards(returns, settings.returning_motif_aim)


def towards(values: Float[Array, " batch"], aim: float) -> Float[Array, " batch"]:
    """What pulls the mean of a number that each melody has to an aim: (aim − m)·value.

    m is the mean of the others' values. With the weight w this is w times the gradient of
    −½(E[value] − aim)², so that what is maximised is E[r]/c − KL − (w/2c)·Σ(E[value] − aim)²: a
    concave function of the policy, with one optimum, at which the values are weighted by
    λ = (w/c)·(aim − E[value]). The mean comes to rest λ·c/w from the aim.
    """
    others = (values.sum() - values) / max(len(values) - 1, 1)
    return (aim - others) * values


@compiled
@dataclass(frozen=True)
class BatchReward:
    """The rules about a batch as a reward function: one term a rule, not yet weighted."""

    settings: BatchRuleSettings
    rules: MelodyRuleSettings

    def __call__(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> dict[str, Float[Array, "..."]]:
        """What every step pays, zero where the mask is false, or what a melody earns at its end."""
        opening = jnp.where(mask, common_opening(tokens, self.settings), 0.0)
        return {
            "common_opening": opening,
            "mean_autocorrelation": mean_autocorrelation(tokens, self.settings),
            "returning_motif": returning_motif(tokens, self.settings, self.rules),
        }
