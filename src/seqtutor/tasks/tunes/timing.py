"""When the tokens of a tune are heard, and what each token of a vocabulary writes there."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from jaxtyping import Int

from seqtutor.tasks.tunes.phrase import UNITS_PER_QUARTER
from seqtutor.tasks.tunes.tokens import REST, TIE, table_of
from seqtutor.vocabulary import Vocabulary

Span = tuple[Fraction, Fraction]
"""Onset and duration, in quarters."""


def spans_of(tokens: Int[np.ndarray, " time"], vocabulary: Vocabulary) -> list[Span | None]:
    """What `phrase_of` makes of each token; `None` of one that takes no time.

    A copy of a bar is a choice at the place of its first note; what follows of it is none.
    """
    table = table_of(vocabulary)
    spans: list[Span | None] = []
    bars: list[list[int]] = [[]]
    start = 0
    for token in map(int, tokens):
        units, copied = int(table.duration[token]), int(table.copied[token])
        now = start + sum(bars[-1])
        if table.bar[token]:
            start = now
            bars.append([])
        elif 0 < copied < len(bars) - 1 and bars[copied]:
            bars[-1] = list(bars[copied])
            now, units = start, bars[copied][0]
        elif units:
            bars[-1].append(units)
        is_heard = units > 0
        spans.append(
            (Fraction(now, UNITS_PER_QUARTER), Fraction(units, UNITS_PER_QUARTER))
            if is_heard
            else None
        )
    return spans


def meanings_of(vocabulary: Vocabulary, semitones: int) -> list[int | str | None]:
    """Of each token the pitch that is heard, or "rest", "tie" or "copy"; `None` of all others."""
    table = table_of(vocabulary)

    def meaning(token: int) -> int | str | None:
        if table.copied[token]:
            return "copy"
        if table.is_note[token]:
            return int(table.pitch[token]) + semitones
        if not table.duration[token]:
            return None
        return TIE if table.is_tie[token] else REST

    return [meaning(token) for token in range(vocabulary.size)]
