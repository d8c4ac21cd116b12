"""From a melody on the grid of sixteenths to bars of note values that keep the beats visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER, Note, tokens_to_notes
from seqtutor.tasks.scores import notation
from seqtutor.tasks.scores.notation import Bar, Group, Symbol

NOTE_VALUES = (24, 16, 12, 8, 6, 4, 3, 2, 1)
"""Durations in sixteenths that one note head, with at most one dot, can have."""


@dataclass(frozen=True)
class Meter:
    """A time signature such as 4/4 or 6/8.

    Raises:
        UserError: if the bar is not a whole number of sixteenths.
    """

    beats: int = 4
    beat_type: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.beats <= 32 or self.beat_type not in (1, 2, 4, 8, 16):
            raise UserError(
                f"the metre {self} cannot be written in sixteenths; use one such as 4/4 or 6/8"
            )

    @property
    def bar_length(self) -> int:
        """Sixteenths in a bar."""
        return int(STEPS_PER_QUARTER * notation.bar_length(self.signature))

    @property
    def beat_length(self) -> int:
        """Sixteenths in what is felt as one beat: a dotted note in 6/8, 9/8, 12/8."""
        return int(STEPS_PER_QUARTER * notation.beat_length(self.signature))

    @property
    def signature(self) -> notation.Meter:
        """Numerator and denominator."""
        return self.beats, self.beat_type

    def __str__(self) -> str:
        return f"{self.beats}/{self.beat_type}"


def write_bars(
    tokens: Sequence[int] | Int[np.ndarray, " time"], meter: Meter, transposition: int = 0
) -> tuple[Bar, ...]:
    """Cut a melody, moved by so many semitones, into bars of symbols that can be written.

    Ties hold the parts of a note together. The last bar may be shorter than the metre says; the
    durations add up to the length of the melody.

    Raises:
        UserError: if a token is not a melody token.
    """
    bars: list[list[Symbol]] = [[] for _ in range(-(-len(tokens) // meter.bar_length))]
    for note, sounds in _with_rests(tokens_to_notes(tokens, transposition), len(tokens)):
        pieces = list(_pieces(note.onset, note.end, meter))
        for index, (start, duration) in enumerate(pieces):
            bar, place = divmod(start, meter.bar_length)
            tied_from, tied_to = sounds and index > 0, sounds and index < len(pieces) - 1
            pitch = note.pitch if sounds else None
            bars[bar].append(
                Symbol(_quarters(place), _quarters(duration), pitch, tied_from, tied_to)
            )
    return tuple(
        Bar(sum((symbol.duration for symbol in bar), Fraction(0)), (Group(tuple(bar)),))
        for bar in bars
    )


def _quarters(sixteenths: int) -> Fraction:
    return Fraction(sixteenths, STEPS_PER_QUARTER)


def _with_rests(notes: Sequence[Note], length: int) -> Iterator[tuple[Note, bool]]:
    """Notes and, where nothing sounds, rests (as notes that do not sound) in order of time."""
    time = 0
    for note in notes:
        if note.onset > time:
            yield Note(time, note.onset - time, 0), False
        yield note, True
        time = note.end
    if time < length:
        yield Note(time, length - time, 0), False


def _pieces(start: int, end: int, meter: Meter) -> Iterator[tuple[int, int]]:
    """Split a time span into (start, duration) pieces that stay in a bar and are note values."""
    while start < end:
        bar_end = (start // meter.bar_length + 1) * meter.bar_length
        bar_start = bar_end - meter.bar_length
        for place, duration in _pieces_in_bar(
            start - bar_start, min(end, bar_end) - bar_start, meter
        ):
            yield bar_start + place, duration
        start = bar_end


def _pieces_in_bar(start: int, end: int, meter: Meter) -> Iterator[tuple[int, int]]:
    """Split so that the beats stay visible.

    From a beat on, the longest note value is taken. What begins between two beats is cut at the
    next one, except the common syncopation short–long–short of one beat's length.
    """
    beat = meter.beat_length
    while start < end:
        offset = start % beat
        if offset == 0:
            duration = next(value for value in NOTE_VALUES if value <= end - start)
            yield start, duration
            start += duration
            continue
        syncopated = beat == 4 and offset == 2 and end - start == 4
        crosses_middle = (start + 2) % (2 * beat) == 0
        if syncopated and not crosses_middle:
            yield start, 4
            return
        stop = min(end, start - offset + beat)
        # Short before long: the long piece then begins on the stronger place.
        for duration in reversed(_note_values(stop - start)):
            yield start, duration
            start += duration


def _note_values(duration: int) -> list[int]:
    """Note values, longest first, that add up to a duration."""
    values = []
    while duration:
        value = next(value for value in NOTE_VALUES if value <= duration)
        values.append(value)
        duration -= value
    return values
