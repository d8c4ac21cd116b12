"""Numbers that describe a melody, from which a model of preferences may learn."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.task_records import SequenceFeatures
from seqtutor.tasks.melody.encoding import HOLD, LOWEST_PITCH_TOKEN, NOTE_OFF
from seqtutor.tasks.melody.rules.arrays import is_note, previous_note, running_sum, shifted

BEAT = 4
"""Steps."""
OCTAVE = 12
STEP, SKIP = 2, 4
"""The largest intervals, in semitones, that are called so; a larger one is a leap."""
FAR = 1000
"""Beyond any token."""

_OF_STEPS = ("notes", "holds", "rests")
_OF_NOTES = ("pitch", "on the beat", *(f"pitch class {number}" for number in range(OCTAVE)))
_OF_INTERVALS = ("interval", "repeated notes", "steps", "skips", "leaps", "rising")
_OTHERS = ("range", "different pitches")

Ids = Int[Array, "batch time"]
Number = Float[Array, "batch time"]


def melody_features() -> SequenceFeatures:
    """Rhythm, pitches and intervals.

    Shares of note starts, holds and rests; of note starts that are on the beat or have a pitch
    class; of intervals that repeat, step, skip, leap or rise; the mean pitch and interval, the
    range and the number of different pitches, in octaves.
    """
    return SequenceFeatures((*_OF_STEPS, *_OF_NOTES, *_OF_INTERVALS, *_OTHERS), _of_prefixes)


def _of_prefixes(tokens: Ids, mask: Bool[Array, "batch time"]) -> Float[Array, "batch time number"]:
    note = is_note(tokens) & mask
    before = shifted(previous_note(jnp.where(mask, tokens, 0)), 1)
    interval = note & (before > 0)
    pitch = tokens - LOWEST_PITCH_TOKEN
    size = jnp.abs(tokens - before)
    of_steps = [note, tokens == HOLD, tokens == NOTE_OFF]
    of_notes = [
        pitch / OCTAVE,
        jnp.broadcast_to(jnp.arange(tokens.shape[1]) % BEAT == 0, note.shape),
    ]
    of_notes += [pitch % OCTAVE == number for number in range(OCTAVE)]
    of_intervals = [
        size / OCTAVE,
        size == 0,
        (size > 0) & (size <= STEP),
        (size > STEP) & (size <= SKIP),
        size > SKIP,
        tokens > before,
    ]
    found = [_mean(values, mask) for values in of_steps]
    found += [_mean(values, note) for values in of_notes]
    found += [_mean(values, interval) for values in of_intervals]
    return jnp.stack([*found, _range(tokens, note), _different(pitch, note)], axis=2)


def _mean(values: Array, where: Bool[Array, "batch time"]) -> Number:
    """The mean so far of those steps; 0 where there is none."""
    total = running_sum(jnp.where(where, values.astype(jnp.float32), 0.0))
    return total / jnp.maximum(running_sum(where.astype(jnp.float32)), 1.0)


def _range(tokens: Ids, note: Bool[Array, "batch time"]) -> Number:
    highest = jnp.maximum.accumulate(jnp.where(note, tokens, 0), axis=1)
    lowest = jnp.minimum.accumulate(jnp.where(note, tokens, FAR), axis=1)
    return jnp.maximum(highest - lowest, 0) / OCTAVE


def _different(pitch: Ids, note: Bool[Array, "batch time"]) -> Number:
    """Pitches that have occurred so far."""
    pitches = jnp.arange(3 * OCTAVE)
    is_each = (pitch[..., None] == pitches) & note[..., None]
    return jnp.sum(jnp.cumsum(is_each, axis=1) > 0, axis=2) / OCTAVE
