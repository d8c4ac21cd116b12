"""Phrases of a tune: the sections between repeat signs and double bars, cut into phrases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeAlias

from seqtutor.tasks.scores.keys import estimate_key, pitch_name
from seqtutor.tasks.scores.measures import (
    TICKS_PER_QUARTER,
    Measure,
    PlayedTune,
    UnreadableTuneError,
    full_bar,
    sounding_notes,
)
from seqtutor.tasks.scores.measures import Event as Sounding
from seqtutor.tasks.tunes.phrase import (
    METERS,
    MODES,
    UNITS_PER_QUARTER,
    Bar,
    Event,
    Meter,
    Phrase,
    length_of,
    units_in_bar,
)

TICKS_PER_UNIT = TICKS_PER_QUARTER // UNITS_PER_QUARTER
LOWEST, HIGHEST = 53, 86
"""F3 and D6: where the notes of a tune must lie."""
CENTRE = 70
"""Where a tune's mean pitch should lie: between the F and the B of the fiddle's upper strings."""
_Section: TypeAlias = tuple[Bar, list[Bar]]
"""An upbeat, perhaps of nothing, and bars."""
LENGTHS = (3, 4, 6, 8, 9, 12, 18, 24, 36, 48, 72, 96)
"""Units of the note values that have tokens; other lengths are these, tied together."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note for the comparison of tunes: pitch as a MIDI number, duration in ticks."""

    pitch: int
    duration: int


@dataclass(frozen=True)
class Tune:
    """A tune of which phrases were taken.

    Attributes:
        title, source: the piece's name and the book or file.
        notes: of the whole tune, to find near-duplicates by.
        phrases: each once, on the white keys.
        shift: semitones by which they were moved there.
        tempo: quarter notes a minute, if the file names them.
        remarks: what a person should know of how the file was read.
        parts: names of the file's parts, of which one was read.
        bars: how many are written, upbeats aside.
    """

    title: str
    source: str
    notes: tuple[Note, ...]
    phrases: tuple[Phrase, ...]
    shift: int = 0
    tempo: float | None = None
    remarks: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    bars: int = 0


@dataclass(frozen=True)
class Cutting:
    """How a tune becomes phrases.

    Attributes:
        bars: of a phrase.
        moves_upbeats: whether an upbeat that is written before a repeat sign, or as the end of what
            is played before, is moved to the phrase that it begins.
        leaves_rest: whether bars at the end of a section that are no phrase are left out, and not
            the whole section.
        takes_beginnings: whether of a tune without such a phrase its first bars are taken, at most
            as many, the last one perhaps unfinished.
    """

    bars: int
    moves_upbeats: bool = True
    leaves_rest: bool = False
    takes_beginnings: bool = False


def tune_of(played: PlayedTune, source: str, cutting: Cutting) -> tuple[Tune, Counter[str]]:
    """The phrases of a tune, and what of it cannot be one, by reason.

    Raises:
        UnreadableTuneError: if no phrase can be taken of it.
    """
    sounding = sounding_notes(played.measures)
    if not sounding:
        raise UnreadableTuneError("no notes")
    notes = tuple(Note(pitch, end - start) for start, end, pitch in sounding)
    key = played.key or estimate_key(notes)
    if played.meter not in METERS:
        known = ", ".join(f"{beats}/{unit}" for beats, unit in METERS)
        raise UnreadableTuneError(f"in another metre than {known}")
    if key.mode not in MODES:
        raise UnreadableTuneError(f"in another mode than {', '.join(MODES)}")
    shift = _shift([note.pitch for note in notes], -key.relative_major)
    if shift is None:
        raise UnreadableTuneError(
            f"out of range: on white keys it leaves {pitch_name(LOWEST)} to {pitch_name(HIGHEST)}"
        )
    dropped: Counter[str] = Counter()
    sections = _sections(played, shift, cutting)
    phrases = tuple(dict.fromkeys(_phrases(sections, played.meter, key.mode, cutting, dropped)))
    if not phrases and cutting.takes_beginnings:
        phrases, dropped = _beginning(sections, played.meter, key.mode, cutting), Counter()
    if not phrases:
        raise UnreadableTuneError(next(iter(dropped), f"no phrase of {cutting.bars} bars"))
    remarks = () if played.key else (f"it names no key and is read in {key}",)
    given = (played.title, source, notes, phrases, shift, played.tempo, remarks)
    return Tune(*given, bars=_written_bars(played.measures)), dropped


