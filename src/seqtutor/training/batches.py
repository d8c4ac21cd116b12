"""Batches of sequences of similar length, so that little of a batch is padding."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

WINDOW = 64
"""Number of batches whose sequences are sorted together: more need less padding and mix less."""
WIDTH_STEP = 8
"""Batches are cut to a multiple of this number of columns; each width is compiled once."""


def lengths_of(mask: Bool[np.ndarray, "sequences time"]) -> Int[np.ndarray, " sequences"]:
    """Number of columns up to the last token of each sequence."""
    return mask.shape[1] - np.argmax(mask[:, ::-1], axis=1)


def batches_of_like_length(
    lengths: Int[np.ndarray, " sequences"], batch: int, generator: np.random.Generator
) -> Int[np.ndarray, "batches batch"]:
    """The rows of each batch of one epoch, in random order.

    Shuffles all rows, sorts them by length within windows of `WINDOW` batches, and shuffles the
    batches of each window. If all sequences have one length, rows are only shuffled. Rows that do
    not fill a batch are left out.
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
    """Number of columns that a batch needs: its longest sequence, rounded up to `WIDTH_STEP`."""
    return min(most, -(-int(lengths.max()) // WIDTH_STEP) * WIDTH_STEP)
