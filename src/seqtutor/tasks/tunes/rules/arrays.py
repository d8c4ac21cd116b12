"""What the rules share: bars compared with each other, degrees of the scale, what sounds when."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from seqtutor.tasks.tunes.layout import SLOTS, UNITS_PER_SLOT, Layout

_STEPS = np.array([0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12])
"""Twice the place of a pitch class in the scale of the white keys; black keys are odd numbers, but
for those between E and F, and B and C, where there is none."""


def compared(layout: Layout) -> Bool[Array, "batch bars earlier slots"]:
    """The slots that each two bars have both: the last bar may be shorter."""
    within = jnp.arange(SLOTS) * UNITS_PER_SLOT < layout.lengths[:, :, None]
    return within[:, :, None] & within[:, None] & layout.used[:, None]


def are_earlier(bars: int) -> Bool[np.ndarray, "bars earlier"]:
    """Whether the second bar comes before the first."""
    return np.tril(np.ones((bars, bars), bool), -1)


def same_rhythm(layout: Layout) -> Bool[Array, "batch bars earlier"]:
    """Whether notes begin in the same slots of two bars, as far as both go, and there are any."""
    differ = layout.begins[:, :, None] != layout.begins[:, None]
    filled = layout.begins.any(axis=2)
    alike = ~(differ & compared(layout)).any(axis=3)
    return alike & filled[:, :, None] & filled[:, None]


def same_bars(layout: Layout) -> Bool[Array, "batch bars earlier"]:
    """Whether two bars are the same, note for note, as far as both go."""
    differ = layout.pitch[:, :, None] != layout.pitch[:, None]
    return same_rhythm(layout) & ~(differ & compared(layout)).any(axis=3)


def scale_steps(pitch: Int[Array, "*shape"]) -> Int[Array, "*shape"]:
    """Where pitches lie on the scale of the white keys, two for each step."""
    return 14 * (pitch // 12) + jnp.asarray(_STEPS)[pitch % 12]


def degree(pitch: Int[Array, " batch"], tonic: Int[Array, " batch"]) -> Int[Array, " batch"]:
    """Semitones from the tonic up to a pitch, whatever the octave."""
    return (pitch - tonic) % 12


def on_beats(layout: Layout) -> Bool[Array, "batch 1 slots"]:
    """The slots in which the beats of a full bar begin."""
    units = jnp.arange(SLOTS) * UNITS_PER_SLOT
    return layout.used & (units % layout.beat_units[:, None] == 0)[:, None]


def last_beat_pitch(layout: Layout, bar: int) -> Int[Array, " batch"]:
    """What sounds when the last beat of a bar begins, 0 for silence."""
    slot = (layout.bar_units - layout.beat_units) // UNITS_PER_SLOT
    return jnp.take_along_axis(layout.pitch[:, bar], slot[:, None], axis=1)[:, 0]
