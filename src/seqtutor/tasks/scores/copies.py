"""Copies: melodies that are all but a melody of a real tune, in whatever key.

A melody is written as a string with a symbol for each note: the interval from the note before (0
for the first) and the duration. A rest is a symbol, too. The distance of two melodies is the edit
distance (Levenshtein 1966) of their strings: symbols to be put in, left out or replaced. It is the
same in all keys; a note of another pitch changes two symbols, its own and the next. A melody of n
symbols is a copy if a real one is no further away than n/`DIFFERENT`, rounded down.

The search is exact. By the lemma of Jokinen & Ukkonen (1991), strings of n and m symbols at a
distance of k have at least max(n, m) − 3k trigrams in common, with two begin symbols in front of
both and those that a string has several times counted as often. So only pairs with as many are
compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

if TYPE_CHECKING:
    from scipy import sparse

DIFFERENT = 4
"""A copy differs in at most one of so many symbols.

Of the 4,156 melodies of held-out tunes 4.6 % then count as copies of a training tune: so much do
tunes of one tradition have in common.
"""

_NGRAM = 3
_BEGIN = "\0" * (_NGRAM - 1)
_REST = 1
_SAME_PITCH = _REST + 128
"""The kind of a note that repeats the one before; intervals go from −127 to 127."""
_DURATIONS = 1 << 8
_AT_ONCE = 512
"""Melodies that are compared in one product of sparse matrices."""


@dataclass(frozen=True)
class Place:
    """Where a melody of a real tune begins: title, source, and bar, counted from 1."""

    title: str
    source: str
    bar: int


@dataclass(frozen=True)
class Nearest:
    """A nearest real melody.

    Attributes:
        distance: symbols to be put in, left out or replaced.
        symbols: notes and rests of the melody that was given.
        place: where the real one is.
    """

    distance: int
    symbols: int
    place: Place

    @property
    def is_copy(self) -> bool:
        """Whether the melody that was given counts as a copy."""
        return self.distance <= allowed(self.symbols)


def allowed(symbols: int) -> int:
    """The greatest distance of a copy with so many symbols."""
    return symbols // DIFFERENT


def symbols_of(pitches: Int[np.ndarray, " time"], begins: Bool[np.ndarray, " time"]) -> str:
    """A melody as a string with a character for each note and rest.

    Args:
        pitches: what sounds at each step as a MIDI number; 0 in silence.
        begins: whether a note or a rest begins there; one always begins at the first step.
    """
    onsets = np.flatnonzero(begins | (np.arange(len(begins)) == 0))
    sounding = pitches[onsets].astype(int)
    is_note = sounding > 0
    notes = sounding[is_note]
    kinds = np.full(len(onsets), _REST)
    kinds[is_note] = _SAME_PITCH + np.diff(notes, prepend=notes[:1])
    durations = np.minimum(np.diff(np.append(onsets, len(pitches))), _DURATIONS - 1)
    return "".join(map(chr, kinds * _DURATIONS + durations))


class RealMelodies:
    """Melodies of real tunes, to be compared with.

    Args:
        strings: the melodies, as `symbols_of` writes them.
        places: where each is from.
    """

    def __init__(self, strings: Iterable[str], places: Sequence[Place]) -> None:
        found: dict[str, Place] = {}
        for string, place in zip(strings, places, strict=True):
            found.setdefault(string, place)
        # In the order of their lengths, so that those that come into question stand together.
        self._strings = sorted(found, key=len)
        self._places = [found[string] for string in self._strings]
        self._lengths = np.array([len(string) for string in self._strings], int)

    def __len__(self) -> int:
        return len(self._strings)

    def nearest(self, given: str) -> Nearest:
        """The nearest of all to a melody; the first of several.

        Raises:
            ValueError: if there are no real melodies.
        """
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import extractOne

        found = extractOne(given, self._strings, scorer=Levenshtein.distance)
        if found is None:
            raise ValueError("there are no real melodies to compare with")
        _, distance, which = found
        return Nearest(int(distance), len(given), self._places[which])

    def copies(self, strings: Sequence[str]) -> Bool[np.ndarray, " melody"]:
        """Which melodies are copies."""
        lengths = np.array([len(string) for string in strings], int)
        found = np.zeros(len(strings), bool)
        for length in np.unique(lengths):
            of_length = np.flatnonzero(lengths == length)
            for start in range(0, len(of_length), _AT_ONCE):
                chosen = of_length[start : start + _AT_ONCE]
                found[chosen] = self._have_near([strings[i] for i in chosen], int(length))
        return found

    def _have_near(self, strings: Sequence[str], length: int) -> Bool[np.ndarray, " melody"]:
        """Which of the strings, all of one length, have a real one within the allowed distance."""
        from rapidfuzz.distance import Levenshtein

        most = allowed(length)
        low, high = np.searchsorted(self._lengths, [length - most, length + most + 1])
        near = np.zeros(len(strings), bool)
        if low == high:
            return near
        grams = self._gram_counts(strings)
        shared = (grams @ self._grams[low:high].T).tocoo()
        needed = np.maximum(length, self._lengths[low + shared.col]) - _NGRAM * most
        enough = shared.data >= needed
        for row, column in zip(shared.row[enough], low + shared.col[enough], strict=True):
            if not near[row]:
                own, real = strings[row], self._strings[column]
                near[row] = Levenshtein.distance(own, real, score_cutoff=most) <= most
        return near

    @cached_property
    def _numbers(self) -> dict[tuple[str, int], int]:
        """A number for each trigram of the real melodies, and each further one of it."""
        grams = (gram for string in self._strings for gram in _counted_grams(string))
        return {gram: number for number, gram in enumerate(dict.fromkeys(grams))}

    @cached_property
    def _grams(self) -> sparse.csr_array:
        return self._gram_counts(self._strings)

    def _gram_counts(self, strings: Sequence[str]) -> sparse.csr_array:
        """A row of ones and zeros for each string; the product of two counts what they share."""
        from scipy import sparse  # Heavy, and `symbols_of` is imported by commands that count none.

        numbers = self._numbers
        rows = [
            [numbers[gram] for gram in _counted_grams(string) if gram in numbers]
            for string in strings
        ]
        ends = np.cumsum([0, *map(len, rows)])
        columns = np.fromiter((number for row in rows for number in row), int, ends[-1])
        ones = np.ones(len(columns), np.int16)
        return sparse.csr_array((ones, columns, ends), shape=(len(strings), len(numbers)))


def _counted_grams(string: str) -> list[tuple[str, int]]:
    """The trigrams that end at each symbol, with how many equal ones came before."""
    padded = _BEGIN + string
    seen: Counter[str] = Counter()
    found = []
    for end in range(_NGRAM, len(padded) + 1):
        gram = padded[end - _NGRAM : end]
        found.append((gram, seen[gram]))
        seen[gram] += 1
    return found
