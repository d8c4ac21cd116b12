"""Rules of tonality: stay in the key, begin and end on the tonic."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from seqtutor.tasks.melody.encoding import (
    HOLD,
    LOWEST_PITCH_TOKEN,
    NOTE_OFF,
    TOKEN_TO_MIDI,
    VOCABULARY_SIZE,
)
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import is_note, melody_lengths, previous_note
from seqtutor.tasks.scores.keys import Key

MIDDLE_C = 60 - TOKEN_TO_MIDI
"""The token of middle C."""


def tonic_token(settings: MelodyRuleSettings) -> int:
    """The token that counts as the tonic: the one from middle C (C major) up to the B above it.

    That octave is the middle one of the three that the tokens span. Of a transposed melody it is
    the octave of the melody as it sounds.
    """
    return MIDDLE_C + settings.tonic_pitch_class - settings.semitones


def degrees_above_tonic(settings: MelodyRuleSettings) -> Int[np.ndarray, " token"]:
    """Semitones from the tonic up to each token's pitch class; -1 for note-off and hold."""
    degrees = (np.arange(VOCABULARY_SIZE) - tonic_token(settings)) % 12
    degrees[:LOWEST_PITCH_TOKEN] = -1
    return degrees


def tokens_in_key(settings: MelodyRuleSettings) -> Bool[np.ndarray, " token"]:
    """True for every token that the key allows; note-off and hold always are."""
    scale = Key(0, settings.mode).scale
    return np.isin(degrees_above_tonic(settings), [-1, *scale])


def is_out_of_key(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Bool[Array, "batch time"]:
    """True for every pitch that the key does not hold."""
    return jnp.asarray(~tokens_in_key(settings))[tokens]


def key(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Float[Array, "batch time"]:
    """All notes belong to one key (Gauldin, as cited by Jaques et al. 2017, section 4).

    r_t = `key_penalty` (−1) if token t is a pitch outside the scale of the mode, else 0. The raised
    sixth and seventh of minor count as outside. A pitch counts once, however long it is held.
    """
    return jnp.where(is_out_of_key(tokens, settings), settings.key_penalty, 0.0)


def is_tonic(tokens: Int[Array, "*shape"], settings: MelodyRuleSettings) -> Bool[Array, "*shape"]:
    """True for the tonic, of the middle octave or of any."""
    if settings.tonic_in_any_octave:
        return jnp.asarray(degrees_above_tonic(settings) == 0)[tokens]
    return tokens == tonic_token(settings)


def starts_with_tonic(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Bool[Array, " batch"]:
    """True for every melody whose first token is the tonic."""
    return is_tonic(tokens[:, 0], settings)


def tonic(
    tokens: Int[Array, "batch time"],
    settings: MelodyRuleSettings,
    lengths: Int[Array, " batch"] | None = None,
) -> Float[Array, "batch time"]:
    """A melody begins and ends on the tonic (Gauldin, as cited by Jaques et al. 2017).

    With L the melody's length and b = `tonic_bar`, r_t = `tonic_reward` (3) if

    - t = 0 or t = L − b, the first step of the last bar, and token t is the tonic;
    - t = L − b + 1 and token t is a hold, so that the final tonic sounds on;
    - L − b + 1 < t < L and token t is a hold or a note-off;

    else 0; at t = 0 it is `tonic_opening_reward`, if that is set. The tonic is one pitch, that of
    the octave from middle C (`tonic_token`), or one of any octave with `tonic_in_any_octave`.
    `lengths` gives L for each melody where they differ.

    Holds and rests of the close are paid whatever the last note is, which the name does not say: a
    melody that ends on E, held through the last bar, earns 9 in D minor. With
    `tonic_close_on_tonic`, step t ≥ L − b is paid if the last note up to it is the tonic, and token
    t is this note, a hold, or a note-off after L − b + 1.
    """
    steps = jnp.arange(tokens.shape[1])
    length = melody_lengths(tokens, settings, lengths)
    last_bar = length - settings.tonic_bar
    is_here = is_tonic(tokens, settings)
    holding = (steps == last_bar + 1) & (tokens == HOLD)
    ending = (steps > last_bar + 1) & (steps < length) & ((tokens == HOLD) | (tokens == NOTE_OFF))
    if settings.tonic_close_on_tonic:
        in_close = (steps >= last_bar) & (steps < length)
        last_note = jnp.where(is_note(tokens), tokens, previous_note(tokens))
        sounds = in_close & (is_here | (tokens == HOLD) | ending) & is_tonic(last_note, settings)
        fits = ((steps == 0) & is_here) | sounds
    else:
        opening_or_close = (steps == 0) | (steps == last_bar)
        fits = (opening_or_close & is_here) | ((steps > 0) & (holding | ending))
    opening = settings.tonic_opening_reward
    at_start = settings.tonic_reward if opening is None else opening
    return jnp.where(fits, jnp.where(steps == 0, at_start, settings.tonic_reward), 0.0)
