"""From a lead sheet to bars of notes on paper, with ties where a note crosses a bar line."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from seqtutor.tasks.scores.chord_names import name_of, spell_chord_note
from seqtutor.tasks.scores.lead_sheet import ZERO, Chord, LeadSheet
from seqtutor.tasks.scores.notation import (
    Bar,
    ChordSymbol,
    Group,
    Meter,
    Score,
    Symbol,
    bar_length,
)
from seqtutor.tasks.scores.note_values import note_values

COMMON_TIME: Meter = (4, 4)
"""The metre of a lead sheet that has none."""


def score_of(sheet: LeadSheet, tempo: float, cut_at_chords: bool = False) -> Score:
    """A lead sheet as notes on paper; arguments as for `write_bars`."""
    meter, bars = sheet.meter or COMMON_TIME, write_bars(sheet, cut_at_chords)
    score = Score(tuple(bars), sheet.key, meter, tempo, sheet.title, has_upbeat=sheet.pickup > 0)
    valued = [
        replace(bar, groups=tuple(note_values(bar.symbols, meter, score.offset(bar))))
        for bar in bars
    ]
    return replace(score, bars=tuple(valued))


def write_bars(sheet: LeadSheet, cut_at_chords: bool = False) -> list[Bar]:
    """Cut a lead sheet into bars of one group each, the upbeat first.

    Args:
        sheet: the lead sheet.
        cut_at_chords: also cut notes where the harmony changes, for formats in which a chord symbol
            needs a note of its own.
    """
    changes = list(_harmony(sheet))
    lines = _bar_lines(sheet)
    cuts = sorted({*lines, *(chord.start for chord in changes)}) if cut_at_chords else lines
    pieces, harmony = deque(_pieces(sheet, cuts)), deque(changes)
    bars: list[Bar] = []
    for start, end in pairwise(lines):
        notes, chords = [], []
        while pieces and pieces[0].start < end:
            notes.append(replace(pieces[0], start=pieces.popleft().start - start))
        while harmony and harmony[0].start < end:
            chords.append(replace(harmony[0], start=harmony.popleft().start - start))
        bars.append(Bar(end - start, (Group(tuple(notes)),), tuple(chords)))
    return bars


def _bar_lines(sheet: LeadSheet) -> list[Fraction]:
    lines = [ZERO]
    full = bar_length(sheet.meter or COMMON_TIME)
    following = sheet.pickup or full
    while following < sheet.length:
        lines.append(following)
        following += full
    return [*lines, sheet.length]


def _harmony(sheet: LeadSheet) -> Iterator[ChordSymbol]:
    """The chord symbols; their starts count from the beginning of the tune."""
    following = [*(chord.onset for chord in sheet.chords), sheet.length][1:]
    for chord, onset in zip(sheet.chords, following, strict=True):
        yield _symbol(chord, sheet)
        if chord.end < onset:
            yield ChordSymbol(chord.end)


def _symbol(chord: Chord, sheet: LeadSheet) -> ChordSymbol:
    name, key = name_of(chord.pitches), sheet.key
    root, bass = (spell_chord_note(each, key) for each in (name.root, name.bass))
    return ChordSymbol(chord.onset, name.symbol(key), name.quality.kind, root, bass)


def _pieces(sheet: LeadSheet, cuts: list[Fraction]) -> Iterator[Symbol]:
    """Notes and rests, cut at the given times; starts count from the beginning of the tune."""
    place = 0
    for note in _filled(sheet):
        start, end = note.start, note.start + note.duration
        time = start
        while time < end:
            while place < len(cuts) and cuts[place] <= time:
                place += 1
            stop = min(end, cuts[place]) if place < len(cuts) else end
            sounds = note.pitch is not None
            tied_from, tied_to = sounds and time > start, sounds and stop < end
            yield Symbol(time, stop - time, note.pitch, tied_from, tied_to)
            time = stop


def _filled(sheet: LeadSheet) -> Iterator[Symbol]:
    """The notes with rests between them."""
    time = ZERO
    for note in sheet.notes:
        if note.onset > time:
            yield Symbol(time, note.onset - time, None)
        yield Symbol(note.onset, note.duration, note.pitch)
        time = note.end
    if time < sheet.length:
        yield Symbol(time, sheet.length - time, None)
