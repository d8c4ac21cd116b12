"""Given melodies, of one length or of many, as a few array shapes that compile once each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import NOTE_OFF, VOCABULARY_SIZE
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings

Melodies = Sequence[Sequence[int]] | Int[np.ndarray, "batch time"]
"""Melodies as one array, or as lists of tokens that may differ in length."""

_SHORTEST_PADDING = 32


@dataclass(frozen=True)
class Batch:
    """Some of the given melodies, padded.

    Attributes:
        indices: where the melodies stand among all that were given.
        tokens: the melodies, then copies of the last up to a power of two. What follows a
            melody's end is meaningless.
        lengths: steps of each row.
    """

    indices: Int[np.ndarray, " melody"]
    tokens: Int[np.ndarray, "row time"]
    lengths: Int[np.ndarray, " row"]


def batches(melodies: Melodies, most_rows: int) -> Iterator[Batch]:
    """Cut melodies into batches of at most `most_rows` (a power of two) rows.

    An array keeps its length. Lists are padded to a power of two of at least 32 steps, so that
    many lengths need few compilations.

    Raises:
        UserError: if there is no melody, one is empty, or a token is not one of the 38.
    """
    if len(melodies) == 0:
        raise UserError("there are no melodies; give at least one")
    if isinstance(melodies, np.ndarray):
        tokens = checked_tokens(melodies)
        lengths = np.full(len(tokens), tokens.shape[1])
        yield from _cut(np.arange(len(tokens)), tokens, lengths, most_rows)
        return
    rows = [checked_tokens(np.asarray([list(melody)]))[0] for melody in melodies]
    lengths = np.array([len(row) for row in rows])
    padded_lengths = np.array([_padded_length(length) for length in lengths.tolist()])
    for time in np.unique(padded_lengths):
        indices = np.flatnonzero(padded_lengths == time)
        tokens = np.full((len(indices), time), NOTE_OFF, np.int32)
        for place, index in enumerate(indices):
            tokens[place, : lengths[index]] = rows[index]
        yield from _cut(indices, tokens, lengths[indices], most_rows)


def intended_lengths(batch: Batch, settings: MelodyRuleSettings) -> Int[np.ndarray, " row"]:
    """The length of each row's whole melody: as set, else what is given is the whole of it."""
    if settings.melody_length is None:
        return batch.lengths
    return np.full_like(batch.lengths, settings.melody_length)


def checked_tokens(tokens: np.ndarray) -> Int[np.ndarray, "batch time"]:
    """The same tokens as int32.

    Raises:
        UserError: if they are not whole numbers from 0 to 37, or the melodies have no steps.
    """
    if tokens.ndim != 2 or tokens.shape[1] == 0:
        raise UserError("a melody is empty or no list of tokens; give at least one token each")
    if not np.issubdtype(tokens.dtype, np.integer):
        raise UserError(
            "a melody holds something other than whole numbers; "
            f"use tokens from 0 to {VOCABULARY_SIZE - 1}"
        )
    wrong = (tokens < 0) | (tokens >= VOCABULARY_SIZE)
    if wrong.any():
        melody, step = np.argwhere(wrong)[0]
        raise UserError(
            f"token {tokens[melody, step]} at step {step + 1} of a melody is not a melody token; "
            f"use 0 (note off), 1 (hold) or 2 to {VOCABULARY_SIZE - 1} (pitches)"
        )
    return tokens.astype(np.int32)


def _padded_length(length: int) -> int:
    return max(_SHORTEST_PADDING, _power_of_two(length))


def _power_of_two(count: int) -> int:
    """The smallest power of two that is not below `count`."""
    return 1 << (count - 1).bit_length()


def _cut(
    indices: np.ndarray, tokens: np.ndarray, lengths: np.ndarray, most_rows: int
) -> Iterator[Batch]:
    for start in range(0, len(indices), most_rows):
        chunk = slice(start, min(start + most_rows, len(indices)))
        size = chunk.stop - chunk.start
        extra = _power_of_two(size) - size
        yield Batch(
            indices[chunk],
            np.pad(tokens[chunk], ((0, extra), (0, 0)), mode="edge"),
            np.pad(lengths[chunk], (0, extra), mode="edge"),
        )
