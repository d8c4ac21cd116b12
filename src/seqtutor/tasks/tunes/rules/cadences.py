"""How phrases close: half way on the dominant, at the end on a long tonic, ready to begin again."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from seqtutor.tasks.tunes.layout import Layout
from seqtutor.tasks.tunes.rules.arrays import degree, last_beat_pitch

DOMINANT = (2, 7, 10, 11)
"""Semitones from the tonic to the notes of the dominant chord: second, fifth and seventh degree,
this one lowered, too, as in Dorian, Mixolydian and natural minor."""


def half_cadence(layout: Layout) -> Float[Array, " batch"]:
    """The first half is left open: it ends on the dominant (Caplin 1998, ch. 2 and 4).

    1 if what sounds on the last beat of the middle bar is the second, fifth or seventh degree.
    """
    pitch = last_beat_pitch(layout, layout.pitch.shape[1] // 2 - 1)
    found = jnp.isin(degree(pitch, layout.tonic), jnp.asarray(DOMINANT))
    return (found & (pitch > 0)).astype(jnp.float32)


def tonic_close(layout: Layout) -> Float[Array, " batch"]:
    """The last note is the tonic, in any octave (Caplin 1998, ch. 2: perfect authentic cadence)."""
    at_home = degree(layout.last_pitch, layout.tonic) == 0
    return (at_home & (layout.last_pitch > 0)).astype(jnp.float32)


def long_close(layout: Layout) -> Float[Array, " batch"]:
    """The last note is long and begins on a beat.

    (Lerdahl & Jackendoff 1983, ch. 3 and 4: length closes a group and marks a strong beat; Huron
    2006, ch. 9.) 1 if it begins on a beat of its bar and is longer than the phrase's mean note.
    """
    notes = jnp.maximum((layout.note_pitch > 0).sum(axis=1), 1)
    total = layout.lengths.sum(axis=1)
    on_beat = layout.last_place % layout.beat_units == 0
    return (on_beat & (layout.last_units * notes > total)).astype(jnp.float32)


def repeatable(layout: Layout) -> Float[Array, " batch"]:
    """The tune can be played again in time: its last bar and its upbeat are a full bar together.

    (The custom of notation: Gould 2011.)
    """
    return (layout.upbeat + layout.lengths[:, -1] == layout.bar_units).astype(jnp.float32)
