"""The common opening: a melody that begins as many others do pays for it."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.rewards import compiled
from seqtutor.tasks.melody.settings import OpeningSettings


def common_opening(
    tokens: Int[Array, "batch time"], settings: OpeningSettings
) -> Float[Array, "batch time"]:
    """No opening is commoner than the commonest of real tunes.

    Let f be the share of the other melodies of the batch that begin with the same `steps` tokens. At
    the last of these steps r_t = −log(f/`share`) if f is above `share`, else 0.

    Let w be the reward's weight over c, and q the shares of the openings that the optimum of
    E[r]/c − KL would have without this reward. With it they are proportional to q where they stay
    below `share`, and to q^(1/(1 + w))·`share`^(w/(1 + w)) where they do not.
    """
    number, steps = len(tokens), min(settings.steps, tokens.shape[1])
    openings = tokens[:, :steps]
    same = (openings[:, None] == openings).all(axis=2)
    others = (same.sum(axis=1) - 1) / max(number - 1, 1)
    excess = jnp.log(jnp.maximum(others / settings.share, 1.0))
    return jnp.zeros(tokens.shape, excess.dtype).at[:, steps - 1].set(-excess)


@compiled
@dataclass(frozen=True)
class OpeningReward:
    """`common_opening` as a reward function of one term, not yet weighted."""

    settings: OpeningSettings

    def __call__(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> dict[str, Float[Array, "batch time"]]:
        """What every step pays, zero where the mask is false."""
        return {"common_opening": jnp.where(mask, common_opening(tokens, self.settings), 0.0)}
