"""The highest and the lowest note."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.tasks.melody.encoding import LOWEST_PITCH_TOKEN, VOCABULARY_SIZE
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import is_note, melody_lengths


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class UniqueExtremes:
    """Whether the highest and the lowest note of each melody occur once."""

    highest: Bool[Array, " batch"]
    lowest: Bool[Array, " batch"]


def unique_extremes(
    tokens: Int[Array, "batch time"],
    settings: MelodyRuleSettings,
    lengths: Int[Array, " batch"] | None = None,
) -> UniqueExtremes:
    """Look at the first L tokens of each melody; see `high_low_unique`."""
    within = jnp.arange(tokens.shape[1]) < melody_lengths(tokens, settings, lengths)
    tops = jnp.where(within, tokens, -1)
    highest = tops.max(axis=1, keepdims=True)
    is_highest_unique = (tops == highest).sum(axis=1) == 1
    if settings.highest_note_ignores_rests:
        is_highest_unique &= highest[:, 0] >= LOWEST_PITCH_TOKEN
    bottoms = jnp.where(within & is_note(tokens), tokens, VOCABULARY_SIZE)
    lowest = bottoms.min(axis=1, keepdims=True)
    is_lowest_unique = ((bottoms == lowest).sum(axis=1) == 1) & (lowest[:, 0] < VOCABULARY_SIZE)
    return UniqueExtremes(is_highest_unique, is_lowest_unique)


def high_low_unique(
    tokens: Int[Array, "batch time"],
    settings: MelodyRuleSettings,
    lengths: Int[Array, " batch"] | None = None,
) -> Float[Array, "batch time"]:
    """A melody has one climax: its highest note occurs once, and so does its lowest.

    (Gauldin, as cited by Jaques et al. 2017, section 4.) At the last step t = L − 1,
    r_t = `unique_note_reward` (3) if the largest of all tokens so far occurs once, plus the same
    if the smallest pitch does; 0 at all other steps. If `unique_highest_reward` is set, the first
    earns that. `lengths` gives L for each melody where they differ.

    A single note is both. Without notes, the only hold among rests, or a single rest, is a highest
    note, unless `highest_note_ignores_rests`.
    """
    last_step = melody_lengths(tokens, settings, lengths) - 1
    unique = unique_extremes(tokens, settings, lengths)
    of_lowest, of_highest = settings.unique_note_reward, settings.unique_highest_reward
    of_highest = of_lowest if of_highest is None else of_highest
    earned = of_highest * unique.highest + of_lowest * unique.lowest
    is_last = jnp.arange(tokens.shape[1]) == last_step
    return jnp.where(is_last, earned[:, None], 0.0)
