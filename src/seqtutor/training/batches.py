"""Which sequences share a batch: those of like length, so that little of it is padding."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

WINDOW = 64
"""Batches whose sequences are sorted together. More waste less padding and mix less."""
WIDTH_STEP = 8
"""Batches are cut to a multiple of it: each width is compiled once."""


def lengths_of(mask: Bool[np.ndarray, "sequences time"]) -> Int[np.ndarray, " sequences"]:
    """Up to where each sequence has tokens."""
    return mask.shape[1] - np.argmax(mask[:, ::-1], axis=1)


def batches_of_like_length(
    lengths: Int[np.ndarray, " sequences"], batch: int, generator: np.random.Generator
) -> Int[np.ndarray, "batches batch"]:
    """The rows of each batch of an epoch, in random order; those that fill no batch are left out.

    Each epoch shuffles all rows, sorts them by length within windows of 64 batches, and shuffles
    the batches of a window again. Sequences of one length are only shuffled.
    """
    batches = len(lengths) // batch
    order = generator.permutation(len(lengths))[: batches * batch].reshape(batches, batch)
    if (lengths == lengths[:1]).all():
        return order
    for start in range(0, batches, WINDOW):
        rows = order[start : start + WINDOW].ravel()
        like = rows[np.argsort(lengths[rows], kind="stable")].reshape(-1, batch)
        order[start : start + WINDOW] = generator.permutation(like)
    return order


def padded_width(lengths: Int[np.ndarray, " batch"], most: int) -> int:
    """How many columns a batch needs: those of its longest sequence, in steps of eight."""
    return min(most, -(-int(lengths.max()) // WIDTH_STEP) * WIDTH_STEP)
