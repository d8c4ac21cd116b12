"""Which note values show a metre: where a note or a rest is cut, and what is beamed together.

A bar is divided into halves or beats, a beat into halves or thirds, and so on. A note that crosses
a division is one note head where the eye still finds the division: it fills what is divided, is
dotted, or is a syncopation such as the half note in ♩ 𝅗𝅥 ♩. Rests are not syncopated. The rules are
the usual ones of music engraving; see E. Gould, Behind Bars (2011), pages 151 to 168.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from math import ceil

from seqtutor.tasks.scores.notation import (
    Meter,
    Symbol,
    bar_length,
    beat_length,
    is_compound,
    is_note_value,
)

Piece = tuple[Fraction, Fraction]
"""Start and length, in quarters."""
_QUARTER, _EIGHTH = Fraction(1), Fraction(1, 2)
_BEATS = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 6: (2, 3), 8: (2, 2, 2)}
"""How so many beats are divided, from the bar down; other numbers into single beats."""


def pieces_of(start: Fraction, end: Fraction, meter: Meter, *, rests: bool) -> Iterator[Piece]:
    """Cut a span of a bar into note values that show the metre.

    Args:
        start: in quarters from the beginning of a full bar.
        end: in the same bar; both are multiples of a power of ½.
        meter: of the bar.
        rests: whether it is silent.
    """
    yield from _pieces(start, end, meter, rests)


@lru_cache(maxsize=1 << 14)  # The same places come in bar after bar, and fractions are slow.
def _pieces(start: Fraction, end: Fraction, meter: Meter, rests: bool) -> tuple[Piece, ...]:
    full = bar_length(meter)
    if rests and (start, end) == (0, full):
        return ((start, full),)
    beats = ceil(full / beat_length(meter))
    divisions = _BEATS.get(beats, (beats,))
    if is_compound(meter):
        divisions = (*divisions, 3)
    # Other metres than these end within their last beat.
    span = beats * beat_length(meter)
    return tuple(_cut(start, end, Fraction(0), span, divisions, rests))


def _cut(
    start: Fraction,
    end: Fraction,
    node: Fraction,
    span: Fraction,
    divisions: tuple[int, ...],
    rests: bool,
) -> Iterator[Piece]:
    """Cut what lies in the part of the bar from `node` that is `span` long."""
    if start == end:
        return
    if (start, end) == (node, node + span) and is_note_value(span):
        yield start, span
        return
    count, *below = divisions or (2,)
    unit = span / count
    inside = [place for i in range(1, count) if start < (place := node + i * unit) < end]
    if not inside:
        child = node + (start - node) // unit * unit
        yield from _cut(start, end, child, unit, tuple(below), rests)
    elif _is_clear(start - node, end - node, unit, count, len(inside), tuple(below), rests):
        yield start, end - start
    else:
        # On a division: as far as divisions go. Else only to the first.
        place = inside[-1] if (start - node) % unit == 0 else inside[0]
        for left, right in ((start, place), (place, end)):
            yield from _cut(left, right, node, span, divisions, rests)


def _is_clear(
    start: Fraction,
    end: Fraction,
    unit: Fraction,
    count: int,
    crossed: int,
    below: tuple[int, ...],
    rests: bool,
) -> bool:
    """Whether a note head, or a rest, may hide so many divisions, `unit` apart."""
    on_divisions = start % unit == 0 and end % unit == 0
    if not is_note_value(end - start):
        return False
    if rests:
        # A quarter rest on the first of three eighths, but no half rest in 3/4.
        return on_divisions and crossed == 1 and start == 0 and count == 3 and unit <= _EIGHTH
    if on_divisions or crossed > 1:
        return on_divisions
    halves = (below or (2,))[0] % 2 == 0
    return halves and start % (unit / 2) == 0 and end % (unit / 2) == 0


def beam_places(symbols: Sequence[Symbol], meter: Meter, offset: Fraction) -> list[Fraction]:
    """For each symbol of a bar, the place of its beam: neighbours with the same one are beamed.

    A beam is a beat long; eighths alone are beamed in fours, in 3/4 in sixes.

    Args:
        symbols: of the bar.
        meter: of the piece.
        offset: quarters of the bar that are missing before an upbeat.
    """
    if is_compound(meter):
        beat = beat_length(meter)
        return [(offset + symbol.start) // beat * beat for symbol in symbols]
    long = 3 * _QUARTER if meter == (3, 4) else 2 * _QUARTER
    starts: dict[Fraction, list[Symbol]] = {}
    for symbol in symbols:
        starts.setdefault((offset + symbol.start) // long * long, []).append(symbol)
    places = []
    for start, group in starts.items():
        are_eighths = all(_is_plain_eighth(symbol, offset) for symbol in group)
        places += [
            start if are_eighths else (offset + symbol.start) // _QUARTER * _QUARTER
            for symbol in group
        ]
    return places


def _is_plain_eighth(symbol: Symbol, offset: Fraction) -> bool:
    is_on_grid = (offset + symbol.start) % _EIGHTH == 0
    return symbol.pitch is not None and symbol.duration == _EIGHTH and is_on_grid
