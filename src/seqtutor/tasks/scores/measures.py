"""Measures of notes and rests: what every reader of notation makes, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from seqtutor.tasks.scores.keys import Key

TICKS_PER_SIXTEENTH = 5040
"""Divisible by 2 … 10 and by 16, so that tuplets, dots and short notes come out exact."""
PLAYED = TICKS_PER_SIXTEENTH // 10
"""How far from where it is meant a note may lie that a person or a program plays, in ticks."""
TICKS_PER_QUARTER = 4 * TICKS_PER_SIXTEENTH
TICKS_PER_WHOLE = 4 * TICKS_PER_QUARTER


class UnreadableTuneError(Exception):
    """A tune that cannot be understood; the message is the reason that is counted."""


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
        full_length: the length of a full bar in ticks by the metre, `None` for free metre.
        events: never empty once the measure is finished.
        starts_repeat: whether it has `|:` on its left.
        plays: how often the repeat sign on its right has the section played, 0 without a sign.
        ends_section: whether a double bar (in ABC), a repeat sign or the end of an ending's bracket
            stands on its right.
        ending: the passes on which it is played, if an ending (`[1`, `[2` …) begins with it.
        marks: words and signs that change the order of playing; see `playing_order.mark_of`.
        part: the name of the part of a piece that begins with it, as `P:A` of ABC has it.
    """

    full_length: int | None
    events: list[Event] = field(default_factory=list)
    starts_repeat: bool = False
    plays: int = 0
    ends_section: bool = False
    ending: frozenset[int] | None = None
    marks: set[str] = field(default_factory=set)
    part: str | None = None

    @property
    def length(self) -> int:
        """The sum of the events' durations in ticks."""
        return sum(event.duration for event in self.events)


@dataclass(frozen=True)
class PlayedTune:
    """A tune as it is played.

    Attributes:
        title: may be empty.
        key: in which it sounds; `None` where none is named.
        meter: numerator and denominator, or `None` for free metre.
        measures: in the order in which they are played; durations in ticks.
        noted: what was simplified or passed over, by name.
        tempo: quarter notes a minute at the beginning; `None` where none is named.
    """

    title: str
    key: Key | None
    meter: tuple[int, int] | None
    measures: Sequence[Measure]
    noted: frozenset[str]
    tempo: float | None = None


def full_bar(meter: tuple[int, int] | None) -> int | None:
    """A bar's length in ticks, or `None` for free metre."""
    return None if meter is None else TICKS_PER_WHOLE * meter[0] // meter[1]


def has_notes(measures: Sequence[Measure]) -> bool:
    """Whether anything sounds."""
    return any(event.pitch is not None for measure in measures for event in measure.events)


def bar_starts(measures: Sequence[Measure]) -> Iterator[range]:
    """Where bars begin within each measure, in ticks from its beginning.

    A measure shorter than the metre asks for is an upbeat if it is the first, or if it completes
    the measure before it (the two halves of a bar that a repeat sign cuts). A measure of several
    bars' length lacks its inner bar lines.
    """
    none, one = range(0), range(1)
    left_open = 0  # How much of a bar the measure before left open.
    for place, measure in enumerate(measures):
        length, full = measure.length, measure.full_length
        before, left_open = left_open, 0
        if full is None or length == full:
            yield one
        elif length > full:
            is_several = length % full == 0 and full % TICKS_PER_SIXTEENTH == 0
            yield range(0, length, full) if is_several else one
        elif length <= before or (place == 0 and not _is_completed(measures)):
            yield none
        else:
            left_open = full - length
            yield one


def _is_completed(measures: Sequence[Measure]) -> bool:
    """Whether the sign of a repeat cuts the first bar in two."""
    if len(measures) < 2 or not measures[1].starts_repeat:
        return False
    return sum(measure.length for measure in measures[:2]) == measures[0].full_length


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
