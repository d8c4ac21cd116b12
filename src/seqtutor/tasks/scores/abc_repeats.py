"""Play the repeats and endings of a tune's measures in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

TICKS_PER_SIXTEENTH = 5040
"""Divisible by 2 … 10 and by 16, so that tuplets, dots and short notes come out exact."""
MAXIMUM_PASSES = 8


@dataclass(slots=True)
class Event:
    """A note or a rest (`pitch` is `None`) of `duration` ticks, perhaps tied to the next.

    `chord_symbol` is the text of the chord symbol that is written above it.
    """

    duration: int
    pitch: int | None
    tied: bool = False
    chord_symbol: str | None = None


@dataclass(slots=True)
class Measure:
    """What lies between two bar lines.

    Attributes:
        events: never empty once the measure is finished.
        full_length: the length of a full bar in ticks by the metre, `None` for free metre.
        starts_repeat, ends_repeat: whether it has `|:` on its left, `:|` on its right.
        ends_section: whether a double bar or a repeat sign stands on its right.
        ending: the passes on which it is played, if an ending (`[1`, `[2` …) begins with it.
    """

    full_length: int | None
    events: list[Event] = field(default_factory=list)
    starts_repeat: bool = False
    ends_repeat: bool = False
    ends_section: bool = False
    ending: frozenset[int] | None = None

    @property
    def length(self) -> int:
        """The sum of the events' durations in ticks."""
        return sum(event.duration for event in self.events)


def expand_repeats(measures: list[Measure]) -> list[Measure]:
    """List the measures in the order in which they are played.

    A `:|` without its `|:` repeats from the last double bar or the last repeat sign, as ABC 2.1
    has it. A section is played as often as its endings ask for, at least twice, and at most
    `MAXIMUM_PASSES` times. An ending that lacks its counterpart (`[1` without `[2`) is left out
    on the second pass.
    """
    played: list[Measure] = []
    start = position = 0
    playing = 1
    explicit_start = in_ending = False
    while position < len(measures):
        measure = measures[position]
        if measure.starts_repeat and position != start:
            start, playing, in_ending = position, 1, False
        explicit_start = explicit_start or measure.starts_repeat
        if measure.ending is not None:
            if playing not in measure.ending:
                position = _ending_for(measures, position, playing)
                if position < len(measures) and measures[position].ending is None:
                    start, playing, explicit_start = position, 1, False
                continue
            in_ending = True
        played.append(measure)
        if measure.ends_repeat and playing < _passes(measures, start, position):
            position, playing, in_ending = start, playing + 1, False
            continue
        position += 1
        over = not explicit_start or (in_ending and playing > 1)
        if measure.ends_repeat or (measure.ends_section and over):
            start, playing = position, 1
            explicit_start = in_ending = False
    return played


def _passes(measures: list[Measure], start: int, last: int) -> int:
    """How often the section from `start` whose repeat sign is at `last` is played."""
    passes = 2
    for position in range(start, min(last + 2, len(measures))):
        ending = measures[position].ending
        if ending is not None and (position <= last or not measures[position].starts_repeat):
            passes = max(passes, *ending)
    return min(passes, MAXIMUM_PASSES)


def _ending_for(measures: list[Measure], position: int, playing: int) -> int:
    """Find the ending of pass `playing` from another ending on; else where the endings are over."""
    for following in range(position + 1, len(measures)):
        measure = measures[following]
        if measure.ending is not None and playing in measure.ending:
            return following
        if measures[following - 1].ends_section and measure.ending is None:
            return following
    return len(measures)


def bar_starts(
    length: int, full: int | None, left_open: int | None, first: bool
) -> tuple[range | list[int], int | None]:
    """Where bars begin within a measure, and how much of a bar it leaves open.

    A measure shorter than the metre asks for is an upbeat if it is the first, or if it completes
    the measure before it (the two halves of a bar that a repeat sign cuts). A measure of several
    bars' length lacks its inner bar lines.
    """
    if full is None or length == full:
        return [0], None
    if length < full:
        if first or (left_open is not None and length <= left_open):
            return [], None
        return [0], full - length
    if length % full == 0 and full % TICKS_PER_SIXTEENTH == 0:
        return range(0, length, full), None
    return [0], None


def sounding_notes(measures: Sequence[Measure]) -> list[tuple[int, int, int]]:
    """Onset and end in ticks and the pitch of every note, those that are tied made one."""
    sounding: list[tuple[int, int, int]] = []
    time = 0
    tied = False
    for measure in measures:
        for event in measure.events:
            end = time + event.duration
            if event.pitch is not None:
                if tied and sounding[-1][2] == event.pitch:
                    sounding[-1] = (sounding[-1][0], end, event.pitch)
                else:
                    sounding.append((time, end, event.pitch))
            tied = event.tied and event.pitch is not None
            time = end
    return sounding
