"""A lead sheet: a melody with chords, in exact fractions of a quarter note."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from seqtutor.tasks.scores.keys import Key

ZERO = Fraction(0)
C_MAJOR = Key(0)


@dataclass(frozen=True, slots=True)
class MelodyNote:
    """One note: `onset` and `duration` in quarter notes, `pitch` as a MIDI number."""

    onset: Fraction
    duration: Fraction
    pitch: int

    @property
    def end(self) -> Fraction:
        """When it stops sounding."""
        return self.onset + self.duration


@dataclass(frozen=True, slots=True)
class Chord:
    """What sounds below the melody: `pitches` are MIDI numbers, ascending, one a pitch class.

    The same chord may be struck again: two equal chords in a row are not one long chord.
    """

    onset: Fraction
    duration: Fraction
    pitches: tuple[int, ...]

    @property
    def end(self) -> Fraction:
        """When it stops sounding."""
        return self.onset + self.duration

    @property
    def bass(self) -> int:
        """The pitch class of the lowest note."""
        return self.pitches[0] % 12

    @property
    def pitch_classes(self) -> frozenset[int]:
        """What sounds, whatever the octave."""
        return frozenset(pitch % 12 for pitch in self.pitches)

    def transposed(self, semitones: int) -> Chord:
        """The same chord on another pitch, its lowest note in the octave (C to B) it was in.

        A chord therefore has one form in each key, whatever key it comes from.
        """
        lowest = self.pitches[0]
        moved = 12 * (lowest // 12) + (lowest + semitones) % 12
        if moved + self.pitches[-1] - lowest > 127:
            moved -= 12
        return replace(self, pitches=tuple(pitch + moved - lowest for pitch in self.pitches))


@dataclass(frozen=True)
class LeadSheet:
    """A tune with its chords. Where no note (no chord) is, the melody (the harmony) rests.

    Attributes:
        notes: in order of time, never overlapping.
        chords: likewise.
        length: in quarter notes, rests at the end included.
        key: tonic and mode.
        meter: numerator and denominator, or `None` if it is free or not known.
        pickup: the length of the upbeat before the first full bar, in quarter notes.
        title: the piece's name, may be empty.
        source: the file or book it comes from.
        index: its place in that file, from 0.

    Raises:
        ValueError: if notes or chords overlap, are empty, or lie outside the tune or MIDI's range.
    """

    notes: tuple[MelodyNote, ...]
    chords: tuple[Chord, ...]
    length: Fraction
    key: Key = C_MAJOR
    meter: tuple[int, int] | None = None
    pickup: Fraction = ZERO
    title: str = ""
    source: str = ""
    index: int = 0

    def __post_init__(self) -> None:
        _check_one_voice(self.notes, self.length)
        _check_one_voice(self.chords, self.length)
        if not all(0 <= note.pitch <= 127 for note in self.notes):
            raise ValueError("a note lies outside MIDI's range")
        for chord in self.chords:
            _check_pitches(chord.pitches)

    @property
    def music(self) -> tuple[tuple[MelodyNote, ...], tuple[Chord, ...], Fraction]:
        """What is heard: notes, chords and length, without name, key and metre."""
        return self.notes, self.chords, self.length

    def transposed(self, semitones: int) -> LeadSheet:
        """Shift the melody and the key; the chords follow as `Chord.transposed` says."""
        if semitones == 0:
            return self
        notes = (MelodyNote(n.onset, n.duration, n.pitch + semitones) for n in self.notes)
        return replace(
            self,
            notes=tuple(notes),
            chords=tuple(chord.transposed(semitones) for chord in self.chords),
            key=self.key.transposed(semitones),
        )


def in_units(times: Sequence[Fraction]) -> tuple[list[int], int]:
    """Times as whole numbers of one unit, and how many of it a quarter has."""
    ratios = [time.as_integer_ratio() for time in times]
    quarter = math.lcm(*(below for _, below in ratios))
    return [above * (quarter // below) for above, below in ratios], quarter


def _check_one_voice(events: Sequence[MelodyNote | Chord], length: Fraction) -> None:
    # Numerators and denominators of times, since sums of fractions are slow.
    above, below = 0, 1
    for event in events:
        onset, unit = event.onset.as_integer_ratio()
        duration, part = event.duration.as_integer_ratio()
        if duration <= 0 or onset * below < above * unit:
            raise ValueError(f"an event at quarter {event.onset} is empty or overlaps another")
        above, below = onset * part + duration * unit, unit * part
    time = Fraction(above, below)
    if time > length:
        raise ValueError(f"the last event ends at quarter {time}, after the tune's {length}")


def _check_pitches(pitches: tuple[int, ...]) -> None:
    ascending = all(low < high for low, high in pairwise(pitches))
    classes = {pitch % 12 for pitch in pitches}
    in_range = pitches and pitches[0] >= 0 and pitches[-1] <= 127
    if not (ascending and in_range and len(classes) == len(pitches)):
        raise ValueError(f"a chord needs ascending pitches of different classes, not {pitches}")
