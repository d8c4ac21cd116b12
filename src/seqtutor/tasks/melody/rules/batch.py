"""A rule about many melodies together: what one earns depends on the others of its batch.

That many begin alike, no rule about a single melody can forbid. Means over melodies are matters of
`rows.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.rewards import compiled
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


@compiled
@dataclass(frozen=True)
class BatchReward:
    """The rule about a batch as a reward function, not yet weighted."""

    settings: BatchRuleSettings

    def __call__(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> dict[str, Float[Array, "batch time"]]:
        """What every step pays, zero where the mask is false."""
        return {"common_opening": jnp.where(mask, common_opening(tokens, self.settings), 0.0)}
