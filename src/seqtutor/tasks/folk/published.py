"""Token sequences that somebody else has made: integers, and a table that says what they mean.

The files have the form of those that Lee et al. (2017) published and Bjare & Meredith (2020)
trained on. The arrays `train` and `valid`, and if there is one `test`, each
`Int["sequence time"]`, are in one `.npz`. The table is JSON: `tokens`, for each id its six values
[melody duration, melody octave, melody pitch class, chord duration, chord octave set, chord class],
and `octaves` and `chords`, the lists that the last two values point into.

Two things in that table are not what they seem. Its melody octaves count from 1 for what is octave
2 of a piano (middle C begins octave 4). And its octave sets are permuted: the notes of a chord were
listed from the root up, and the octave of note i was stored at the entry whose number is the place
of the i-th smallest pitch class in that list, where the place of note i among the pitch classes is
meant. Both are undone here. Ids keep their numbers. Id 0 is an ordinary token: a model begins with
an id of its own, one past the last.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.tasks.folk.joint import JointToken

FINEST = 48
"""The table's durations are rounded to four decimals; they are fractions of at most this."""
LONGEST = 256
"""No note lasts for more quarter notes, 64 bars of 4/4."""


@dataclass(frozen=True)
class PublishedSequences:
    """What the two files hold; `tokens` are in the order of their ids."""

    train: Int[np.ndarray, "sequence time"]
    validation: Int[np.ndarray, "sequence time"]
    test: Int[np.ndarray, "sequence time"]
    tokens: tuple[JointToken, ...]


def read_published(sequences: Path, token_table: Path) -> PublishedSequences:
    """Read token sequences and their table.

    Raises:
        UserError: if a file cannot be read or is not in the form that this module describes.
    """
    tokens = read_token_table(token_table)
    arrays = _read_arrays(sequences)
    train = _checked(arrays, "train", sequences, len(tokens))
    validation = _checked(arrays, "valid", sequences, len(tokens))
    empty = np.zeros((0, train.shape[1]), dtype=np.int32)
    test = _checked(arrays, "test", sequences, len(tokens)) if "test" in arrays else empty
    for name, part in (("valid", validation), ("test", test)):
        if part.shape[1] != train.shape[1]:
            raise UserError(
                f"the sequences of {name!r} in {sequences} have {part.shape[1]} tokens, those of "
                f"'train' {train.shape[1]}; they must be equally long"
            )
    if len(train) == 0:
        raise UserError(f"the array 'train' in {sequences} holds no sequences")
    return PublishedSequences(train, validation, test, tokens)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            if not file.read(4).startswith((b"PK", b"\x93NUM")):
                raise ValueError("it is of another kind")
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array; write it with numpy.savez")
        with archive:
            return {name: archive[name] for name in ("train", "valid", "test") if name in archive}
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is not a readable .npz file of sequences: {reason}") from None


def _checked(
    arrays: dict[str, np.ndarray], name: str, path: Path, size: int
) -> Int[np.ndarray, "sequence time"]:
    if name not in arrays:
        raise UserError(f"{path} lacks the array {name!r}; it needs 'train' and 'valid'")
    array = arrays[name]
    if array.ndim != 2 or array.dtype.kind not in "iu" or array.shape[1] == 0:
        raise UserError(
            f"the array {name!r} in {path} must hold integers, sequences by tokens; it has shape "
            f"{array.shape} and type {array.dtype}"
        )
    if array.size and not (array.min() >= 0 and array.max() < size):
        raise UserError(
            f"the array {name!r} in {path} holds ids from {array.min()} to {array.max()}; "
            f"the token table has only 0 to {size - 1}"
        )
    return array.astype(np.int32)


def read_token_table(path: Path) -> tuple[JointToken, ...]:
    """Read the table of tokens.

    Raises:
        UserError: if it cannot be read, a row is not six values that point into the table's lists,
            has a chord that MIDI does not have or lasts too long, or two rows are the same token.
            A melody's pitch that MIDI does not have is a rest: the published table has one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows, octaves, chords = (content[name] for name in ("tokens", "octaves", "chords"))
        if not all(isinstance(values, list) for values in (rows, octaves, chords)):
            raise TypeError
    except (KeyError, TypeError):
        raise UserError(
            f"{path} is not a readable token table: it needs the lists 'tokens', 'octaves' and "
            "'chords'"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a readable token table: {error}") from None
    tokens: dict[JointToken, int] = {}
    for index, row in enumerate(rows):
        try:
            token = _token(row, octaves, chords)
        except (ValueError, TypeError, IndexError, OverflowError):
            raise UserError(f"row {index} of {path} is not a token: {row}") from None
        if token in tokens:
            raise UserError(f"rows {tokens[token]} and {index} of {path} are the same token")
        tokens[token] = index
    if len(tokens) < 2:
        raise UserError(f"{path} holds fewer than two tokens")
    return tuple(tokens)


def _token(row: Sequence[float], octaves: Sequence[Any], chords: Sequence[Any]) -> JointToken:
    melody_duration, octave, pitch_class, chord_duration, octave_set, chord_class = row
    indices = [octave, pitch_class, octave_set, chord_class]
    if not all(type(value) in (int, float) for value in row):
        raise TypeError(row)
    whole = [int(value) for value in indices]
    durations = [Fraction(d).limit_denominator(FINEST) for d in (melody_duration, chord_duration)]
    if min(whole) < 0 or min(durations) < 0 or max(durations) > LONGEST or whole != indices:
        raise ValueError(row)
    chord_octaves: tuple[int, ...] = ()
    chord_classes: tuple[int, ...] = ()
    if whole[3]:
        chord_classes = _integers(chords[whole[3]])
        chord_octaves = unpermuted(_integers(octaves[whole[2]]), chord_classes)
    melody_octave = whole[0] + 1 if whole[1] else 0
    token = JointToken(
        durations[0], melody_octave, whole[1], durations[1], chord_octaves, chord_classes
    )
    if len(token.chord) != len(chord_classes) or max(chord_classes, default=0) > 11:
        raise ValueError(row)
    return token


def _integers(values: Sequence[Any]) -> tuple[int, ...]:
    if not all(type(value) is int for value in values):
        raise TypeError(values)
    return tuple(values)


@lru_cache(maxsize=1024)
def unpermuted(octave_set: tuple[int, ...], classes: tuple[int, ...]) -> tuple[int, ...]:
    """The octave of each pitch class, from an octave set in the published order.

    Which of the pitch classes came first is not told: of all the chords that would have this octave
    set, the one that spans least is taken, which gives close positions and inversions of them.

    Raises:
        ValueError: if the two differ in length.
    """
    size = len(classes)
    if len(octave_set) != size:
        raise ValueError(f"{len(octave_set)} octaves for {size} pitch classes")
    candidates = []
    for first in range(size):
        # Listed from `first` on, the i-th smallest class stands at place i − first, and the octave
        # at place i was stored in the entry i − first.
        by_class = tuple(octave_set[(i - 2 * first) % size] for i in range(size))
        pitches = [12 * o + c for o, c in zip(by_class, classes, strict=True)]
        candidates.append((max(pitches) - min(pitches), by_class))
    return min(candidates)[1]
