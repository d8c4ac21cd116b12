"""From a melody on the grid of sixteenths to bars of note values that keep the beats visible."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER, Note, tokens_to_notes
from seqtutor.tasks.melody.tune import downbeats_from
from seqtutor.tasks.scores import notation
from seqtutor.tasks.scores.notation import Bar, Group, Symbol
from seqtutor.tasks.scores.values import pieces_of

Place = tuple[int, Fraction, Fraction]
"""The number of a bar, and start and duration in it in quarters."""


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
    def signature(self) -> notation.Meter:
        """Numerator and denominator."""
        return self.beats, self.beat_type

    def __str__(self) -> str:
        return f"{self.beats}/{self.beat_type}"


def write_bars(
    tokens: Sequence[int] | Int[np.ndarray, " time"],
    meter: Meter,
    transposition: int = 0,
    downbeats: Sequence[int] = (0,),
) -> tuple[Bar, ...]:
    """Cut a melody, moved by so many semitones, into bars of symbols that can be written.

    Ties hold the parts of a note together. The last bar may be shorter than the metre says; the
    durations add up to the length of the melody.

    Args:
        tokens: of the melody.
        meter: of the bars.
        transposition: semitones.
        downbeats: where the first bars begin, in sixteenths; what lies before is an upbeat. From
            the last of them on bars are as long as the metre says.

    Raises:
        UserError: if a token is not a melody token.
    """
    edges = _edges(downbeats, len(tokens), meter)
    # Missing at the start of an upbeat.
    leads = [max(0, meter.bar_length - downbeats[0]) if downbeats[0] else 0, *[0] * len(edges)]
    bars: list[list[Symbol]] = [[] for _ in edges[1:]]
    for note, sounds in _with_rests(tokens_to_notes(tokens, transposition), len(tokens)):
        pieces = list(_pieces(note.onset, note.end, edges, leads, meter, sounds))
        for index, (bar, place, duration) in enumerate(pieces):
            tied_from, tied_to = sounds and index > 0, sounds and index < len(pieces) - 1
            pitch = note.pitch if sounds else None
            bars[bar].append(Symbol(place, duration, pitch, tied_from, tied_to))
    return tuple(
        Bar(sum((symbol.duration for symbol in bar), Fraction(0)), (Group(tuple(bar)),))
        for bar in bars
    )


def _edges(downbeats: Sequence[int], length: int, meter: Meter) -> list[int]:
    """Where bars begin and the last one ends, in sixteenths, an upbeat among them."""
    starts = downbeats_from(downbeats, length, meter.bar_length)
    upbeat = [0] if length and starts[:1] != (0,) else []
    return [*upbeat, *starts, length] if length else []


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


def _pieces(
    start: int, end: int, edges: Sequence[int], leads: Sequence[int], meter: Meter, sounds: bool
) -> Iterator[Place]:
    """Split a time span into pieces that stay in a bar and are note values."""
    while start < end:
        bar = bisect_right(edges, start) - 1
        # A bar that is longer than the metre says goes on like another.
        whole, place = divmod(start - edges[bar] + leads[bar], meter.bar_length)
        stop = min(end, edges[bar + 1], start + meter.bar_length - place)
        span = _quarters(place), _quarters(place + stop - start)
        before = _quarters(whole * meter.bar_length - leads[bar])
        for onset, duration in pieces_of(*span, meter.signature, rests=not sounds):
            yield bar, before + onset, duration
        start = stop
