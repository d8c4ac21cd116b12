"""Discriminators as rewards, and the game of a generator and a discriminator.

`discriminator_reward(folder)` is the reward of a trained discriminator, for any task of its
vocabulary. `seqtutor.adversarial.game` plays the game; `seqtutor.play` is its short form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqtutor.adversarial.reward import discriminator_reward

__all__ = ["discriminator_reward"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: the settings of this package are read without JAX.
    if name == "discriminator_reward":
        from seqtutor.adversarial.reward import discriminator_reward

        return discriminator_reward
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
