"""The range and the shape of phrases."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from seqtutor.tasks.tunes.layout import Layout

SMALLEST, LARGEST = 10, 21
"""Semitones between the lowest and the highest note of nine in ten phrases of the corpus, from the
5th to the 95th percentile (`benchmarks/form.py`)."""


def usual_range(layout: Layout) -> Float[Array, " batch"]:
    """The range is that of a voice or a fiddle in one position.

    (Huron 2006, ch. 5: melodies keep to a tessitura.) 1 if lowest and highest note are from
    `SMALLEST` to `LARGEST` semitones apart.
    """
    pitch = layout.note_pitch
    extent = pitch.max(axis=1) - jnp.where(pitch > 0, pitch, 999).min(axis=1)
    return ((extent >= SMALLEST) & (extent <= LARGEST)).astype(jnp.float32)


def arch(layout: Layout) -> Float[Array, "batch bars"]:
    """A half rises and falls: its middle bars lie above its first and its last bar.

    (Huron 1996, "The melodic arch in Western folksongs", whose phrases are arches more often than
    any other shape.) ½ for each half of the phrase whose inner bars have a higher mean pitch than
    the first and than the last bar.
    """
    bars = layout.pitch.shape[1]
    sounds = (layout.pitch > 0) & layout.used
    mean = (layout.pitch * sounds).sum(axis=2) / jnp.maximum(sounds.sum(axis=2), 1)
    halves = mean.reshape(len(mean), 2, bars // 2)
    inner = halves[:, :, 1:-1].mean(axis=2)
    found = (inner > halves[:, :, 0]) & (inner > halves[:, :, -1])
    at_end = jnp.zeros((len(mean), 2, bars // 2)).at[:, :, -1].set(found / 2)
    return at_end.reshape(len(mean), bars)
