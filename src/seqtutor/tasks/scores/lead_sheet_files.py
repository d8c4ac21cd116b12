"""Lead sheets as files that a person can open: notes, engraved scores and sound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from seqtutor.tasks.scores import rendering as files
from seqtutor.tasks.scores.abc_writer import abc_tune
from seqtutor.tasks.scores.lead_sheet import Chord, LeadSheet, MelodyNote
from seqtutor.tasks.scores.lead_sheet_bars import COMMON_TIME, score_of
from seqtutor.tasks.scores.measures import TICKS_PER_QUARTER
from seqtutor.tasks.scores.musicxml import musicxml
from seqtutor.tasks.scores.options import SoundSettings
from seqtutor.tasks.scores.rendering import MidiTrack, PieceWriter
from seqtutor.tasks.scores.sound import Clock, Tone

_Event = TypeVar("_Event", MelodyNote, Chord)

_COARSEST_TICKS = 480
_LARGEST_TICKS = 2**15 - 1
_DIVISIONS = 10_080
"""Parts of a quarter to which times are rounded for MusicXML; readers take no finer ones."""
_WIDTH = 120
"""Characters of a line of ABC at most, unless a single bar has more."""


@dataclass(frozen=True)
class LeadSheetRendering:
    """How a lead sheet sounds.

    Attributes:
        tempo: quarter notes a minute.
        melody_program, chord_program: General MIDI instruments from 0; 0 is a grand piano.
        melody_velocity, chord_velocity: MIDI velocities, 1 to 127.
        sound: of WAV and OGG files.

    Raises:
        UserError: if a value is out of range.
    """

    tempo: float = 120.0
    melody_program: int = 0
    chord_program: int = 0
    melody_velocity: int = 90
    chord_velocity: int = 60
    sound: SoundSettings = field(default_factory=SoundSettings)

    def __post_init__(self) -> None:
        files.require_playable(
            self.tempo,
            [self.melody_program, self.chord_program],
            [self.melody_velocity, self.chord_velocity],
        )


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
    own = rendering or LeadSheetRendering()
    quarter = ticks_per_quarter(sheet)

    def note(event: MelodyNote | Chord, pitch: int, velocity: int) -> tuple[int, int, int, int]:
        start, end = round(event.onset * quarter), round(event.end * quarter)
        return start, end - start, pitch, velocity

    melody = [note(one, one.pitch, own.melody_velocity) for one in sheet.notes]
    chords = [note(one, p, own.chord_velocity) for one in sheet.chords for p in one.pitches]
    tracks = [
        MidiTrack("Melody", own.melody_program, melody),
        MidiTrack("Chords", own.chord_program, chords),
    ]
    meter = sheet.meter or COMMON_TIME
    return files.render_midi(tracks, quarter, own.tempo, meter, sheet.key, [sheet.pickup])


def render_abc(
    sheet: LeadSheet, rendering: LeadSheetRendering | None = None, number: int = 1
) -> str:
    """An ABC tune with chord symbols; `number` is its X: field.

    Lengths are note values, tied together or under a tuplet where one is not enough, since programs
    that read ABC refuse others (`A5/4`, `A1/3`); what no tuplet explains stays a fraction. A tune
    without a metre is written in 4/4, as in the other formats. Symbols name the chords as well as
    symbols can; see `name_of`.
    """
    tempo = (rendering or LeadSheetRendering()).tempo
    score = score_of(sheet, tempo, cut_at_chords=True)
    return abc_tune(score, number, Fraction(1, 2), _WIDTH)


def render_musicxml(sheet: LeadSheet, rendering: LeadSheetRendering | None = None) -> str:
    """A MusicXML lead sheet: one staff, chord symbols above it."""
    own = rendering or LeadSheetRendering()
    return musicxml(score_of(_in_divisions(sheet), own.tempo), own.melody_program)


def _in_divisions(sheet: LeadSheet) -> LeadSheet:
    """The sheet with times that are whole numbers of MusicXML's divisions.

    Rounded note by note instead, their sum would not be a bar.
    """

    def rounded(time: Fraction) -> Fraction:
        return Fraction(round(time * _DIVISIONS), _DIVISIONS)

    def moved(event: _Event) -> _Event:
        onset, end = rounded(event.onset), rounded(event.end)
        return replace(event, onset=onset, duration=end - onset)

    return replace(
        sheet,
        notes=tuple(note for note in map(moved, sheet.notes) if note.duration),
        chords=tuple(chord for chord in map(moved, sheet.chords) if chord.duration),
        length=rounded(sheet.length),
        pickup=rounded(sheet.pickup),
    )


def tones_of(sheet: LeadSheet, rendering: LeadSheetRendering | None = None) -> list[Tone]:
    """What is heard of a lead sheet."""
    own = rendering or LeadSheetRendering()
    clock = Clock(own.tempo, sheet.meter or COMMON_TIME, own.sound.swing, [sheet.pickup])
    melody = [
        clock.tone(note.onset, note.end, note.pitch, own.melody_velocity, own.melody_program)
        for note in sheet.notes
    ]
    return melody + [
        clock.tone(chord.onset, chord.end, pitch, own.chord_velocity, own.chord_program)
        for chord in sheet.chords
        for pitch in chord.pitches
    ]


_WRITER: PieceWriter[LeadSheet, LeadSheetRendering] = PieceWriter(
    "a lead sheet", render_midi, render_abc, render_musicxml, tones_of
)


def write_tunes(
    sheets: Sequence[LeadSheet],
    folder: Path,
    formats: Sequence[str],
    prefix: str = "tune",
    rendering: LeadSheetRendering | None = None,
) -> list[Path]:
    """Write lead sheets as numbered files, but ABC as one tune book; their titles are kept.

    Raises:
        UserError: as for `PieceWriter.write_all`.
    """
    pieces = [(sheet, rendering or LeadSheetRendering()) for sheet in sheets]
    return _WRITER.write_all(pieces, folder, formats, prefix)
