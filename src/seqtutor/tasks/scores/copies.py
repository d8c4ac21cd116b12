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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
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
_CODES = ("utf-32-le", "surrogatepass")
"""How strings become numbers; every number that a symbol can have is a character."""
_BITS, _COUNT_BITS = 17, 12
"""Of a symbol, and of a number of equal trigrams; 64 hold a trigram with its number."""
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


def symbols_of(
    pitches: Int[np.ndarray, "melody time"],
    begins: Bool[np.ndarray, "melody time"],
    lengths: Int[np.ndarray, " melody"] | None = None,
) -> list[str]:
    """Melodies as strings with a character for each note and rest.

    Args:
        pitches: what sounds at each step as a MIDI number; 0 in silence.
        begins: whether a note or a rest begins there; one always begins at the first step.
        lengths: steps of each melody; all by default.
    """
    number, time = pitches.shape
    ends = np.full(number, time) if lengths is None else np.asarray(lengths)
    steps = np.arange(time)
    rows, onsets = np.nonzero((begins | (steps == 0)) & (steps < ends[:, None]))
    sounding = pitches[rows, onsets].astype(int)
    (notes,) = np.nonzero(sounding)
    intervals = np.diff(sounding[notes], prepend=0)
    intervals[np.diff(rows[notes], prepend=-1) > 0] = 0  # The first of each melody.
    kinds = np.full(len(onsets), _REST)
    kinds[notes] = _SAME_PITCH + intervals
    is_last = np.diff(rows, append=number) > 0
    next_onsets = np.where(is_last, ends[rows], np.roll(onsets, -1))
    symbols = kinds * _DURATIONS + np.minimum(next_onsets - onsets, _DURATIONS - 1)
    text = symbols.astype("<u4").tobytes().decode(*_CODES)
    places = np.searchsorted(rows, np.arange(number + 1)).tolist()
    return [text[start:end] for start, end in pairwise(places)]


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
        shared = self._shared(strings, low, high)
        needed = np.maximum(length, self._lengths[low + shared.col]) - _NGRAM * most
        enough = shared.data >= needed
        for row, column in zip(shared.row[enough], low + shared.col[enough], strict=True):
            if not near[row]:
                own, real = strings[row], self._strings[column]
                near[row] = Levenshtein.distance(own, real, score_cutoff=most) <= most
        return near

    @cached_property
    def _known(self) -> tuple[Int[np.ndarray, " gram"], sparse.csr_array]:
        """The trigrams of the real melodies, in order, and which of them each melody has."""
        rows, grams = _counted_trigrams(self._strings)
        known, columns = np.unique(grams, return_inverse=True)
        return known, _incidence(rows, columns, (len(self), len(known)))

    def _shared(self, strings: Sequence[str], low: int, high: int) -> sparse.coo_array:
        """How many trigrams strings have in common with some of the real melodies."""
        known, real = self._known
        rows, grams = _counted_trigrams(strings)
        columns = np.minimum(np.searchsorted(known, grams), len(known) - 1)
        there = known[columns] == grams
        own = _incidence(rows[there], columns[there], (len(strings), len(known)))
        return (own @ real[low:high].T).tocoo()


def _incidence(
    rows: Int[np.ndarray, " gram"], columns: Int[np.ndarray, " gram"], shape: tuple[int, int]
) -> sparse.csr_array:
    """Ones and zeros, of which the product of two counts what their rows share."""
    from scipy import sparse  # Heavy, and `symbols_of` is imported by commands that count none.

    return sparse.csr_array((np.ones(len(rows), np.int16), (rows, columns)), shape=shape)


def _counted_trigrams(
    strings: Sequence[str],
) -> tuple[Int[np.ndarray, " gram"], Int[np.ndarray, " gram"]]:
    """The trigrams that end at each symbol, each as a number, and the places of their melodies.

    The number tells the symbols and how many equal trigrams the melody has before.
    """
    padded = "".join(_BEGIN + string for string in strings)
    symbols = np.frombuffer(padded.encode(*_CODES), "<u4").astype(np.int64)
    rows = np.repeat(np.arange(len(strings)), [len(string) for string in strings])
    ends = np.arange(len(rows)) + len(_BEGIN) * (rows + 1)
    grams = sum(symbols[ends - back] << _BITS * back for back in range(_NGRAM))
    order = np.lexsort((grams, rows))
    rows, grams = rows[order], grams[order]
    place = np.arange(len(rows))
    is_new = (np.diff(rows, prepend=-1) > 0) | (np.diff(grams, prepend=-1) != 0)
    before = place - np.maximum.accumulate(np.where(is_new, place, 0))
    # Past the most there can be told, equal ones count too often, and more pairs are compared.
    return rows, (grams << _COUNT_BITS) + np.minimum(before, (1 << _COUNT_BITS) - 1)
