"""A lead sheet as a music21 score. Importing this module imports music21, which takes a while."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any, TypeVar

import music21

from seqtutor.tasks.folk.bars import COMMON_TIME, WrittenChord, WrittenNote, bar_length, write_bars
from seqtutor.tasks.folk.chord_names import spell_chord_note
from seqtutor.tasks.folk.lead_sheet import ZERO, Chord, LeadSheet, MelodyNote
from seqtutor.tasks.folk.note_values import is_binary, note_values
from seqtutor.tasks.melody.notation import signature_fifths, spell
from seqtutor.tasks.scores.keys import Key

_Event = TypeVar("_Event", MelodyNote, Chord)

_DIVISIONS = music21.defaults.divisionsPerQuarter
_SHORTEST, _LONGEST = -8, 3
"""Note values from 1024ths to breves, as powers of two of a quarter."""
_SIGNS = {-2: "--", -1: "-", 0: "", 1: "#", 2: "##"}


def score_of(sheet: LeadSheet, tempo: float) -> Any:
    """One staff in the treble clef with chord symbols; an upbeat is a bar of its own, number 0."""
    sheet = _in_divisions(sheet)
    score = music21.stream.Score()
    # Without a composer music21 writes its own name in the place of one.
    score.metadata = music21.metadata.Metadata(title=sheet.title or None, composer=" ")
    part = music21.stream.Part(id="Melody")
    part.partName = "Melody"
    for index, bar in enumerate(write_bars(sheet)):
        upbeat = index == 0 and sheet.pickup > 0
        measure = music21.stream.Measure(number=index + (sheet.pickup == 0))
        if index == 0:
            beats, unit = sheet.meter or COMMON_TIME
            measure.append(music21.clef.TrebleClef())
            measure.append(music21.key.KeySignature(signature_fifths(sheet.key)))
            measure.append(music21.meter.TimeSignature(f"{beats}/{unit}"))
            measure.insert(0, music21.tempo.MetronomeMark(number=tempo))
        missing = max(ZERO, bar_length(sheet) - bar.length)
        if upbeat:
            measure.paddingLeft = missing
        else:
            measure.paddingRight = missing
        for chord in bar.chords:
            measure.insert(chord.start, _chord_symbol(chord, sheet.key))
        for group in note_values(bar.notes):
            for note in group.notes:
                measure.insert(note.start, _note(note, group.tuplet, sheet.key))
        part.append(measure)
    if len(part):
        part[-1].rightBarline = music21.bar.Barline("final")
    score.insert(0, part)
    return score


def _in_divisions(sheet: LeadSheet) -> LeadSheet:
    """The sheet with its times in the parts of a quarter in which MusicXML counts.

    Others would be rounded note by note, so that their sum is no bar.
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


def _note(written: WrittenNote, tuplet: tuple[int, int] | None, key: Key) -> Any:
    duration = _duration(written.duration, tuplet)
    if written.pitch is None:
        return music21.note.Rest(duration=duration)
    pitch = spell(written.pitch, key)
    note = music21.note.Note(
        _name(pitch.letter, pitch.alteration) + str(pitch.octave), duration=duration
    )
    if written.tied_from or written.tied_to:
        both = written.tied_from and written.tied_to
        note.tie = music21.tie.Tie("continue" if both else "start" if written.tied_to else "stop")
    return note


def _duration(quarters: Fraction, tuplet: tuple[int, int] | None) -> Any:
    """A note value, under its tuplet; or a length that is none, such as 1/35.

    Such a length looks like the nearest plain note value and lasts as long as it does.
    """
    if not is_binary(quarters):
        exponent = min(max(round(math.log2(quarters)), _SHORTEST), _LONGEST)
        nearest = music21.duration.Duration(2.0**exponent)
        nearest.linked = False
        nearest.quarterLength = quarters
        return nearest
    duration = music21.duration.Duration(quarters)
    if tuplet is not None:
        over_it = music21.duration.Tuplet(*tuplet)
        over_it.setDurationType(duration.type)
        duration.appendTuplet(over_it)
    return duration


def _chord_symbol(chord: WrittenChord, key: Key) -> Any:
    name = chord.name
    if name is None:
        return music21.harmony.NoChord()
    root, bass = (_name(*spell_chord_note(each, key)) for each in (name.root, name.bass))
    return music21.harmony.ChordSymbol(root=root, bass=bass, kind=name.quality.kind)


def _name(letter: str, alteration: int) -> str:
    return letter + _SIGNS[alteration]
