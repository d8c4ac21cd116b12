"""Put notes on the grid of sixteenths: the same rules for every format.

An onset or end moves to the nearest sixteenth, one halfway to the earlier one. Of notes whose
onsets meet at one sixteenth the longest stays, of equally long ones the first: of two
thirty-seconds the first, of a grace note that MIDI spells out and its main note the main note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seqtutor.tasks.melody.encoding import Note
from seqtutor.tasks.scores.measures import (
    PLAYED,
    TICKS_PER_SIXTEENTH,
    Measure,
    UnreadableTuneError,
    bar_starts,
    sounding_notes,
)

MAXIMUM_SIXTEENTHS = 65_536


@dataclass(frozen=True)
class Timeline:
    """Notes, length and bar lines in sixteenths.

    `moved` counts notes whose onset was off the grid, `merged` those that fell on the onset of
    another and were swallowed by it.
    """

    notes: tuple[Note, ...]
    length: int
    downbeats: tuple[int, ...]
    moved: int
    merged: int


def timeline(measures: Sequence[Measure]) -> Timeline:
    """Resolve ties, find the downbeats and bring everything to the grid.

    Raises:
        UnreadableTuneError: if a bar line falls off the grid, or the tune is far too long.
    """
    downbeats: list[int] = []
    time = 0
    for measure, starts in zip(measures, bar_starts(measures), strict=True):
        if time % TICKS_PER_SIXTEENTH:
            raise UnreadableTuneError("bar lines off the sixteenth grid")
        length = measure.length
        if time + length > MAXIMUM_SIXTEENTHS * TICKS_PER_SIXTEENTH:
            raise UnreadableTuneError("too long")
        downbeats += [(time + start) // TICKS_PER_SIXTEENTH for start in starts]
        time += length
    return on_grid(sounding_notes(measures), time, downbeats)


def on_grid(
    sounding: Sequence[tuple[int, int, int]], length: int, downbeats: Sequence[int]
) -> Timeline:
    """Bring notes to the grid.

    Args:
        sounding: onset and end in ticks and the pitch of every note, in order, one at a time.
        length: of the tune, in ticks.
        downbeats: in sixteenths.
    """
    notes: list[Note] = []
    moved = merged = longest = 0
    for start, stop, pitch in sounding:
        onset, end = nearest(start), nearest(stop)
        moved += abs(start - onset * TICKS_PER_SIXTEENTH) > PLAYED
        if notes and notes[-1].onset == onset:
            merged += 1
            last = notes.pop()
            pitch = pitch if stop - start > longest + PLAYED else last.pitch
            longest = max(longest, stop - start)
            notes.append(Note(onset, max(last.duration, end - onset), pitch))
        else:
            longest = stop - start
            notes.append(Note(onset, max(1, end - onset), pitch))
    last_end = notes[-1].end if notes else 0
    return Timeline(tuple(notes), max(nearest(length), last_end), tuple(downbeats), moved, merged)


def nearest(ticks: int) -> int:
    """The nearest sixteenth, the earlier one from halfway between two.

    Halfway is also what lies a little behind it: programs write MIDI notes a tick late.
    """
    return (ticks + TICKS_PER_SIXTEENTH // 2 - 1 - PLAYED // 2) // TICKS_PER_SIXTEENTH
