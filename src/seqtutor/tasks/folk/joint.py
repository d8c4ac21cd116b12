"""Lead sheets as joint tokens: one token for every moment at which either part begins something.

A token has six values, after Lee et al. 2017 (SeqGAN for polyphonic music, section 3.1):

- melody duration in quarter notes, octave (middle C begins octave 4) and pitch class from 1 (C) to
  12 (B). Three zeros: nothing new in the melody. A duration with two zeros: a rest.
- chord duration, the octaves of the chord's notes, and its pitch classes from 0 (C) to 11 (B),
  ascending. Zero and twice nothing: nothing new in the harmony. A duration with nothing: a rest.

The parts have durations of their own: a token that begins only a note says nothing about the
chord, which lasts as long as its own duration says. The next token stands where the first of the
notes, chords and rests that go on ends. A part that has no event in the whole tune is "nothing new"
throughout.

The published token table writes the same values with other numbers (see `published.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from seqtutor.errors import UserError
from seqtutor.tasks.folk.tokenisation import (
    DURATION_WEIGHT,
    PITCH_CLASS_WEIGHT,
    REGISTER_WEIGHT,
    STATUS_WEIGHT,
    Span,
    spans_between,
    to_one_key,
    with_rests,
)
from seqtutor.tasks.folk.voice import Voice
from seqtutor.tasks.scores.keys import estimate_key
from seqtutor.tasks.scores.lead_sheet import C_MAJOR, ZERO, Chord, LeadSheet, MelodyNote


@dataclass(frozen=True, slots=True)
class JointToken:
    """Six values; see the module. `str` writes them as `1/2 4 10 | 4 3.3.3 2.6.9`."""

    melody_duration: Fraction = ZERO
    melody_octave: int = 0
    melody_class: int = 0
    chord_duration: Fraction = ZERO
    chord_octaves: tuple[int, ...] = ()
    chord_classes: tuple[int, ...] = ()

    def __str__(self) -> str:
        octaves, classes = (
            ".".join(map(str, values)) or "-" for values in (self.chord_octaves, self.chord_classes)
        )
        melody = f"{self.melody_duration} {self.melody_octave} {self.melody_class}"
        return f"{melody} | {self.chord_duration} {octaves} {classes}"

    @property
    def pitch(self) -> int | None:
        """The MIDI pitch that begins; `None` for a rest, nothing new, or what is out of range."""
        pitch = 12 * (self.melody_octave + 1) + self.melody_class - 1
        return pitch if self.melody_class and 0 <= pitch <= 127 else None

    @property
    def chord(self) -> tuple[int, ...]:
        """The ascending MIDI pitches of the chord that begins, none for a rest or nothing new."""
        pitches = (
            12 * (octave + 1) + pitch_class
            for octave, pitch_class in zip(self.chord_octaves, self.chord_classes, strict=True)
        )
        return tuple(sorted(pitch for pitch in pitches if 0 <= pitch <= 127))

    @classmethod
    def of(
        cls,
        melody: tuple[Fraction, MelodyNote | None] | None,
        harmony: tuple[Fraction, Chord | None] | None,
    ) -> JointToken:
        """The token at which a note or rest, and a chord or rest, begin, each with its duration."""
        duration, note = melody or (ZERO, None)
        chord_duration, chord = harmony or (ZERO, None)
        octave, pitch_class = divmod(note.pitch, 12) if note else (1, -1)
        by_class = sorted((pitch % 12, pitch // 12 - 1) for pitch in chord.pitches) if chord else []
        return cls(
            duration,
            octave - 1,
            pitch_class + 1,
            chord_duration,
            tuple(octave for _, octave in by_class),
            tuple(pitch_class for pitch_class, _ in by_class),
        )


@dataclass(frozen=True)
class JointTokenisation:
    """The published tokens; `transposed` first brings every tune to C major or A minor."""

    transposed: bool = False

    names: ClassVar[dict[bool, str]] = {False: "joint", True: "joint-transposed"}

    @property
    def name(self) -> str:
        """`joint` or `joint-transposed`."""
        return self.names[self.transposed]

    def prepare(self, sheet: LeadSheet) -> LeadSheet:
        """The lead sheet, in the common key if that is asked for."""
        return to_one_key(sheet) if self.transposed else sheet

    def encode(self, sheet: LeadSheet) -> tuple[JointToken, ...]:
        """Write a lead sheet."""
        sheet = self.prepare(sheet)
        melody: dict[Fraction, tuple[Fraction, MelodyNote | None]] = {}
        harmony: dict[Fraction, tuple[Fraction, Chord | None]] = {}
        if sheet.notes or not sheet.chords:
            parts = with_rests(sheet.notes, sheet.length)
            melody = {onset: (duration, note) for onset, duration, note in parts}
        if sheet.chords:
            pieces = with_rests(sheet.chords, sheet.length)
            harmony = {onset: (duration, chord) for onset, duration, chord in pieces}
        onsets = sorted(melody.keys() | harmony.keys())
        return tuple(JointToken.of(melody.get(onset), harmony.get(onset)) for onset in onsets)

    def decode(self, tokens: Sequence[JointToken]) -> LeadSheet:
        """Read tokens, any at all.

        Where a part says "nothing new" although its last event is over, it is silent. Where it
        begins something before its last event is over, that is cut short. Where nothing sounds or
        rests, time stands still, and of two events at one moment the later counts.
        """
        melody, harmony, _ = self._read(tokens)
        notes = tuple(MelodyNote(*event) for event in melody.events())
        chords = tuple(Chord(*event) for event in harmony.events())
        key = C_MAJOR if self.transposed else estimate_key(notes)
        return LeadSheet(notes, chords, max(melody.end, harmony.end), key)

    @staticmethod
    def _read(
        tokens: Sequence[JointToken],
    ) -> tuple[Voice[int], Voice[tuple[int, ...]], list[Fraction]]:
        """Both parts, and the times at which tokens stand, with that after the last."""
        melody: Voice[int] = Voice()
        harmony: Voice[tuple[int, ...]] = Voice()
        times = [ZERO]
        for token in tokens:
            time = times[-1]
            if token.melody_duration:
                melody.begin(time, token.melody_duration, token.pitch)
            if token.chord_duration:
                harmony.begin(time, token.chord_duration, token.chord or None)
            ends = (end for end in (melody.end, harmony.end) if end > time)
            times.append(min(ends, default=time))
        return melody, harmony, times

    def spans(self, tokens: Sequence[JointToken]) -> list[Span | None]:
        """Each token lasts until the next one."""
        return spans_between(self._read(tokens)[2])

    def melody(self, token: JointToken) -> int | str:
        """What a token writes in the melody; what begins nothing holds."""
        return token.pitch or ("rest" if token.melody_duration else "hold")

    def parse(self, text: str) -> JointToken:
        """Read what `str` of a token writes.

        Raises:
            UserError: if it is not the name of a joint token.
        """
        try:
            melody, harmony = text.split(" | ")
            duration, octave, pitch_class = melody.split(" ")
            chord_duration, octaves, classes = harmony.split(" ")
            token = JointToken(
                Fraction(duration),
                int(octave),
                int(pitch_class),
                Fraction(chord_duration),
                _integers(octaves),
                _integers(classes),
            )
        except (ValueError, ZeroDivisionError):
            raise UserError(f"{text!r} is not a token of the {self.name} tokenisation") from None
        durations_make_sense = min(token.melody_duration, token.chord_duration) >= 0
        if not durations_make_sense or len(token.chord_octaves) != len(token.chord_classes):
            raise UserError(f"{text!r} is not a token of the {self.name} tokenisation")
        return token

    def features(self, token: JointToken) -> tuple[float, ...]:
        """What distances between tokens are measured by.

        Of each part: whether it begins nothing, a rest or a sound (weight 1000), and the binary
        logarithm of its duration (weight 100). Then the melody's pitch in semitones, each pitch
        class of the chord (weight 2) and its lowest note in semitones (weight 0.1).
        """
        pitch, chord = token.pitch, token.chord
        return (
            *part_features(token.melody_duration, pitch is not None),
            float(pitch or 0),
            *part_features(token.chord_duration, bool(chord)),
            *chord_features(chord),
        )


def part_features(duration: Fraction, sounds: bool) -> tuple[float, float, float]:
    """Status and duration of what begins in one part."""
    return (
        STATUS_WEIGHT * bool(duration),
        STATUS_WEIGHT * sounds,
        DURATION_WEIGHT * math.log2(duration) if duration else 0.0,
    )


def chord_features(pitches: Sequence[int]) -> tuple[float, ...]:
    """Which pitch classes a chord has, and how low it is."""
    classes = {pitch % 12 for pitch in pitches}
    lowest = REGISTER_WEIGHT * pitches[0] if pitches else 0.0
    return (*(PITCH_CLASS_WEIGHT * (each in classes) for each in range(12)), lowest)


def _integers(text: str) -> tuple[int, ...]:
    return () if text == "-" else tuple(map(int, text.split(".")))
