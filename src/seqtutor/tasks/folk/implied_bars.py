"""The metre and the upbeat that a tune's chords imply: tokens tell neither.

Harmony changes at bar lines: of Nottingham's tunes with chords 96 % have their first chord at the
first bar line, so that what lies before it is the upbeat (`benchmarks/implied_bars.py`).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from seqtutor.tasks.scores.lead_sheet import ZERO, LeadSheet
from seqtutor.tasks.scores.notation import Meter, bar_length

_FOUR, _THREE, _SIX_EIGHTHS = (4, 4), (3, 4), (6, 8)
_DOTTED = Fraction(3, 2)


def with_implied_bars(sheet: LeadSheet) -> LeadSheet:
    """The sheet with a metre (4/4, 3/4 or 6/8) and an upbeat, where it has no metre but chords."""
    if sheet.meter is not None or not sheet.chords:
        return sheet
    first = sheet.chords[0].onset
    meter = _metre(sheet, first)
    return replace(sheet, meter=meter, pickup=first if first < bar_length(meter) else ZERO)


def _metre(sheet: LeadSheet, first: Fraction) -> Meter:
    """Bars of four quarters or, if more chords begin with those, of three."""
    if _beginning(sheet, first, _THREE) <= _beginning(sheet, first, _FOUR):
        return _FOUR
    # The second beat of 6/8 lies in the middle of the bar, those of 3/4 around it.
    places = [(note.onset - first) % 3 for note in sheet.notes]
    middle = sum(place == _DOTTED for place in places)
    return _SIX_EIGHTHS if 2 * middle > sum(place in (1, 2) for place in places) else _THREE


def _beginning(sheet: LeadSheet, first: Fraction, meter: Meter) -> int:
    """How many chords begin with a bar."""
    return sum((chord.onset - first) % bar_length(meter) == 0 for chord in sheet.chords)
