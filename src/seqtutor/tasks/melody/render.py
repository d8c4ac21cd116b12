"""Melodies as files that a person can open: MIDI, ABC, MusicXML, and WAV to listen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER, tokens_to_notes
from seqtutor.tasks.melody.notation import (
    Accidentals,
    Meter,
    SpelledPitch,
    Symbol,
    signature_fifths,
    spell_tonic,
    write_bars,
)
from seqtutor.tasks.melody.render_musicxml import ScoreHeader, render_musicxml
from seqtutor.tasks.scores.files import renderer_for
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.sound import Tone, render_wav

Tokens = Sequence[int] | Int[np.ndarray, " time"]

_TICKS_PER_QUARTER = 480
_BARS_PER_LINE = 4
ABC_MODES = {
    "major": "",
    "minor": "m",
    "lydian": "lyd",
    "mixolydian": "mix",
    "dorian": "dor",
    "phrygian": "phr",
    "locrian": "loc",
}
ABC_ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
ACCIDENTAL_SIGNS = {-1: "b", 0: "", 1: "#"}


@dataclass(frozen=True)
class RenderSettings:
    """How a melody is written down.

    Attributes:
        tempo: quarter notes a minute.
        key: gives the key signature and the spelling; the pitches stay as they are.
        transposition: semitones by which every pitch is moved.
        meter: where the bar lines stand.
        title: the piece's name, may be empty.
        program: General MIDI instrument from 0; 0 is a grand piano.
        velocity: MIDI velocity of every note, 1 to 127.

    Raises:
        UserError: if the tempo, the program or the velocity is out of range.
    """

    tempo: float = 120.0
    key: Key = field(default_factory=lambda: Key(0))
    transposition: int = 0
    meter: Meter = field(default_factory=Meter)
    title: str = ""
    program: int = 0
    velocity: int = 90

    def __post_init__(self) -> None:
        # MIDI stores microseconds per quarter note in 24 bits: 3.6 is the slowest it can say.
        if not (math.isfinite(self.tempo) and 4 <= self.tempo <= 1000):
            raise UserError(f"a tempo of {self.tempo:g} is out of range; use 4 to 1000 quarters")
        if not 0 <= self.program <= 127:
            raise UserError(f"there is no MIDI program {self.program}; use 0 to 127")
        if not 1 <= self.velocity <= 127:
            raise UserError(f"a velocity of {self.velocity} is out of range; use 1 to 127")


def render_midi(tokens: Tokens, settings: RenderSettings | None = None) -> bytes:
    """A melody as a MIDI file with tempo, metre and key.

    Raises:
        UserError: if a token is not a melody token.
    """
    import symusic

    settings = settings or RenderSettings()
    ticks = _TICKS_PER_QUARTER // STEPS_PER_QUARTER
    score: Any = symusic.Score(_TICKS_PER_QUARTER)
    score.tempos.append(symusic.Tempo(0, settings.tempo))
    score.time_signatures.append(
        symusic.TimeSignature(0, settings.meter.beats, settings.meter.beat_type)
    )
    score.key_signatures.append(
        symusic.KeySignature(0, signature_fifths(settings.key), int(settings.key.mode == "minor"))
    )
    track: Any = symusic.Track(name=settings.title or "Melody", program=settings.program)
    for note in tokens_to_notes(tokens, settings.transposition):
        track.notes.append(
            symusic.Note(note.onset * ticks, note.duration * ticks, note.pitch, settings.velocity)
        )
    score.tracks.append(track)
    return bytes(score.dumps_midi())


def render_abc(tokens: Tokens, settings: RenderSettings | None = None, number: int = 1) -> str:
    """A melody as an ABC tune in sixteenths (L:1/16), four bars a line; `number` is its X: field.

    Raises:
        UserError: if a token is not a melody token.
    """
    settings = settings or RenderSettings()
    letter, alteration = spell_tonic(settings.key)
    # In ABC a per cent sign begins a comment.
    title = " ".join(settings.title.split()).replace("%", r"\%")
    lines = [
        f"X:{number}",
        f"T:{title}",
        f"M:{settings.meter}",
        "L:1/16",
        f"Q:1/4={settings.tempo:g}",
        f"K:{letter}{ACCIDENTAL_SIGNS[alteration]}{ABC_MODES[settings.key.mode]}",
    ]
    bars = [_abc_bar(bar, settings) for bar in _bars(tokens, settings)]
    for first in range(0, len(bars), _BARS_PER_LINE):
        last = first + _BARS_PER_LINE >= len(bars)
        line = " | ".join(bars[first : first + _BARS_PER_LINE])
        lines.append(line + (" |]" if last else " |"))
    return "\n".join(lines) + "\n"


def abc_file(tunes: Iterable[str]) -> str:
    """Join tunes to the text of an ABC file.

    The first line names the version of the standard: it is from 2.0 on that an accidental holds to
    the end of its bar, and some readers want to be told.
    """
    return "\n".join(["%abc-2.1\n", *tunes])


def _bars(tokens: Tokens, settings: RenderSettings) -> list[list[Symbol]]:
    return write_bars(tokens, settings.meter, settings.key, settings.transposition)


def _abc_bar(bar: Sequence[Symbol], settings: RenderSettings) -> str:
    accidentals = Accidentals(settings.key)
    text = ""
    beat = 0
    for symbol in bar:
        # Notes without a space between them are beamed together.
        if symbol.start // settings.meter.beat_length != beat:
            beat = symbol.start // settings.meter.beat_length
            text += " "
        duration = "" if symbol.duration == 1 else str(symbol.duration)
        if symbol.pitch is None:
            text += f"z{duration}"
            continue
        # Unlike on paper, the accidental is repeated after a tie over the bar line: readers of
        # ABC do not agree whether the tie carries it.
        sign = ABC_ACCIDENTALS[symbol.pitch.alteration]
        sign = sign if accidentals.needed(symbol.pitch) else ""
        text += f"{sign}{abc_pitch(symbol.pitch)}{duration}{'-' if symbol.tied_to else ''}"
    return text


def abc_pitch(pitch: SpelledPitch) -> str:
    """A pitch as ABC writes it, without its accidental."""
    if pitch.octave >= 5:
        return pitch.letter.lower() + "'" * (pitch.octave - 5)
    return pitch.letter + "," * (4 - pitch.octave)


def render_score(tokens: Tokens, settings: RenderSettings | None = None) -> str:
    """A melody as a MusicXML document.

    Raises:
        UserError: if a token is not a melody token.
    """
    settings = settings or RenderSettings()
    header = ScoreHeader(
        settings.key, settings.meter, settings.tempo, settings.title, settings.program
    )
    return render_musicxml(_bars(tokens, settings), header)


def render_audio(tokens: Tokens, settings: RenderSettings | None = None) -> bytes:
    """A melody as a WAV file of a plucked string, whatever the settings' instrument.

    Raises:
        UserError: if a token is not a melody token, or the melody lasts for more than an hour.
    """
    settings = settings or RenderSettings()
    step = 60 / settings.tempo / STEPS_PER_QUARTER
    return render_wav(
        [
            Tone(note.onset * step, note.duration * step, note.pitch)
            for note in tokens_to_notes(tokens, settings.transposition)
        ]
    )


Renderer = Callable[[Tokens, RenderSettings], bytes | str]

_RENDERERS: dict[str, Renderer] = {
    ".mid": render_midi,
    ".midi": render_midi,
    ".abc": lambda tokens, settings: abc_file([render_abc(tokens, settings)]),
    ".musicxml": render_score,
    ".xml": render_score,
    ".wav": render_audio,
}


def write_melody(tokens: Tokens, path: str | Path, settings: RenderSettings | None = None) -> Path:
    """Write one melody in the format that the file's suffix names, whole or not at all.

    Raises:
        UserError: if the suffix is none of .mid, .midi, .abc, .musicxml, .xml, .wav, a token is not
            a melody token, or the file cannot be written.
    """
    path = Path(path)
    return atomic_write(path, _renderer(path.suffix)(tokens, settings or RenderSettings()))


def write_melodies(
    melodies: Iterable[Tokens],
    folder: str | Path,
    formats: Sequence[str] = ("mid",),
    prefix: str = "melody",
    settings: RenderSettings | None = None,
) -> list[Path]:
    """Write melodies as numbered files; ABC as one tune book with all of them.

    The title of each is the settings' title, or the prefix, and its number. Names are
    `melody-001.mid` and so on, and `melody.abc`.

    Args:
        melodies: token sequences, for instance `Int["batch time"]`.
        folder: where the files go; made if it is not there.
        formats: suffixes as `write_melody` knows them, with or without the dot.
        prefix: how the files' names begin.
        settings: how the melodies are written down.

    Raises:
        UserError: as `write_melody` does, and before anything is written if a format is unknown or
            a token is not a melody token.
    """
    settings = settings or RenderSettings()
    melodies = list(melodies)
    digits = max(3, len(str(len(melodies))))
    numbers = [f"{number:0{digits}d}" for number in range(1, len(melodies) + 1)]
    named = [replace(settings, title=f"{settings.title or prefix} {number}") for number in numbers]
    contents: dict[Path, bytes | str] = {}
    for suffix in dict.fromkeys("." + name.lower().lstrip(".") for name in formats):
        renderer = _renderer(suffix)
        if suffix == ".abc":
            tunes = enumerate(zip(melodies, named, strict=True), start=1)
            contents[Path(folder, f"{prefix}.abc")] = abc_file(
                render_abc(tokens, one, number) for number, (tokens, one) in tunes
            )
            continue
        for number, tokens, one in zip(numbers, melodies, named, strict=True):
            contents[Path(folder, f"{prefix}-{number}{suffix}")] = renderer(tokens, one)
    return [atomic_write(path, content) for path, content in contents.items()]


def _renderer(suffix: str) -> Renderer:
    return renderer_for(suffix, _RENDERERS, "a melody")
