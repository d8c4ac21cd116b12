"""The harmony that a melody implies."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from seqtutor.tasks.tunes.layout import Layout
from seqtutor.tasks.tunes.rules.arrays import on_beats

_ROOTS = (0, 2, 4, 5, 7, 9)
_SCALE = (0, 2, 4, 5, 7, 9, 11)
_TRIADS = np.array(
    [[_SCALE[(_SCALE.index(root) + third) % 7] for third in (0, 2, 4)] for root in _ROOTS]
)
"""The pitch classes of the major and minor triads of the white keys."""
MEMBERS = (np.arange(12) == _TRIADS[..., None]).any(axis=1)
"""Whether each triad has each pitch class."""


def one_harmony(layout: Layout) -> Float[Array, "batch bars"]:
    """The notes on the beats of a bar belong to one chord of the key.

    (Temperley 2001, ch. 6: a melody implies roots with which its notes are compatible, on strong
    beats above all.) 1/B for each of the B bars of which what sounds on the beats belongs to one
    major or minor triad of the scale.
    """
    bars = layout.pitch.shape[1]
    heard = on_beats(layout) & (layout.pitch > 0)
    fits = jnp.asarray(MEMBERS)[:, layout.pitch % 12] | ~heard
    return (fits.all(axis=3).any(axis=0) & heard.any(axis=2)) / bars
