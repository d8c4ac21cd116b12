"""Melodies as files that a person can open: notes, engraved scores and sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Int

from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER, tokens_to_notes
from seqtutor.tasks.melody.notation import Meter, write_bars
from seqtutor.tasks.scores import rendering
from seqtutor.tasks.scores.abc_writer import abc_tune
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.musicxml import musicxml
from seqtutor.tasks.scores.notation import Score
from seqtutor.tasks.scores.options import SoundSettings
from seqtutor.tasks.scores.rendering import MidiTrack, PieceWriter
from seqtutor.tasks.scores.sound import Clock, Tone

Tokens = Sequence[int] | Int[np.ndarray, " time"]

_TICKS_PER_QUARTER = 480


@dataclass(frozen=True)
class RenderSettings:
    """How a melody is written down.

    Attributes:
        tempo: quarter notes a minute.
        key: gives the key signature and the spelling; the pitches stay as they are.
        transposition: semitones by which every pitch is moved.
        meter: of the bars.
        downbeats: where the first bars begin, in sixteenths, one at least; what lies before is an
            upbeat. From the last of them on bars are as long as the metre says.
        title: the piece's name, may be empty.
        program: General MIDI instrument from 0; 0 is a grand piano.
        velocity: MIDI velocity of every note, 1 to 127.
        sound: of WAV and OGG files.

    Raises:
        UserError: if the tempo, the program or the velocity is out of range.
    """

    tempo: float = 120.0
    key: Key = field(default_factory=lambda: Key(0))
    transposition: int = 0
    meter: Meter = field(default_factory=Meter)
    downbeats: tuple[int, ...] = (0,)
    title: str = ""
    program: int = 0
    velocity: int = 90
    sound: SoundSettings = field(default_factory=SoundSettings)

    def __post_init__(self) -> None:
        rendering.require_playable(self.tempo, [self.program], [self.velocity])

    @property
    def pickup(self) -> int:
        """Sixteenths before the first bar line."""
        return self.downbeats[0]

    @property
    def lines(self) -> list[Fraction]:
        """The first bar lines, in quarters."""
        return [Fraction(line, STEPS_PER_QUARTER) for line in self.downbeats]


def render_midi(tokens: Tokens, settings: RenderSettings | None = None) -> bytes:
    """A melody as a MIDI file with tempo, metre and key.

    Raises:
        UserError: if a token is not a melody token.
    """
    settings = settings or RenderSettings()
    ticks = _TICKS_PER_QUARTER // STEPS_PER_QUARTER
    notes = [
        (note.onset * ticks, note.duration * ticks, note.pitch, settings.velocity)
        for note in tokens_to_notes(tokens, settings.transposition)
    ]
    track = MidiTrack(settings.title or "Melody", settings.program, notes)
    return rendering.render_midi(
        [track],
        _TICKS_PER_QUARTER,
        settings.tempo,
        settings.meter.signature,
        settings.key,
        settings.lines,
    )


def score_of(tokens: Tokens, settings: RenderSettings) -> Score:
    """A melody as notes on paper.

    Raises:
        UserError: if a token is not a melody token.
    """
    bars = write_bars(tokens, settings.meter, settings.transposition, settings.downbeats)
    return Score(
        bars,
        settings.key,
        settings.meter.signature,
        settings.tempo,
        settings.title,
        has_upbeat=settings.pickup > 0,
    )


def render_abc(tokens: Tokens, settings: RenderSettings | None = None, number: int = 1) -> str:
    """A melody as an ABC tune in sixteenths; `number` is its X: field.

    Raises:
        UserError: if a token is not a melody token.
    """
    score = score_of(tokens, settings or RenderSettings())
    return abc_tune(score, number, Fraction(1, STEPS_PER_QUARTER))


def render_score(tokens: Tokens, settings: RenderSettings | None = None) -> str:
    """A melody as a MusicXML document.

    Raises:
        UserError: if a token is not a melody token.
    """
    settings = settings or RenderSettings()
    return musicxml(score_of(tokens, settings), settings.program, STEPS_PER_QUARTER)


def tones_of(tokens: Tokens, settings: RenderSettings | None = None) -> list[Tone]:
    """What is heard of a melody.

    Raises:
        UserError: if a token is not a melody token.
    """
    settings = settings or RenderSettings()
    clock = Clock(settings.tempo, settings.meter.signature, settings.sound.swing, settings.lines)
    return [
        clock.tone(
            Fraction(note.onset, STEPS_PER_QUARTER),
            Fraction(note.end, STEPS_PER_QUARTER),
            note.pitch,
            settings.velocity,
            settings.program,
        )
        for note in tokens_to_notes(tokens, settings.transposition)
    ]


_WRITER: PieceWriter[Tokens, RenderSettings] = PieceWriter(
    "a melody", render_midi, render_abc, render_score, tones_of
)


def write_melodies(
    melodies: Iterable[Tokens],
    folder: str | Path,
    formats: Sequence[str] = ("mid",),
    prefix: str = "melody",
    settings: RenderSettings | None = None,
) -> list[Path]:
    """Write melodies as numbered files, each with a number in its title; ABC as one tune book.

    Args:
        melodies: token sequences, for instance `Int["batch time"]`.
        folder: where the files go; made if it is missing.
        formats: suffixes, with or without the dot.
        prefix: how the files' names begin, and the titles where the settings have none.
        settings: how the melodies are written down.

    Raises:
        UserError: as for `PieceWriter.write_all`, and if a token is not a melody token.
    """
    settings, melodies = settings or RenderSettings(), list(melodies)
    title, digits = settings.title or prefix, max(3, len(str(len(melodies))))
    pieces = [
        (tokens, replace(settings, title=f"{title} {number:0{digits}d}"))
        for number, tokens in enumerate(melodies, start=1)
    ]
    return _WRITER.write_all(pieces, Path(folder), formats, prefix)
