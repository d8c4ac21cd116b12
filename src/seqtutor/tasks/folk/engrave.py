"""A lead sheet as a music21 score. Importing this module imports music21, which takes a while."""

from __future__ import annotations

from typing import Any

import music21

from seqtutor.tasks.folk.bars import COMMON_TIME, WrittenChord, WrittenNote, bar_length, write_bars
from seqtutor.tasks.folk.chord_names import spell_chord_note
from seqtutor.tasks.folk.lead_sheet import ZERO, LeadSheet
from seqtutor.tasks.melody.notation import signature_fifths, spell
from seqtutor.tasks.scores.keys import Key

_SIGNS = {-2: "--", -1: "-", 0: "", 1: "#", 2: "##"}


def score_of(sheet: LeadSheet, tempo: float) -> Any:
    """One staff in the treble clef with chord symbols; an upbeat is a bar of its own, number 0."""
    score = music21.stream.Score()
    score.metadata = music21.metadata.Metadata(title=sheet.title or None)
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
        if upbeat:
            measure.paddingLeft = max(ZERO, bar_length(sheet) - bar.length)
        for chord in bar.chords:
            measure.insert(chord.start, _chord_symbol(chord, sheet.key))
        for note in bar.notes:
            measure.insert(note.start, _note(note, sheet.key))
        part.append(measure)
    if len(part):
        part[-1].rightBarline = music21.bar.Barline("final")
    score.insert(0, part)
    return score


def _note(written: WrittenNote, key: Key) -> Any:
    if written.pitch is None:
        return music21.note.Rest(quarterLength=written.duration)
    pitch = spell(written.pitch, key)
    note = music21.note.Note(
        _name(pitch.letter, pitch.alteration) + str(pitch.octave), quarterLength=written.duration
    )
    if written.tied_from or written.tied_to:
        both = written.tied_from and written.tied_to
        note.tie = music21.tie.Tie("continue" if both else "start" if written.tied_to else "stop")
    return note


def _chord_symbol(chord: WrittenChord, key: Key) -> Any:
    name = chord.name
    if name is None:
        return music21.harmony.NoChord()
    root, bass = (_name(*spell_chord_note(each, key)) for each in (name.root, name.bass))
    return music21.harmony.ChordSymbol(root=root, bass=bass, kind=name.quality.kind)


def _name(letter: str, alteration: int) -> str:
    return letter + _SIGNS[alteration]
