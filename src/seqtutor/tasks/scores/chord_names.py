"""Chord symbols such as `Am7/G`: from text to pitches, and from pitches to a name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from seqtutor.tasks.scores.keys import PITCH_CLASS_OF_LETTER, Key
from seqtutor.tasks.scores.notation import (
    ACCIDENTAL_SIGNS,
    letter_and_alteration,
    signature_fifths,
)

LOWEST_CHORD_NOTE = 48
"""The lowest note of a chord that is read from a symbol lies in the octave from C3 (48) to B3."""


@dataclass(frozen=True)
class Quality:
    """A kind of chord: semitones above the root, and what it is called.

    `suffixes` are what may follow the root in a symbol, the one to be written first; `kind` is
    MusicXML's name for it.
    """

    intervals: tuple[int, ...]
    kind: str
    suffixes: tuple[str, ...]


# The order breaks ties where the same notes have two names.
QUALITIES = (
    Quality((0, 4, 7), "major", ("", "M", "maj")),
    Quality((0, 3, 7), "minor", ("m", "min", "-")),
    Quality((0, 4, 7, 10), "dominant", ("7",)),
    Quality((0, 3, 7, 10), "minor-seventh", ("m7", "min7", "-7")),
    Quality((0, 4, 7, 11), "major-seventh", ("maj7", "M7")),
    Quality((0, 3, 6), "diminished", ("dim", "d", "o")),
    Quality((0, 4, 8), "augmented", ("aug", "a", "+")),
    Quality((0, 3, 6, 9), "diminished-seventh", ("dim7", "d7", "o7")),
    Quality((0, 3, 6, 10), "half-diminished", ("m7b5",)),
    Quality((0, 4, 7, 9), "major-sixth", ("6",)),
    Quality((0, 3, 7, 9), "minor-sixth", ("m6",)),
    Quality((0, 3, 7, 11), "major-minor", ("mmaj7", "mM7")),
    Quality((0, 4, 8, 10), "augmented-seventh", ("aug7", "a7", "+7", "7#5")),
    Quality((0, 5, 7), "suspended-fourth", ("sus4", "sus")),
    Quality((0, 2, 7), "suspended-second", ("sus2",)),
    Quality((0, 2, 4, 7, 10), "dominant-ninth", ("9",)),
    Quality((0, 1, 4, 7, 10), "dominant-flat-ninth", ("7b9",)),
    Quality((0, 7), "power", ("5",)),
)
_QUALITY_OF_SUFFIX = {suffix: quality for quality in QUALITIES for suffix in quality.suffixes}
_SYMBOL = re.compile(r"([A-G])([#b♯♭]?)([^/]{0,8}?)(?:/([A-Ga-g])([#b♯♭+]?))?")
_SEMITONES = {"#": 1, "♯": 1, "+": 1, "b": -1, "♭": -1, "": 0}
_G_FLAT, _A_SHARP = -6, 10
"""Places on the line of fifths, with C at 0."""
NO_CHORD = frozenset({"N.C.", "NC", "N.C", "n.c."})
"""Symbols that say that the harmony rests."""


@dataclass(frozen=True)
class ChordName:
    """Root and bass as pitch classes, and the quality; the bass need not be a note of the chord."""

    root: int
    quality: Quality
    bass: int

    @property
    def pitch_classes(self) -> frozenset[int]:
        """Everything that sounds, the bass included."""
        return frozenset({(self.root + i) % 12 for i in self.quality.intervals} | {self.bass})

    def symbol(self, key: Key) -> str:
        """The name as text, spelled for a key."""
        text = _letter(self.root, key) + self.quality.suffixes[0]
        return text if self.bass == self.root else f"{text}/{_letter(self.bass, key)}"


def spell_chord_note(pitch_class: int, key: Key) -> tuple[str, int]:
    """Letter and alteration of a root or bass, never with two sharps or flats, nor as E♯ or C♭.

    Chords borrow from the flat side more than melodies do: B♭ and C in D major, not A♯ and B♯.
    """
    lowest = min(max(signature_fifths(key) - 4, _G_FLAT), _A_SHARP - 11)
    return letter_and_alteration(lowest + (7 * pitch_class - lowest) % 12)


def _letter(pitch_class: int, key: Key) -> str:
    letter, alteration = spell_chord_note(pitch_class, key)
    return letter + ACCIDENTAL_SIGNS[alteration]


def parse_chord_name(text: str) -> ChordName | None:
    """Read a symbol, or `None` if it is not the name of a chord that is known.

    Brackets and spaces are passed over. Besides the usual forms the Nottingham Music Database's
    are read: `Cd` diminished, `Ca` augmented, `D/f+` with F sharp in the bass.
    """
    match = _SYMBOL.fullmatch("".join(text.split()).strip("()"))
    if match is None or match[3] not in _QUALITY_OF_SUFFIX:
        return None
    root = (PITCH_CLASS_OF_LETTER[match[1]] + _SEMITONES[match[2]]) % 12
    bass = root
    if match[4]:
        bass = (PITCH_CLASS_OF_LETTER[match[4].upper()] + _SEMITONES[match[5]]) % 12
    return ChordName(root, _QUALITY_OF_SUFFIX[match[3]], bass)


def close_position(bass: int, pitch_classes: Iterable[int]) -> tuple[int, ...]:
    """MIDI pitches: the bass in the octave from `LOWEST_CHORD_NOTE`, the rest just above it."""
    lowest = LOWEST_CHORD_NOTE + (bass - LOWEST_CHORD_NOTE) % 12
    return tuple(sorted({lowest + (each - bass) % 12 for each in pitch_classes} | {lowest}))


def chord_pitches(name: ChordName) -> tuple[int, ...]:
    """How a symbol is played."""
    return close_position(name.bass, name.pitch_classes)


@lru_cache(maxsize=4096)
def name_of(pitches: tuple[int, ...]) -> ChordName:
    """The name that fits pitches best.

    Fewest notes missing or too many; then a bass that belongs to the chord; then a bass that is the
    root; then the order of `QUALITIES`. `chord_pitches` of the name sounds the same pitch classes
    wherever a known chord does.
    """
    classes = {pitch % 12 for pitch in pitches}
    bass = pitches[0] % 12

    def misfit(name: ChordName) -> tuple[int, bool, bool]:
        own = {(name.root + interval) % 12 for interval in name.quality.intervals}
        return len((own | {bass}) ^ classes), bass not in own, name.root != bass

    names = [ChordName(root, quality, bass) for quality in QUALITIES for root in range(12)]
    return min(names, key=misfit)