def _written_bars(measures: Sequence[Measure]) -> int:
    """How many bars are written, what is played again once, and upbeats not at all."""
    written = {id(measure): measure for measure in measures}
    return sum(2 * one.length > (one.full_length or 0) for one in written.values())


def _shift(pitches: Sequence[int], smallest: int) -> int | None:
    """The transposition to the white keys whose octave suits best; `None` if none has room."""
    low, high, mean = min(pitches), max(pitches), sum(pitches) / len(pitches)
    shifts = [
        shift
        for shift in range(smallest % 12 - 60, 61, 12)
        if low + shift >= LOWEST and high + shift <= HIGHEST
    ]
    return min(shifts, key=lambda shift: abs(mean + shift - CENTRE), default=None)


def _sections(played: PlayedTune, shift: int, cutting: Cutting) -> list[_Section | None]:
    """The sections in order, those that are played twice in a row once; `None` is irregular."""
    assert played.meter is not None
    split = _split(played.measures, cutting.moves_upbeats)
    sections = [_section(own, played.meter, shift, cutting.takes_beginnings) for own in split]
    if not cutting.moves_upbeats:
        return [section for section, _ in groupby(sections)]
    sections = _with_their_upbeats(sections, units_in_bar(played.meter))
    # What it begins with the second time does not matter.
    return [next(same) for _, same in groupby(sections, lambda section: section and section[1])]


def _phrases(
    sections: Sequence[_Section | None],
    meter: Meter,
    mode: str,
    cutting: Cutting,
    dropped: Counter[str],
) -> Iterator[Phrase]:
    """The phrases of a tune in order; what cannot be one is counted."""
    waiting: _Section | None = None
    for section in sections:
        if section is None:
            dropped["sections with irregular bars or other note values"] += 1
            waiting = None
            continue
        upbeat, bars = section
        if 2 * len(bars) == cutting.bars:
            if waiting is None:
                waiting = upbeat, bars
                continue
            joined = _joined(waiting[1], upbeat, units_in_bar(meter))
            section, waiting = (waiting[0], [*joined, *bars]), None
        else:
            waiting = None
        yield from _cut(section, meter, mode, cutting, dropped)


def _beginning(
    sections: Sequence[_Section | None], meter: Meter, mode: str, cutting: Cutting
) -> tuple[Phrase, ...]:
    """The first bars of the first section that has any, if it begins a phrase."""
    for section in sections:
        if section is not None:
            upbeat, bars = section[0], tuple(section[1][: cutting.bars])
            whole = bars[:-1] if len(bars) == len(section[1]) else bars
            is_regular = all(length_of(bar) == units_in_bar(meter) for bar in whole)
            return (Phrase(meter, mode, upbeat, bars),) if is_regular and _begins(bars) else ()
    return ()


def _with_their_upbeats(sections: Sequence[_Section | None], full: int) -> list[_Section | None]:
    """The sections, each with the upbeat that is written as the end of what is played before.

    In `A|:d2A F2A|…|d3 d2A:|` the A is the upbeat of the second time, and stands before the repeat
    sign for the first.
    """
    found: list[_Section | None] = []
    carried: Bar = ()
    for place, section in enumerate(sections):
        given, carried = carried, ()
        if section is None:
            found.append(None)
            continue
        upbeat, bars = section[0] or given, section[1]
        following = sections[place + 1] if place + 1 < len(sections) else None
        if upbeat and bars and length_of(bars[-1]) == full:
            last, carried = _without_upbeat(bars[-1], length_of(upbeat))
            # Where nothing follows, it is an upbeat if it is the same as before.
            if carried == given if following is None else not following[0]:
                bars = [*bars[:-1], last]
        found.append((upbeat, bars))
    return found


def _joined(bars: list[Bar], upbeat: Bar, full: int) -> list[Bar]:
    """The bars, the last one with the upbeat of what follows if there is room for it."""
    last = bars[-1]
    return [*bars[:-1], last + upbeat] if length_of(last) + length_of(upbeat) == full else bars


def _split(measures: Sequence[Measure], moves_upbeats: bool) -> Iterator[list[Measure]]:
    """The measures between repeat signs and double bars, as they are played.

    With `moves_upbeats` an upbeat alone before a repeat sign belongs to what is repeated.
    """
    section: list[Measure] = []
    is_upbeat = False
    for measure in measures:
        if measure.starts_repeat and section and not is_upbeat:
            yield section
            section = []
        section.append(measure)
        is_upbeat = moves_upbeats and _is_upbeat(section)
        if measure.plays or (measure.ends_section and not is_upbeat):
            yield section
            section = []
    if section:
        yield section


