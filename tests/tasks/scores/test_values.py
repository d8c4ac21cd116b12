"""Notes are written as a musician writes them: the metre can be seen."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.tasks.scores.musicxml import beam_states
from seqtutor.tasks.scores.notation import Symbol, bar_length, is_note_value
from seqtutor.tasks.scores.values import beam_places, pieces_of

METERS = [(4, 4), (3, 4), (2, 4), (2, 2), (3, 2), (6, 8), (9, 8), (12, 8), (7, 8), (5, 4), (5, 16)]


def cut(start, end, meter, rests=False):
    """Lengths in sixteenths of what a span in sixteenths is cut into."""
    pieces = pieces_of(Fraction(start, 4), Fraction(end, 4), meter, rests=rests)
    return [int(4 * duration) for _, duration in pieces]


@st.composite
def spans(draw):
    meter = draw(st.sampled_from(METERS))
    units = int(16 * bar_length(meter))
    start = draw(st.integers(0, units - 1))
    return meter, Fraction(start, 16), Fraction(draw(st.integers(start + 1, units)), 16)


@given(spans(), st.booleans())
def test_pieces_fill_the_span_with_note_values(span, rests):
    meter, start, end = span
    time = start
    for place, duration in pieces_of(start, end, meter, rests=rests):
        assert place == time
        assert is_note_value(duration) or (rests and duration == bar_length(meter))
        time += duration
    assert time == end


@given(spans())
def test_rests_lie_on_their_own_grid(span):
    """A rest is as long as what it fills, except for a quarter rest in a beat of three eighths."""
    meter, start, end = span
    for place, duration in pieces_of(start, end, meter, rests=True):
        plain = duration.numerator & (duration.numerator - 1) == 0
        if duration != bar_length(meter) and plain and meter in ((4, 4), (2, 4), (2, 2)):
            assert place % duration == 0


@pytest.mark.parametrize(
    ("meter", "span", "notes", "rests"),
    [
        ((4, 4), (0, 16), [16], [16]),
        ((4, 4), (0, 12), [12], [8, 4]),
        ((4, 4), (4, 12), [8], [4, 4]),  # ♩ 𝅗𝅥 ♩, but no rest across the middle
        ((4, 4), (4, 16), [12], [4, 8]),
        ((4, 4), (4, 10), [4, 2], [4, 2]),
        ((4, 4), (2, 6), [4], [2, 2]),  # ♪ ♩ ♪
        ((4, 4), (6, 10), [2, 2], [2, 2]),
        ((4, 4), (1, 3), [2], [1, 1]),
        ((4, 4), (1, 8), [3, 4], [1, 2, 4]),
        ((4, 4), (2, 14), [6, 6], [2, 4, 4, 2]),
        ((2, 2), (6, 10), [2, 2], [2, 2]),
        ((3, 4), (0, 8), [8], [4, 4]),  # no half rest in 3/4
        ((3, 4), (2, 10), [2, 6], [2, 4, 2]),
        ((6, 8), (0, 8), [6, 2], [6, 2]),
        ((6, 8), (0, 4), [4], [4]),
        ((6, 8), (2, 6), [4], [2, 2]),
        ((6, 8), (4, 8), [2, 2], [2, 2]),
        ((9, 8), (0, 18), [12, 6], [18]),  # a rest of a bar is one in every metre
        ((12, 8), (6, 18), [12], [6, 6]),
        ((7, 8), (0, 14), [8, 6], [14]),
    ],
)
def test_the_metre_can_be_seen(meter, span, notes, rests):
    assert cut(*span, meter) == notes
    assert cut(*span, meter, rests=True) == rests


def row(*lengths):
    """Symbols of lengths in sixteenths, rests where they are negative."""
    symbols, time = [], Fraction(0)
    for length in lengths:
        duration = Fraction(abs(length), 4)
        symbols.append(Symbol(time, duration, 60 if length > 0 else None))
        time += duration
    return symbols


@pytest.mark.parametrize(
    ("meter", "lengths", "groups"),
    [
        ((4, 4), [2] * 8, [4, 4]),  # eighths alone in fours, never across the middle
        ((4, 4), [2, 2, 1, 1, 2, 2, 2, 2, 2], [2, 3, 4]),
        ((4, 4), [3, 1, 3, 1, -8], [2, 2]),
        ((4, 4), [-2, 2, 2, 2, 4, 2, 2], [2, 2]),
        ((3, 4), [2] * 6, [6]),
        ((3, 4), [2, 2, 4, 2, 2], [2, 2]),
        ((6, 8), [2] * 6, [3, 3]),
        ((6, 8), [4, 2, 1, 1, 2, 2], [4]),
        ((2, 2), [1] * 16, [4, 4, 4, 4]),
    ],
)
def test_beams_show_the_metre(meter, lengths, groups):
    symbols = row(*lengths)
    first = [states[0] for states in beam_states(symbols, places_of(symbols, meter)) if states]
    sizes = "".join({"begin": "(", "continue": "-", "end": ")"}[state] for state in first)
    assert [len(group) + 1 for group in sizes.split(")")[:-1]] == groups


def places_of(symbols, meter, offset=Fraction(0)):
    return beam_places(symbols, meter, offset)


def test_an_upbeat_is_beamed_as_the_end_of_a_bar():
    symbols = row(2, 2, 2)
    assert places_of(symbols, (4, 4), Fraction(5, 2)) == [2, 2, 2]
    assert places_of(row(1, 2, 1), (4, 4), Fraction(3)) == [3, 3, 3]
    assert places_of(row(2, 1, 1), (4, 4), Fraction(5, 2)) == [2, 3, 3]


def test_beams_have_levels():
    symbols = row(2, 1, 1, -4, 3, 1, 2, 1, -1)
    assert beam_states(symbols, places_of(symbols, (4, 4))) == [
        ["begin"],
        ["continue", "begin"],
        ["end", "end"],
        [],
        ["begin"],
        ["end", "backward hook"],
        ["begin"],
        ["end", "backward hook"],
        [],
    ]
