"""Rules of motifs: play small musical ideas, and come back to them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.tasks.melody.encoding import LOWEST_PITCH_TOKEN, VOCABULARY_SIZE
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import running_sum, shifted

_BITS_PER_WORD = 32
_TOKEN_BITS = (VOCABULARY_SIZE - 1).bit_length()
_TOKENS_PER_WORD = _BITS_PER_WORD // _TOKEN_BITS


def distinct_pitches(tokens: Int[Array, "batch time"], window: int) -> Int[Array, "batch time"]:
    """How many different pitches the last `window` tokens hold, fewer tokens at the beginning."""
    count = jnp.zeros(tokens.shape, jnp.int32)
    for first in range(LOWEST_PITCH_TOKEN, VOCABULARY_SIZE, _BITS_PER_WORD):
        bit = tokens - first
        is_here = (bit >= 0) & (bit < _BITS_PER_WORD)
        heard = jnp.where(is_here, jnp.uint32(1) << bit.astype(jnp.uint32), jnp.uint32(0))
        count += jax.lax.population_count(_sliding_or(heard, window)).astype(jnp.int32)
    return count


def _sliding_or(bits: Int[Array, "batch time"], window: int) -> Int[Array, "batch time"]:
    """The union of the last `window` bit sets, in log₂(window) steps."""
    covered = 1
    while covered < window:
        step = min(covered, window - covered)
        bits = bits | shifted(bits, step)
        covered += step
    return bits


def is_motif(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Bool[Array, "batch time"]:
    """True where the last `motif_window` tokens hold enough different pitches."""
    has_whole_window = jnp.arange(tokens.shape[1]) >= settings.motif_window - 1
    pitches = distinct_pitches(tokens, settings.motif_window)
    return has_whole_window & (pitches >= settings.motif_minimum_pitches)


def is_repeated_motif(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Bool[Array, "batch time"]:
    """True where the last `motif_window` tokens are a motif that was played before."""
    window, time = settings.motif_window, tokens.shape[1]
    if time < 2 * window:
        return jnp.zeros(tokens.shape, bool)
    # The last steps of the window that repeats and of the one that it repeats.
    later, earlier = slice(2 * window - 1, time), slice(window - 1, time - window)
    steps = jnp.arange(time)
    same = steps[later, None] - steps[None, earlier] >= window
    # Two windows are equal where all their words are; the words hold several tokens each.
    for offset in range(0, window, _TOKENS_PER_WORD):
        words = _packed(tokens, offset, min(_TOKENS_PER_WORD, window - offset))
        same = same & (words[:, later, None] == words[:, None, earlier])
    heard_before = jnp.pad(same.any(axis=2), ((0, 0), (2 * window - 1, 0)))
    return heard_before & is_motif(tokens, settings)


def _packed(tokens: Int[Array, "batch time"], offset: int, count: int) -> Int[Array, "batch time"]:
    """The `count` tokens that end `offset` steps before each step, in one integer."""
    words = jnp.zeros_like(tokens)
    for place in range(count):
        words = (words << _TOKEN_BITS) | shifted(tokens, offset + place)
    return words


def _per_pitch(
    tokens: Int[Array, "batch time"],
    settings: MelodyRuleSettings,
    reward: float,
    per_further_pitch: float,
) -> Float[Array, "batch time"]:
    pitches = distinct_pitches(tokens, settings.motif_window)
    return reward + per_further_pitch * (pitches - settings.motif_minimum_pitches)


def motif(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Float[Array, "batch time"]:
    """A melody is made of motifs, short musical ideas of several different notes.

    (Jaques et al. 2017, section 4.) With d the number of different pitches among the last
    `motif_window` (8) tokens, r_t = `motif_reward` (3) + `motif_reward_per_further_pitch` (0.3)
    · (d − 3) if d ≥ `motif_minimum_pitches` (3), else 0. 0 as long as fewer tokens were played.

    Any three pitches within half a bar are a motif, wherever the window begins, and each of its
    steps is paid anew: the rule asks for movement. `motif_window` 16 looks at whole bars.
    """
    amount = _per_pitch(
        tokens, settings, settings.motif_reward, settings.motif_reward_per_further_pitch
    )
    return jnp.where(is_motif(tokens, settings), amount, 0.0)


def repeated_motif(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Float[Array, "batch time"]:
    """A motif comes back: repetition is what makes listeners engage with music.

    (Livingstone et al. 2012, as cited by Jaques et al. 2017, section 4.) If the last
    `motif_window` (8) tokens are a motif of d different pitches and the very same tokens were
    played before, at any earlier step and without overlap, r_t = `repeated_motif_reward` (4) +
    `repeated_motif_reward_per_further_pitch` (1) · (d − 3), else 0.

    A repetition at another pitch earns nothing, and each step of a melody that goes round in
    circles earns it. With a `repeated_motif_limit` only that many steps of a melody do.
    """
    repeated = is_repeated_motif(tokens, settings)
    if settings.repeated_motif_limit is not None:
        repeated &= running_sum(repeated.astype(jnp.int32)) <= settings.repeated_motif_limit
    amount = _per_pitch(
        tokens,
        settings,
        settings.repeated_motif_reward,
        settings.repeated_motif_reward_per_further_pitch,
    )
    return jnp.where(repeated, amount, 0.0)