def _is_upbeat(section: Sequence[Measure]) -> bool:
    return len(section) == 1 and 2 * section[0].length <= (section[0].full_length or 0)


def _section(
    measures: Sequence[Measure], meter: Meter, shift: int, may_be_unfinished: bool
) -> _Section | None:
    """Upbeat and bars of a section; `None` if a bar is irregular or a length has no token."""
    full = full_bar(meter)
    assert full is not None
    upbeat: list[Event] = []
    rest = list(measures)
    if len(rest) > 1 and rest[0].length < full:
        first = _events(rest.pop(0), shift)
        if first is None:
            return None
        upbeat = first
    bars: list[Bar] = []
    open_bar: list[Event] = []
    before = None if not upbeat else measures[0].events[-1]
    for measure in rest:
        events = _events(measure, shift, before)
        if events is None or measure.full_length != full:
            return None
        before = measure.events[-1]
        open_bar += events
        length = length_of(tuple(open_bar)) * TICKS_PER_UNIT
        if length > full:
            return None
        if length == full:
            bars.append(tuple(open_bar))
            open_bar = []
    if open_bar:
        if 2 * length_of(tuple(open_bar)) * TICKS_PER_UNIT < full and not may_be_unfinished:
            return None
        bars.append(tuple(open_bar))
    return tuple(upbeat), bars


def _events(measure: Measure, shift: int, before: Sounding | None = None) -> list[Event] | None:
    """The events of a measure; `None` if a length is no sum of note values that have tokens.

    `before` is what sounds before the measure and may be tied to it.
    """
    events: list[Event] = []
    for event in measure.events:
        units, left = divmod(event.duration, TICKS_PER_UNIT)
        if left or not units:
            return None
        pitch = None if event.pitch is None else event.pitch + shift
        goes_on = (
            pitch is not None and before is not None and before.tied and before.pitch == event.pitch
        )
        if goes_on and events and events[-1].duration + units in LENGTHS:
            events[-1] = replace(events[-1], duration=events[-1].duration + units)
        else:
            parts = _parts(units)
            if parts is None:
                return None
            tied = [goes_on or place > 0 for place in range(len(parts))]
            events += [
                Event(length, None if is_tied else pitch, is_tied)
                for length, is_tied in zip(parts, tied, strict=True)
            ]
        before = event
    return events


def _parts(units: int) -> list[int] | None:
    """A length as at most two note values, the longer first."""
    if units in LENGTHS:
        return [units]
    pairs = [(one, units - one) for one in LENGTHS if units - one in LENGTHS]
    return list(max(pairs)) if pairs else None


def _cut(
    section: _Section,
    meter: Meter,
    mode: str,
    cutting: Cutting,
    dropped: Counter[str],
) -> Iterator[Phrase]:
    """Phrases of so many bars; an upbeat within the section goes to the phrase that it begins."""
    (upbeat, bars), number = section, cutting.bars
    surplus = len(bars) % number
    if not bars or (surplus and not (cutting.leaves_rest and len(bars) > number)):
        dropped[f"sections of other than {number} bars or a multiple"] += 1
        return
    if surplus:
        dropped["bars after the last phrase"] += surplus
    size = length_of(upbeat)
    for start in range(0, len(bars) - surplus, number):
        own = bars[start : start + number]
        following: Bar = ()
        if start + number < len(bars) and size:
            own[-1], following = _without_upbeat(own[-1], size)
        is_regular = all(length_of(bar) == units_in_bar(meter) for bar in own[:-1])
        if is_regular and _begins(own):
            yield Phrase(meter, mode, upbeat, tuple(own))
        else:
            dropped["phrases with irregular bars or that begin in the middle of a note"] += 1
        upbeat = following


def _without_upbeat(bar: Bar, size: int) -> tuple[Bar, Bar]:
    """A bar without its last units, and these, if an event begins there."""
    ends = [0]
    for event in bar:
        ends.append(ends[-1] + event.duration)
    place = ends[-1] - size
    if place not in ends[1:]:
        return bar, ()
    index = ends.index(place)
    return (bar, ()) if bar[index].is_tied else (bar[:index], bar[index:])


def _begins(bars: Sequence[Bar]) -> bool:
    """Whether something sounds, and nothing is tied to what came before."""
    events = [event for bar in bars for event in bar]
    return not events[0].is_tied and any(event.pitch is not None for event in events)
