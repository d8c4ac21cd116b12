"""The nine rules together, as a reward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.rewards import compiled
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import melody_lengths
from seqtutor.tasks.melody.rules.autocorrelation import penalize_autocorrelation
from seqtutor.tasks.melody.rules.extremes import high_low_unique
from seqtutor.tasks.melody.rules.intervals import preferred_intervals
from seqtutor.tasks.melody.rules.leaps import leap_up_back
from seqtutor.tasks.melody.rules.motif import motif, repeated_motif
from seqtutor.tasks.melody.rules.repetition import penalize_repeating
from seqtutor.tasks.melody.rules.tonality import key, tonic

Rule = Callable[[Int[Array, "batch time"], MelodyRuleSettings], Float[Array, "batch time"]]

RULES: dict[str, Rule] = {
    "key": key,
    "tonic": tonic,
    "penalize_repeating": penalize_repeating,
    "penalize_autocorrelation": penalize_autocorrelation,
    "motif": motif,
    "repeated_motif": repeated_motif,
    "preferred_intervals": preferred_intervals,
    "leap_up_back": leap_up_back,
    "high_low_unique": high_low_unique,
}
"""The rules by name, in the order in which they are summed."""


def rule_rewards(
    tokens: Int[Array, "batch time"],
    settings: MelodyRuleSettings,
    lengths: Int[Array, " batch"] | None = None,
) -> dict[str, Float[Array, "batch time"]]:
    """What every rule gives at every step, by name, in the order of `RULES`.

    Args:
        tokens: melodies.
        settings: key, lengths and rewards.
        lengths: the length of each melody where they differ, in steps; else all have
            `settings.melody_length`, or that of the array. Steps past the end earn nothing.

    Under `jax.jit` the compiler merges what several rules need, such as the previous note, so that
    they can stay separate functions here.
    """
    of_length: dict[str, Rule] = {
        "tonic": partial(tonic, lengths=lengths),
        "high_low_unique": partial(high_low_unique, lengths=lengths),
    }
    within = jnp.arange(tokens.shape[1]) < melody_lengths(tokens, settings, lengths)
    return {
        name: jnp.where(within, of_length.get(name, rule)(tokens, settings), 0.0)
        for name, rule in RULES.items()
    }


@compiled
@dataclass(frozen=True)
class MelodyReward:
    """The nine rules as a reward function: one term a rule, not yet weighted."""

    settings: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)

    def __call__(
        self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> dict[str, Float[Array, "batch time"]]:
        """What every rule gives at every step, zero where the mask is false."""
        rewards = rule_rewards(tokens, self.settings)
        return {name: jnp.where(mask, reward, 0.0) for name, reward in rewards.items()}
