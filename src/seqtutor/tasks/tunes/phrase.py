"""A phrase: a few bars of a tune with its upbeat, as exact note values."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from seqtutor.tasks.scores.keys import FIFTHS_OF_MODE, Key
from seqtutor.tasks.scores.lead_sheet import LeadSheet, MelodyNote

UNITS_PER_QUARTER = 24
"""Divisible by 8 and by 6: thirty-seconds and triplets of sixteenths are whole numbers of units."""

Meter = tuple[int, int]

METERS: tuple[Meter, ...] = ((2, 2), (4, 4), (2, 4), (3, 4), (6, 8), (9, 8))
"""Those of at least a hundred tunes of the corpus: reels and hornpipes, marches, polkas, waltzes,
jigs, slip jigs."""
MODES = ("major", "minor", "dorian", "mixolydian")


@dataclass(frozen=True, slots=True)
class Event:
    """A note, a rest (`pitch` is `None`), or what goes on of the event before (`is_tied`, too).

    Attributes:
        duration: in units.
        pitch: as a MIDI number.
        is_tied: whether it prolongs the event before, across a bar line for instance.
    """

    duration: int
    pitch: int | None
    is_tied: bool = False


Bar = tuple[Event, ...]


@dataclass(frozen=True)
class Phrase:
    """Some bars of a tune.

    Attributes:
        meter: numerator and denominator.
        mode: one of `MODES`; the tonic is that of the mode on the white keys.
        upbeat: events before the first bar, perhaps none.
        bars: in order. The last one may lack what the next upbeat takes.
    """

    meter: Meter
    mode: str
    upbeat: Bar
    bars: tuple[Bar, ...]

    @property
    def lengths(self) -> list[int]:
        """Units in each bar, without the upbeat."""
        return [length_of(bar) for bar in self.bars]


def length_of(bar: Bar) -> int:
    """Units in a bar."""
    return sum(event.duration for event in bar)


def units_in_bar(meter: Meter) -> int:
    """Units in a full bar."""
    return 4 * UNITS_PER_QUARTER * meter[0] // meter[1]


def tonic_of(mode: str) -> int:
    """The pitch class of a mode's tonic on the white keys: 0 (C) for major, 9 (A) for minor."""
    return -7 * FIFTHS_OF_MODE[mode] % 12


def key_of(mode: str) -> Key:
    """The key of a mode on the white keys."""
    return Key(tonic_of(mode), mode)


def lead_sheet_of(phrase: Phrase, transposition: int = 0, title: str = "") -> LeadSheet:
    """A phrase as a lead sheet without chords, moved by so many semitones."""
    notes: list[MelodyNote] = []
    time, may_prolong = 0, False
    for event in [*phrase.upbeat, *(event for bar in phrase.bars for event in bar)]:
        duration = _quarters(event.duration)
        if event.is_tied:
            if may_prolong:
                last = notes.pop()
                notes.append(MelodyNote(last.onset, last.duration + duration, last.pitch))
        else:
            may_prolong = event.pitch is not None
            if event.pitch is not None:
                notes.append(MelodyNote(_quarters(time), duration, event.pitch + transposition))
        time += event.duration
    return LeadSheet(
        tuple(notes),
        (),
        _quarters(time),
        key_of(phrase.mode).transposed(transposition),
        phrase.meter,
        _quarters(length_of(phrase.upbeat)),
        title,
    )


def _quarters(units: int) -> Fraction:
    return Fraction(units, UNITS_PER_QUARTER)
