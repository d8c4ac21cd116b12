"""What all score formats are written from: bars of note values, and the spelling of pitches."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from seqtutor.tasks.scores.keys import (
    FIFTHS_OF_MODE,
    PITCH_CLASS_OF_LETTER,
    Key,
    signature_of_fifths,
)

Meter = tuple[int, int]
"""Numerator and denominator of a time signature."""

# Letters along the line of fifths, with C at 0: … F −1, C 0, G 1 …; seven steps further is the
# same letter a semitone higher.
_LETTERS_BY_FIFTHS = "FCGDAEB"
ACCIDENTAL_SIGNS = {-1: "b", 0: "", 1: "#"}
"""Of the names of keys and chords, by alteration in semitones."""


@dataclass(frozen=True)
class Symbol:
    """A note head, or a rest if `pitch` is `None`.

    Attributes:
        start: in quarters from the beginning of its bar.
        duration: the note value in quarters; under a tuplet it sounds for less.
        pitch: as a MIDI number.
        tied_from, tied_to: whether it is tied to the note before and to the one after.
    """

    start: Fraction
    duration: Fraction
    pitch: int | None
    tied_from: bool = False
    tied_to: bool = False


@dataclass(frozen=True)
class Group:
    """Neighbouring symbols; `tuplet` is p and q of "p notes in the time of q", if they form one."""

    symbols: tuple[Symbol, ...]
    tuplet: tuple[int, int] | None = None

    def sounding(self, symbol: Symbol) -> Fraction:
        """How long a symbol of the group sounds, in quarters."""
        return symbol.duration / Fraction(*(self.tuplet or (1, 1)))


@dataclass(frozen=True)
class ChordSymbol:
    """A chord above a place of a bar, or `N.C.`, with no `kind`, where the harmony rests.

    Attributes:
        start: in quarters from the beginning of the bar.
        text: the whole symbol.
        kind: MusicXML's name of the kind of chord.
        root, bass: letter and alteration in semitones.
    """

    start: Fraction
    text: str = "N.C."
    kind: str | None = None
    root: tuple[str, int] = ("C", 0)
    bass: tuple[str, int] = ("C", 0)


@dataclass(frozen=True)
class Bar:
    """A bar, or a part of one at the beginning or end of a piece; `length` is in quarters."""

    length: Fraction
    groups: tuple[Group, ...]
    chords: tuple[ChordSymbol, ...] = ()

    @property
    def symbols(self) -> list[Symbol]:
        """Those of all groups."""
        return [symbol for group in self.groups for symbol in group.symbols]


@dataclass(frozen=True)
class Score:
    """A melody with chord symbols on one staff.

    Attributes:
        bars: in order; the first is an upbeat if `has_upbeat`.
        key, meter: of the signatures.
        tempo: quarter notes a minute.
        title: may be empty.
    """

    bars: tuple[Bar, ...]
    key: Key
    meter: Meter
    tempo: float
    title: str = ""
    has_upbeat: bool = False

    def offset(self, bar: Bar) -> Fraction:
        """Quarters that are missing before the first note of a bar, which may be the upbeat."""
        is_upbeat = self.has_upbeat and bar is self.bars[0]
        return bar_length(self.meter) - bar.length if is_upbeat else Fraction(0)


def tempo_mark(score: Score) -> tuple[Fraction, str]:
    """The note value that a tempo mark counts, in quarters, and how many a minute, as written.

    A dotted note in 6/8, 9/8 and 12/8, whose beats seldom have a whole number of quarters; else a
    quarter.
    """
    if not is_compound(score.meter):
        return Fraction(1), f"{score.tempo:g}"
    beat = beat_length(score.meter)
    return beat, f"{score.tempo / float(beat):.3g}"


def bar_length(meter: Meter) -> Fraction:
    """Quarters in a full bar."""
    beats, unit = meter
    return Fraction(4 * beats, unit)


def beat_length(meter: Meter) -> Fraction:
    """Quarters in what is felt as one beat: a dotted note in 6/8, 9/8, 12/8."""
    single = Fraction(4, meter[1])
    return 3 * single if is_compound(meter) else max(single, Fraction(1))


def is_compound(meter: Meter) -> bool:
    """Whether beats are divided by three, as in 6/8, 9/8 and 12/8."""
    beats, unit = meter
    return unit >= 8 and beats % 3 == 0


def odd_part(number: int) -> int:
    """A number above 0 without its factors of two."""
    return number // (number & -number)


def is_binary(time: Fraction) -> bool:
    """Whether halving whole quarters leads there: no tuplet is needed to write it."""
    return odd_part(time.denominator) == 1


def is_note_value(duration: Fraction) -> bool:
    """Whether one note head with at most one dot has a duration in quarters."""
    return odd_part(duration.numerator) in (1, 3) and is_binary(duration)


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


def spelled_name(pitch: int, key: Key) -> str:
    """Name a MIDI pitch as a key spells it, with middle C (60) as C4."""
    spelled = spell(pitch, key)
    return f"{spelled.letter}{_sign(spelled.alteration)}{spelled.octave}"


def key_title(key: Key) -> str:
    """Name a key as its signature spells it: "Bb major"."""
    letter, alteration = spell_tonic(key)
    return f"{letter}{_sign(alteration)} {key.mode}"


def _sign(alteration: int) -> str:
    return "#" * alteration if alteration > 0 else "b" * -alteration


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
