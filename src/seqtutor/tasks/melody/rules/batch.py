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
from seqtutor.tasks.melody.settings import BatchRuleSettings


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
    tokens: Int[Array, "batch time"], rules: MelodyRuleSettings
) -> Float[Array, "batch time"]:
    """The melodies of a batch are not correlated with themselves on average.

    r_t = −Σ_k m_k·ρ_k over the lags k of the rules, with ρ_k the melody's autocorrelation over
    tokens 0 … t and m_k the mean of it over the other melodies of the batch: a melody pays for a
    coefficient of the sign that prevails. It is the gradient of −½ Σ_k m_k² with respect to a
    melody, and 0 where coefficients are undefined or before `autocorrelation_first_step`.
    """
    reward = jnp.zeros(tokens.shape, jnp.result_type(float))
    for coefficients in autocorrelations(tokens, rules.autocorrelation_lags):
        own = jnp.nan_to_num(coefficients)
        others = (own.sum(axis=0) - own) / max(len(tokens) - 1, 1)
        reward -= others * own
    is_judged = jnp.arange(tokens.shape[1]) >= rules.autocorrelation_first_step - 1
    return jnp.where(is_judged, reward, 0.0)


@compiled
@dataclass(frozen=True)
class BatchReward:
    """The rules about a batch as a reward function: one term a rule, not yet weighted."""

    settings: BatchRuleSettings
    rules: MelodyRuleSettings

    def __call__(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> dict[str, Float[Array, "batch time"]]:
        """What every rule gives at every step, zero where the mask is false."""
        terms = {
            "common_opening": common_opening(tokens, self.settings),
            "mean_autocorrelation": mean_autocorrelation(tokens, self.rules),
        }
        return {name: jnp.where(mask, term, 0.0) for name, term in terms.items()}
