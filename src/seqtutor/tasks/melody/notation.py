"""From a melody on the grid of sixteenths to notes on paper: bars, note values, ties, spelling.

Both score formats (ABC and MusicXML) are written from this one description.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import Note, tokens_to_notes
from seqtutor.tasks.scores.keys import (
    FIFTHS_OF_MODE,
    PITCH_CLASS_OF_LETTER,
    Key,
    signature_of_fifths,
)

NOTE_VALUES = (24, 16, 12, 8, 6, 4, 3, 2, 1)
"""Durations in sixteenths that one note head, with at most one dot, can have."""

# Letters along the line of fifths, with C at 0: … F −1, C 0, G 1 …; seven steps further is the
# same letter a semitone higher.
_LETTERS_BY_FIFTHS = "FCGDAEB"


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

    @classmethod
    def parse(cls, text: str) -> Meter:
        """Read `4/4`.

        Raises:
            UserError: if the text is not a metre of whole sixteenths.
        """
        parts = text.split("/")
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):
            raise UserError(f"{text!r} is not a metre; write it like 4/4 or 6/8")
        return cls(int(parts[0]), int(parts[1]))

    @property
    def bar_length(self) -> int:
        """Sixteenths in a bar."""
        return self.beats * 16 // self.beat_type

    @property
    def beat_length(self) -> int:
        """Sixteenths in what is felt as one beat: a dotted note in 6/8, 9/8, 12/8."""
        single = 16 // self.beat_type
        compound = self.beat_type >= 8 and self.beats % 3 == 0
        return 3 * single if compound else max(single, 4)

    def __str__(self) -> str:
        return f"{self.beats}/{self.beat_type}"


@dataclass(frozen=True)
class SpelledPitch:
    """A pitch as written: letter, alteration in semitones (−2 … 2) and octave (middle C is 4)."""

    letter: str
    alteration: int
    octave: int

    @property
    def midi(self) -> int:
        """The MIDI pitch that sounds."""
        natural = PITCH_CLASS_OF_LETTER[self.letter]
        return 12 * (self.octave + 1) + natural + self.alteration


@dataclass(frozen=True)
class Symbol:
    """One note head or rest (`pitch` None): `start` in sixteenths from its bar's beginning."""

    start: int
    duration: int
    pitch: SpelledPitch | None
    tied_from: bool = False
    tied_to: bool = False


def signature_fifths(key: Key) -> int:
    """Sharps (positive) or flats (negative) of a key signature, −6 … 6.

    Of two spellings with six, F♯ major and E♭ minor are taken.
    """
    fifths = 7 * key.relative_major % 12
    flat = fifths > 6 or (fifths == 6 and key.mode == "minor")
    return fifths - 12 if flat else fifths


def letter_and_alteration(position: int) -> tuple[str, int]:
    """Name a place on the line of fifths, with C at 0: a letter, and how far it is raised."""
    alteration, letter = divmod(position + 1, 7)
    return _LETTERS_BY_FIFTHS[letter], alteration


def spell_tonic(key: Key) -> tuple[str, int]:
    """Letter and alteration of the key's tonic as its signature has it."""
    return letter_and_alteration(signature_fifths(key) - FIFTHS_OF_MODE[key.mode])


def spell(pitch: int, key: Key) -> SpelledPitch:
    """Spell a MIDI pitch for a key.

    Notes of the scale take their letter from the signature. The other five are, in C major or A
    minor, E♭, B♭, F♯, C♯ and G♯, and the same degrees in other keys: raised leading notes upwards,
    blue notes downwards.
    """
    lowest = signature_fifths(key) - 3
    position = lowest + (7 * pitch - lowest) % 12
    letter, alteration = letter_and_alteration(position)
    octave = (pitch - alteration - PITCH_CLASS_OF_LETTER[letter]) // 12 - 1
    return SpelledPitch(letter, alteration, octave)


def signature_alteration(letter: str, key: Key) -> int:
    """What the key signature does to a letter: −1, 0 or 1."""
    return signature_of_fifths(signature_fifths(key)).get(letter, 0)


@dataclass
class Accidentals:
    """Decides within one bar which notes need an accidental.

    Some readers take an accidental to hold in its octave only, others in all octaves. A note gets
    one whenever either reading would otherwise be wrong.
    """

    key: Key
    _in_force: dict[tuple[str, int | None], int | None] = field(default_factory=dict)

    def needed(self, pitch: SpelledPitch) -> bool:
        """Whether this note, next in the bar, needs an accidental; remembers the answer."""
        default = signature_alteration(pitch.letter, self.key)
        places = ((pitch.letter, pitch.octave), (pitch.letter, None))
        needed = any(self._in_force.get(place, default) != pitch.alteration for place in places)
        for place in places:
            self._in_force[place] = pitch.alteration
        return needed

    def carry(self, pitch: SpelledPitch) -> None:
        """Pass a note that is tied over the bar line and so repeats no accidental.

        Whether its accidental still holds is then unclear: the next note on the line gets one.
        """
        if pitch.alteration != signature_alteration(pitch.letter, self.key):
            self._in_force[pitch.letter, pitch.octave] = None


def write_bars(
    tokens: Sequence[int] | Int[np.ndarray, " time"],
    meter: Meter,
    key: Key,
    transposition: int = 0,
) -> list[list[Symbol]]:
    """Cut a melody, moved by so many semitones, into bars of symbols that can be written.

    Ties hold the parts of a note together. The last bar may be shorter than the metre says;
    durations in the bars add up to the length of the melody.

    Raises:
        UserError: if a token is not a melody token.
    """
    bars: list[list[Symbol]] = [[] for _ in range(-(-len(tokens) // meter.bar_length))]
    for note, sounds in _with_rests(tokens_to_notes(tokens, transposition), len(tokens)):
        pitch = spell(note.pitch, key) if sounds else None
        pieces = list(_pieces(note.onset, note.end, meter))
        for index, (start, duration) in enumerate(pieces):
            bar, place = divmod(start, meter.bar_length)
            tied_from, tied_to = sounds and index > 0, sounds and index < len(pieces) - 1
            bars[bar].append(Symbol(place, duration, pitch, tied_from, tied_to))
    return bars


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
