"""Put played measures on the grid of sixteenths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seqtutor.tasks.melody.encoding import Note
from seqtutor.tasks.scores.abc_body import UnreadableTuneError
from seqtutor.tasks.scores.abc_repeats import (
    TICKS_PER_SIXTEENTH,
    Measure,
    bar_starts,
    sounding_notes,
)

MAXIMUM_SIXTEENTHS = 65_536


@dataclass(frozen=True)
class Timeline:
    """Notes, length and bar lines in sixteenths.

    `moved` counts notes whose onset was off the grid, `merged` those of them that fell on an
    onset already taken and were swallowed by the note before.
    """

    notes: tuple[Note, ...]
    length: int
    downbeats: tuple[int, ...]
    moved: int
    merged: int


def timeline(measures: Sequence[Measure]) -> Timeline:
    """Resolve ties, find the downbeats and round every onset to the nearest sixteenth.

    Halfway onsets go to the earlier sixteenth, so that of two thirty-seconds the first stays.

    Raises:
        UnreadableTuneError: if a bar line falls off the grid, or the tune is far too long.
    """
    downbeats: list[int] = []
    time = 0
    previous: int | None = None  # how much of a bar the previous measure left open
    for measure in measures:
        if time % TICKS_PER_SIXTEENTH:
            raise UnreadableTuneError("bar lines off the sixteenth grid")
        if time > MAXIMUM_SIXTEENTHS * TICKS_PER_SIXTEENTH:
            raise UnreadableTuneError("too long")
        length = measure.length
        starts, previous = bar_starts(length, measure.full_length, previous, time == 0)
        downbeats += [(time + start) // TICKS_PER_SIXTEENTH for start in starts]
        time += length
    notes, moved, merged = _quantise(sounding_notes(measures))
    length = max(_nearest(time), notes[-1].end if notes else 0)
    return Timeline(notes, length, tuple(downbeats), moved, merged)


def _nearest(ticks: int) -> int:
    return (ticks + TICKS_PER_SIXTEENTH // 2 - 1) // TICKS_PER_SIXTEENTH


def _quantise(sounding: list[tuple[int, int, int]]) -> tuple[tuple[Note, ...], int, int]:
    notes: list[Note] = []
    moved = merged = 0
    for start, stop, pitch in sounding:
        onset, end = _nearest(start), _nearest(stop)
        moved += start % TICKS_PER_SIXTEENTH != 0
        if notes and notes[-1].onset == onset:
            merged += 1
            last = notes[-1]
            notes[-1] = Note(onset, max(last.duration, end - onset), last.pitch)
        else:
            notes.append(Note(onset, max(1, end - onset), pitch))
    return tuple(notes), moved, merged
