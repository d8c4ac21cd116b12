"""Lead sheets as files that a person can open: MIDI, ABC, MusicXML, and WAV to listen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.tasks.folk.abc import TICKS_PER_QUARTER
from seqtutor.tasks.folk.bars import COMMON_TIME, WrittenBar, write_bars
from seqtutor.tasks.folk.lead_sheet import Chord, LeadSheet, MelodyNote
from seqtutor.tasks.folk.note_values import note_values
from seqtutor.tasks.melody.notation import Accidentals, signature_fifths, spell, spell_tonic
from seqtutor.tasks.melody.render import (
    ABC_ACCIDENTALS,
    ABC_MODES,
    ACCIDENTAL_SIGNS,
    abc_file,
    abc_pitch,
)
from seqtutor.tasks.scores.files import renderer_for
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.sound import Tone, render_wav

_COARSEST_TICKS = 480
_LARGEST_TICKS = 2**15 - 1
_BARS_PER_LINE = 4
_WIDTH = 120
"""Characters of a line of ABC at most, unless a single bar has more."""


@dataclass(frozen=True)
class LeadSheetRendering:
    """How a lead sheet sounds.

    Attributes:
        tempo: quarter notes a minute.
        melody_program, chord_program: General MIDI instruments from 0; 0 is a grand piano.
        melody_velocity, chord_velocity: MIDI velocities, 1 to 127.

    Raises:
        UserError: if a value is out of range.
    """

    tempo: float = 120.0
    melody_program: int = 0
    chord_program: int = 0
    melody_velocity: int = 90
    chord_velocity: int = 60

    def __post_init__(self) -> None:
        # MIDI stores microseconds per quarter note in 24 bits: 3.6 is the slowest it can say.
        if not (math.isfinite(self.tempo) and 4 <= self.tempo <= 1000):
            raise UserError(f"a tempo of {self.tempo:g} is out of range; use 4 to 1000 quarters")
        for program in (self.melody_program, self.chord_program):
            if not 0 <= program <= 127:
                raise UserError(f"there is no MIDI program {program}; use 0 to 127")
        for velocity in (self.melody_velocity, self.chord_velocity):
            if not 1 <= velocity <= 127:
                raise UserError(f"a velocity of {velocity} is out of range; use 1 to 127")


def ticks_per_quarter(sheet: LeadSheet) -> int:
    """The least multiple of 480 in which every time of a lead sheet is a whole number of ticks.

    Where MIDI cannot count so finely, the finest that the ABC reader knows is taken.
    """
    times = [time for note in sheet.notes for time in (note.onset, note.end)]
    times += [time for chord in sheet.chords for time in (chord.onset, chord.end)]
    ticks = math.lcm(_COARSEST_TICKS, *{time.denominator for time in times})
    return ticks if ticks <= _LARGEST_TICKS else TICKS_PER_QUARTER


def render_midi(sheet: LeadSheet, rendering: LeadSheetRendering | None = None) -> bytes:
    """A MIDI file with the tracks "Melody" and "Chords", each on a channel of its own."""
    import symusic

    rendering = rendering or LeadSheetRendering()
    quarter = ticks_per_quarter(sheet)
    score: Any = symusic.Score(quarter)
    score.tempos.append(symusic.Tempo(0, rendering.tempo))
    score.time_signatures.append(symusic.TimeSignature(0, *(sheet.meter or COMMON_TIME)))
    score.key_signatures.append(
        symusic.KeySignature(0, signature_fifths(sheet.key), int(sheet.key.mode == "minor"))
    )
    melody: Any = symusic.Track(name="Melody", program=rendering.melody_program)
    chords: Any = symusic.Track(name="Chords", program=rendering.chord_program)
    for note in sheet.notes:
        start, end = round(note.onset * quarter), round(note.end * quarter)
        melody.notes.append(symusic.Note(start, end - start, note.pitch, rendering.melody_velocity))
    for chord in sheet.chords:
        start, end = round(chord.onset * quarter), round(chord.end * quarter)
        for pitch in chord.pitches:
            chords.notes.append(symusic.Note(start, end - start, pitch, rendering.chord_velocity))
    score.tracks.append(melody)
    score.tracks.append(chords)
    return bytes(score.dumps_midi())


def render_abc(
    sheet: LeadSheet, rendering: LeadSheetRendering | None = None, number: int = 1
) -> str:
    """An ABC tune with chord symbols, up to four bars a line; `number` is its X: field.

    Lengths are note values, tied together or under a tuplet where one is not enough, since programs
    that read ABC refuse others (`A5/4`, `A1/3`); what no tuplet explains stays a fraction. A tune
    without a metre is barred and named as in 4/4, as in the other formats. Symbols name the chords
    as well as symbols can; see `name_of`.
    """
    rendering = rendering or LeadSheetRendering()
    letter, alteration = spell_tonic(sheet.key)
    beats, unit = sheet.meter or COMMON_TIME
    # In ABC a per cent sign begins a comment.
    title = " ".join(sheet.title.split()).replace("%", r"\%")
    lines = [
        f"X:{number}",
        f"T:{title}",
        f"M:{beats}/{unit}",
        "L:1/4",
        f"Q:1/4={rendering.tempo:g}",
        f"K:{letter}{ACCIDENTAL_SIGNS[alteration]}{ABC_MODES[sheet.key.mode]}",
    ]
    bars = [_abc_bar(bar, sheet) for bar in write_bars(sheet, cut_at_chords=True)]
    lines += [" | ".join(row) + " |" for row in _rows(bars)]
    return "\n".join(lines) + ("]\n" if bars else "\n")


def _rows(bars: Sequence[str]) -> list[list[str]]:
    """Bars by line: as many as usual, or fewer where they are so full that paper is too narrow."""
    rows: list[list[str]] = []
    for bar in bars:
        is_full = not rows or len(rows[-1]) == _BARS_PER_LINE
        if is_full or len(" | ".join([*rows[-1], bar]) + " |]") > _WIDTH:
            rows.append([])
        rows[-1].append(bar)
    return rows


def _abc_bar(bar: WrittenBar, sheet: LeadSheet) -> str:
    accidentals = Accidentals(sheet.key)
    names = {chord.start: chord.name for chord in bar.chords}
    words: list[str] = []
    for group in note_values(bar.notes):
        if group.tuplet is not None:
            words.append(_abc_tuplet(*group.tuplet, len(group.notes)))
        for note in group.notes:
            word = ""
            if note.start in names:
                name = names[note.start]
                word += f'"{name.symbol(sheet.key) if name else "N.C."}"'
            word += _abc_note(note.pitch, sheet.key, accidentals)
            words.append(word + _abc_length(note.duration) + ("-" if note.tied_to else ""))
    return " ".join(words)


def _abc_tuplet(count: int, in_time_of: int, notes: int) -> str:
    return "(3" if (count, notes) == (3, 3) else f"({count}:{in_time_of}:{notes}"


def _abc_note(pitch: int | None, key: Key, accidentals: Accidentals) -> str:
    if pitch is None:
        return "z"
    spelled = spell(pitch, key)
    # Unlike on paper, the accidental is repeated after a tie over the bar line: readers of ABC do
    # not agree whether the tie carries it.
    sign = ABC_ACCIDENTALS[spelled.alteration] if accidentals.needed(spelled) else ""
    return sign + abc_pitch(spelled)


def _abc_length(duration: Fraction) -> str:
    return "" if duration == 1 else str(duration)


def render_musicxml(sheet: LeadSheet, rendering: LeadSheetRendering | None = None) -> str:
    """A MusicXML lead sheet: one staff, chord symbols above it."""
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    from seqtutor.tasks.folk.engrave import score_of

    rendering = rendering or LeadSheetRendering()
    return bytes(GeneralObjectExporter().parse(score_of(sheet, rendering.tempo))).decode("utf-8")


def render_audio(sheet: LeadSheet, rendering: LeadSheetRendering | None = None) -> bytes:
    """A WAV file of plucked strings, whatever the rendering's instruments.

    Raises:
        UserError: if the tune lasts for more than an hour.
    """
    rendering = rendering or LeadSheetRendering()
    quarter = 60 / rendering.tempo

    def tone(event: MelodyNote | Chord, pitch: int, velocity: int) -> Tone:
        onset, duration = float(event.onset) * quarter, float(event.duration) * quarter
        return Tone(onset, duration, pitch, velocity / 127)

    melody = [tone(note, note.pitch, rendering.melody_velocity) for note in sheet.notes]
    # A chord as a whole is to be softer than the melody, not each of its notes.
    softly = rendering.chord_velocity // 2
    chords = [tone(chord, pitch, softly) for chord in sheet.chords for pitch in chord.pitches]
    return render_wav([*melody, *chords])


Renderer = Callable[[LeadSheet, LeadSheetRendering], bytes | str]

_RENDERERS: dict[str, Renderer] = {
    ".mid": render_midi,
    ".midi": render_midi,
    ".abc": lambda sheet, rendering: abc_file([render_abc(sheet, rendering)]),
    ".musicxml": render_musicxml,
    ".xml": render_musicxml,
    ".wav": render_audio,
}


def write_lead_sheet(
    sheet: LeadSheet, path: str | Path, rendering: LeadSheetRendering | None = None
) -> Path:
    """Write a lead sheet in the format that the file's suffix names, whole or not at all.

    Raises:
        UserError: if the suffix is none of .mid, .midi, .abc, .musicxml, .xml, .wav, or the file
            cannot be written.
    """
    path = Path(path)
    return atomic_write(path, _renderer(path.suffix)(sheet, rendering or LeadSheetRendering()))


def write_tunes(
    sheets: Sequence[LeadSheet],
    folder: Path,
    formats: Sequence[str],
    prefix: str = "tune",
    rendering: LeadSheetRendering | None = None,
) -> list[Path]:
    """Write lead sheets, each in a file of its own, but ABC as one tune book with all of them.

    Args:
        sheets: to be written; their titles are kept.
        folder: where the files go; made if it is not there.
        formats: suffixes without the dot.
        prefix: how the files' names begin.
        rendering: how they sound.

    Raises:
        UserError: as `write_lead_sheet` does, and before anything is written where a tune cannot
            be rendered.
    """
    rendering = rendering or LeadSheetRendering()
    digits = max(3, len(str(len(sheets))))
    contents: dict[Path, bytes | str] = {}
    for name in dict.fromkeys(formats):
        if name == "abc":
            book = [render_abc(sheet, rendering, n) for n, sheet in enumerate(sheets, start=1)]
            contents[folder / f"{prefix}.abc"] = abc_file(book)
            continue
        renderer = _renderer(f".{name}")
        for number, sheet in enumerate(sheets, start=1):
            path = folder / f"{prefix}-{number:0{digits}d}.{name}"
            contents[path] = renderer(sheet, rendering)
    return [atomic_write(path, content) for path, content in contents.items()]


def _renderer(suffix: str) -> Renderer:
    return renderer_for(suffix, _RENDERERS, "a lead sheet")
