"""Keys: tonic and mode, signatures, and the key of notes that come without one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np

PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
BLACK_KEYS = frozenset({1, 3, 6, 8, 10})
"""Of a piano, as pitch classes."""

# A mode's place on the circle of fifths, counted from the major mode on the same tonic: Lydian has
# one sharp more, Locrian five fewer.
FIFTHS_OF_MODE = {
    "lydian": 1,
    "major": 0,
    "mixolydian": -1,
    "dorian": -2,
    "minor": -3,
    "phrygian": -4,
    "locrian": -5,
}
MODES = tuple(FIFTHS_OF_MODE)

PITCH_CLASS_OF_LETTER = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
NOTE_NAME = r"(?P<letter>[A-G])(?P<sign>#{0,2}|b{0,2})(?P<octave>-?\d)"
"""A pattern of notes as people type them, such as C4 or bb3; upper and lower case are the same."""
FIFTHS_OF_LETTER = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_SHARPS = "FCGDAEB"

Signature = dict[str, int]
"""Semitones by which a key signature raises each letter it alters."""


@dataclass(frozen=True)
class Key:
    """A tonic as pitch class (0 = C … 11 = B) and a mode, one of `MODES`."""

    tonic: int
    mode: str = "major"

    def __post_init__(self) -> None:
        if not 0 <= self.tonic < 12 or self.mode not in FIFTHS_OF_MODE:
            raise ValueError(f"not a key: tonic {self.tonic}, mode {self.mode}")

    @property
    def relative_major(self) -> int:
        """The pitch class of the major key with the same signature: 0 (C) for D Dorian."""
        return (self.tonic + 7 * FIFTHS_OF_MODE[self.mode]) % 12

    @property
    def scale(self) -> frozenset[int]:
        """The seven pitch classes of the key signature."""
        return frozenset((self.relative_major + step) % 12 for step in (0, 2, 4, 5, 7, 9, 11))

    def transposed(self, semitones: int) -> Key:
        """The same mode on another tonic."""
        return Key((self.tonic + semitones) % 12, self.mode)

    def __str__(self) -> str:
        return f"{PITCH_NAMES[self.tonic]} {self.mode}"


def pitch_of_name(found: re.Match[str]) -> int:
    """The MIDI pitch of what matches `NOTE_NAME`; 60 for C4."""
    pitch = 12 * (int(found["octave"]) + 1) + PITCH_CLASS_OF_LETTER[found["letter"].upper()]
    return pitch + found["sign"].count("#") - found["sign"].count("b")


def pitch_name(pitch: int) -> str:
    """Name a MIDI pitch, with middle C (60) as C4 and sharps for the black keys."""
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"


def signature_of_fifths(fifths: int) -> Signature:
    """The key signature of so many sharps (positive) or flats (negative)."""
    fifths = max(-7, min(7, fifths))
    if fifths >= 0:
        return dict.fromkeys(_SHARPS[:fifths], 1)
    return dict.fromkeys(_SHARPS[fifths:], -1)


def key_of_signature(fifths: int, mode: str = "major") -> Key:
    """The key of a mode with so many sharps (positive) or flats (negative)."""
    return Key(7 * (fifths - FIFTHS_OF_MODE[mode]) % 12, mode)


class SoundingNote(Protocol):
    """What the key of a melody depends on; durations in any unit."""

    @property
    def pitch(self) -> int:
        """The MIDI pitch."""

    @property
    def duration(self) -> int | Fraction:
        """How long it sounds."""


def _durations_by_pitch_class(notes: Iterable[SoundingNote]) -> np.ndarray:
    durations = np.zeros(12)
    for note in notes:
        durations[note.pitch % 12] += float(note.duration)
    return durations


def mode_from_thirds(tonic: int, notes: Iterable[SoundingNote]) -> str:
    """Tell minor from major by which third above the tonic sounds longer (major if equal)."""
    durations = _durations_by_pitch_class(notes)
    return "minor" if durations[(tonic + 3) % 12] > durations[(tonic + 4) % 12] else "major"


# Probe-tone ratings of the twelve pitch classes from the tonic: Krumhansl & Kessler 1982,
# printed in C. L. Krumhansl, Cognitive Foundations of Musical Pitch (1990), table 2.1.
_MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def estimate_key(notes: Iterable[SoundingNote]) -> Key:
    """Find the major or minor key whose profile correlates best with the notes' durations.

    This is the Krumhansl–Schmuckler algorithm (Krumhansl 1990, chapter 4). Notes without any
    variation, an empty melody for one, count as C major.
    """
    durations = _durations_by_pitch_class(notes)
    if np.ptp(durations) == 0:
        return Key(0)
    candidates = [
        (float(np.corrcoef(np.roll(profile, tonic), durations)[0, 1]), -tonic, mode)
        for mode, profile in (("minor", _MINOR_PROFILE), ("major", _MAJOR_PROFILE))
        for tonic in range(12)
    ]
    _, negative_tonic, mode = max(candidates)
    return Key(-negative_tonic, mode)
