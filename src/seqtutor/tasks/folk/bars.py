"""From a lead sheet to bars of notes on paper, with ties where a note crosses a bar line."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from seqtutor.tasks.folk.chord_names import ChordName, name_of
from seqtutor.tasks.folk.lead_sheet import ZERO, LeadSheet, MelodyNote

COMMON_TIME = (4, 4)
"""The metre of a lead sheet that has none."""


@dataclass(frozen=True)
class WrittenNote:
    """A note, or a rest (`pitch` is `None`), from its bar's beginning, in quarter notes."""

    start: Fraction
    duration: Fraction
    pitch: int | None
    tied_from: bool = False
    tied_to: bool = False


@dataclass(frozen=True)
class WrittenChord:
    """A chord symbol at a place in its bar; `None` says that the harmony rests."""

    start: Fraction
    name: ChordName | None


@dataclass(frozen=True)
class WrittenBar:
    """A bar's length in quarter notes, and what is in it."""

    length: Fraction
    notes: tuple[WrittenNote, ...]
    chords: tuple[WrittenChord, ...]


def bar_length(sheet: LeadSheet) -> Fraction:
    """The length of a full bar in quarter notes."""
    beats, unit = sheet.meter or COMMON_TIME
    return Fraction(4 * beats, unit)


def write_bars(sheet: LeadSheet, cut_at_chords: bool = False) -> list[WrittenBar]:
    """Cut a lead sheet into bars, the upbeat first.

    Args:
        sheet: whatever it holds is written.
        cut_at_chords: cut notes where the harmony changes, too, for formats in which a chord symbol
            needs a note of its own.
    """
    changes = list(_harmony(sheet))
    lines = _bar_lines(sheet)
    cuts = sorted({*lines, *(onset for onset, _ in changes)}) if cut_at_chords else lines
    pieces = deque(_pieces(sheet, cuts))
    harmony = deque(changes)
    bars: list[WrittenBar] = []
    for start, end in pairwise(lines):
        notes: list[WrittenNote] = []
        while pieces and pieces[0].start < end:
            piece = pieces.popleft()
            notes.append(replace(piece, start=piece.start - start))
        chords: list[WrittenChord] = []
        while harmony and harmony[0][0] < end:
            onset, name = harmony.popleft()
            chords.append(WrittenChord(onset - start, name))
        bars.append(WrittenBar(end - start, tuple(notes), tuple(chords)))
    return bars


def _bar_lines(sheet: LeadSheet) -> list[Fraction]:
    lines = [ZERO]
    following = sheet.pickup or bar_length(sheet)
    while following < sheet.length:
        lines.append(following)
        following += bar_length(sheet)
    return [*lines, sheet.length]


def _harmony(sheet: LeadSheet) -> Iterator[tuple[Fraction, ChordName | None]]:
    following = [*(chord.onset for chord in sheet.chords), sheet.length][1:]
    for chord, onset in zip(sheet.chords, following, strict=True):
        yield chord.onset, name_of(chord.pitches)
        if chord.end < onset:
            yield chord.end, None


def _pieces(sheet: LeadSheet, cuts: list[Fraction]) -> Iterator[WrittenNote]:
    """Notes and rests in order, cut at the given times; starts count from the tune's beginning."""
    place = 0
    for note in _filled(sheet):
        start, end = note.start, note.start + note.duration
        time = start
        while time < end:
            while place < len(cuts) and cuts[place] <= time:
                place += 1
            stop = min(end, cuts[place]) if place < len(cuts) else end
            sounds = note.pitch is not None
            yield WrittenNote(
                time, stop - time, note.pitch, sounds and time > start, sounds and stop < end
            )
            time = stop


def _filled(sheet: LeadSheet) -> Iterator[WrittenNote]:
    """The notes with rests between them."""
    time = ZERO
    note: MelodyNote
    for note in sheet.notes:
        if note.onset > time:
            yield WrittenNote(time, note.onset - time, None)
        yield WrittenNote(note.onset, note.duration, note.pitch)
        time = note.end
    if time < sheet.length:
        yield WrittenNote(time, sheet.length - time, None)
