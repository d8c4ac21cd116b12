"""Melodic intervals: which interval each step makes, and which are preferred."""

from __future__ import annotations

from enum import IntEnum

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from seqtutor.tasks.melody.encoding import (
    HOLD,
    LOWEST_PITCH_TOKEN,
    NOTE_OFF,
    VOCABULARY_SIZE,
)
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.arrays import previous_note
from seqtutor.tasks.melody.rules.tonality import degrees_above_tonic, tokens_in_key
from seqtutor.tasks.scores.keys import Key

_MINOR_THIRD, _MAJOR_THIRD, _FIFTH = 3, 4, 7


class IntervalClass(IntEnum):
    """The intervals that are more than a number of semitones.

    A plain interval is its unsigned number of semitones, 0 to 35; 0 also stands for a first note
    and for whatever comes before it.
    """

    REST = 36
    HOLD = 37
    REST_AFTER_TONIC_OR_FIFTH = 38
    HOLD_AFTER_TONIC_OR_FIFTH = 39
    IN_KEY_FIFTH = 40
    IN_KEY_THIRD = 41


def interval_table(settings: MelodyRuleSettings) -> Int[np.ndarray, "previous token"]:
    """The interval from every previous note (0: none yet) to every token."""
    tokens = np.arange(VOCABULARY_SIZE)
    table = np.abs(tokens[None, :] - tokens[:, None])
    degrees = degrees_above_tonic(settings)[:, None]
    tonic_or_fifth = np.isin(degrees, (0, _FIFTH))
    third = _MAJOR_THIRD if _MAJOR_THIRD in Key(0, settings.mode).scale else _MINOR_THIRD
    thirds = (table == third) & np.isin(degrees, (0, third))
    if settings.in_key_third_stays_in_key:
        thirds &= tokens_in_key(settings)[None, :]
    table[(table == _FIFTH) & tonic_or_fifth] = IntervalClass.IN_KEY_FIFTH
    table[thirds] = IntervalClass.IN_KEY_THIRD
    for token, after_tonic_or_fifth, after_other in (
        (NOTE_OFF, IntervalClass.REST_AFTER_TONIC_OR_FIFTH, IntervalClass.REST),
        (HOLD, IntervalClass.HOLD_AFTER_TONIC_OR_FIFTH, IntervalClass.HOLD),
    ):
        table[:, token] = np.where(tonic_or_fifth[:, 0], after_tonic_or_fifth, after_other)
    table[:LOWEST_PITCH_TOKEN] = 0
    return table


def reward_of_interval(settings: MelodyRuleSettings) -> Float[np.ndarray, " interval"]:
    """The scaled reward of every interval, plain (semitones) and special (`IntervalClass`)."""
    rewards = settings.intervals
    table = np.full(max(IntervalClass) + 1, rewards.beyond_octave)
    table[: len(rewards.by_semitones)] = rewards.by_semitones
    table[IntervalClass.REST] = rewards.rest
    table[IntervalClass.HOLD] = rewards.hold
    table[IntervalClass.REST_AFTER_TONIC_OR_FIFTH] = rewards.rest_after_tonic_or_fifth
    table[IntervalClass.HOLD_AFTER_TONIC_OR_FIFTH] = rewards.hold_after_tonic_or_fifth
    table[IntervalClass.IN_KEY_FIFTH] = rewards.in_key_fifth
    table[IntervalClass.IN_KEY_THIRD] = rewards.in_key_third
    return settings.interval_scale * table


def intervals(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Int[Array, "batch time"]:
    """The interval of each step from the last pitch before it; see `IntervalClass`."""
    return jnp.asarray(interval_table(settings))[previous_note(tokens), tokens]


def preferred_intervals(
    tokens: Int[Array, "batch time"], settings: MelodyRuleSettings
) -> Float[Array, "batch time"]:
    """A melody moves by a mixture of small steps and harmonic intervals, and mostly by the former.

    (Gauldin, as cited by Jaques et al. 2017, section 4: no awkward intervals such as sevenths, no
    jump of more than an octave.) r_t = `interval_scale` (5) × the entry of `intervals` for the
    interval from the last pitch to token t: rest 0.05, hold 0.075, after the tonic or fifth 0.15
    and 0.3; fifth from the tonic or fifth 0.1; third from the tonic or third 0.15; otherwise 2
    semitones 0.08, 4 0.09, 5 0.07, 7 0.02, 9 0.05, 11 −0.3, more than 12 −1, all else 0. In
    minor, Dorian and Phrygian the in-key third is three semitones.

    Rests and holds, which are no intervals, are paid at every step for as long as they last: a long
    tonic or fifth earns more than any interval. An in-key third may leave the key, as from E to
    G sharp in C major. The rests and holds of `IntervalRewards` at 0, and
    `in_key_third_stays_in_key`, mend that.
    """
    table = reward_of_interval(settings)[interval_table(settings)]
    rewards = jnp.asarray(table, jnp.result_type(float))
    return rewards[previous_note(tokens), tokens]
