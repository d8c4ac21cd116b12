"""Tunes from MIDI, which has times instead of note values, and neither repeats nor sections."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import dropwhile, pairwise
from pathlib import Path

from seqtutor.tasks.scores.measures import (
    PLAYED,
    TICKS_PER_QUARTER,
    TICKS_PER_SIXTEENTH,
    Measure,
    PlayedTune,
    UnreadableTuneError,
    full_bar,
    has_notes,
)
from seqtutor.tasks.scores.midi_voice import MidiVoice, read_midi_voice
from seqtutor.tasks.scores.parts import Parts
from seqtutor.tasks.scores.voices import Sound, events_of
from seqtutor.tasks.tunes.sections import TICKS_PER_UNIT

GRIDS = (TICKS_PER_SIXTEENTH // 2, TICKS_PER_QUARTER // 6)
"""Thirty-seconds and triplets of sixteenths, in ticks."""
WRITTEN = 0.9
"""The share of notes that begin where note values have them, from which a file was not played."""
USUAL_METER = (4, 4)
"""Of a file without a time signature, as the MIDI standard has it."""


def read_midi(
    path: Path, wanted: str | None = None, *, is_whole: bool = True
) -> tuple[PlayedTune, Parts, list[str]]:
    """Read a track with notes, the first one unless another is wanted.

    Args:
        path: of the file.
        wanted: number or name of the track.
        is_whole: whether silence fills up the last bar, as far as the upbeat leaves room.

    Returns:
        The tune as one section, the tracks, and what a person should know.

    Raises:
        UserError: if the file is not MIDI, or has no track of that name or number.
        PolyphonicError: if its notes overlap.
        UnreadableTuneError: if it has no notes, or is too long.
    """
    voice = read_midi_voice(path, wanted)
    if not voice.sounds:
        raise UnreadableTuneError("no notes")
    meter = voice.midi.meter or USUAL_METER
    full = full_bar(meter)
    assert full is not None
    starts = [TICKS_PER_UNIT * round(start / TICKS_PER_UNIT) for start in voice.bars] or [0]
    is_written = _is_written(voice)
    nearest = _to_unit if is_written else partial(_nearest, starts)
    end = nearest(voice.sounds[-1].end)
    if is_whole:
        end = max(end, starts[-1] + full - starts[0])
    edges = [0, *(start for start in starts if 0 < start < end), end]
    sounds, moved = _on_grid(voice, nearest, end, _margin(voice) if is_written else -1)
    written = _measures(sounds, edges, full)
    measures = list(dropwhile(lambda measure: not has_notes([measure]), written))
    remarks = ["MIDI tells no sections: phrases are counted from its first bar"] if is_whole else []
    remarks += [] if voice.midi.meter else ["it names no metre and is read in 4/4"]
    remarks += ["its metre changes"] if voice.has_metre_changes else []
    if silent := len(written) - len(measures):
        remarks.append(f"{silent} of its bars are silent before the first note and left out")
    if moved:
        remarks.append(f"{moved} of its notes were moved to a thirty-second or a triplet")
    midi = voice.midi
    played = PlayedTune(voice.title, midi.key, meter, measures, frozenset(), midi.tempo)
    return played, voice.parts, remarks


def _is_written(voice: MidiVoice) -> bool:
    """Whether the notes begin where note values have them, as those that a program writes do."""
    exact = sum(abs(_to_unit(one.start) - one.start) <= _margin(voice) for one in voice.sounds)
    return exact >= WRITTEN * len(voice.sounds)


def _margin(voice: MidiVoice) -> int:
    """How far from its place a time may lie because the file counts in ticks."""
    return min(TICKS_PER_QUARTER // voice.midi.quarter, TICKS_PER_UNIT // 8) + 1


def _to_unit(ticks: int) -> int:
    return TICKS_PER_UNIT * round(ticks / TICKS_PER_UNIT)


def _nearest(starts: list[int], ticks: int) -> int:
    """The nearest thirty-second or triplet of sixteenths of a bar, the earlier one from halfway.

    Args:
        starts: of the bars; what is before the first is counted back from it.
        ticks: the time.
    """
    start = starts[max(0, bisect_right(starts, ticks) - 1)]
    near = [start + grid * -((start - ticks + grid // 2) // grid) for grid in GRIDS]
    return max(0, min(near, key=lambda time: (abs(time - ticks), time)))


def _on_grid(
    voice: MidiVoice, nearest: Callable[[int], int], end: int, margin: int
) -> tuple[list[Sound], int]:
    """Notes at times that can be written, and how many of them began elsewhere.

    A note that a player or a program cuts short by less than a sixteenth lasts up to the next one.
    Of notes that begin within less than a thirty-second, such as a grace note and its main note,
    the longest stays and begins with the first.

    Args:
        voice: the notes.
        nearest: the time that can be written for any other.
        end: of the tune.
        margin: how far an end may lie from where it is meant to be; below zero, none is meant.
    """
    kept: dict[int, Sound] = {}
    onset = -TICKS_PER_QUARTER
    for sound in voice.sounds:
        start = nearest(sound.start)
        if start - onset >= min(GRIDS):
            onset = start
            kept[onset] = sound
        elif sound.end - sound.start > kept[onset].end - kept[onset].start:
            kept[onset] = sound
    moved = sum(abs(onset - sound.start) > PLAYED for onset, sound in kept.items())
    sounds = []
    for (onset, sound), limit in zip(kept.items(), [*list(kept)[1:], end], strict=True):
        stop = nearest(sound.end)
        is_exact = abs(stop - sound.end) <= margin
        if not (is_exact and _can_be_written(stop - onset) and _can_be_written(limit - stop)):
            sixteenth = TICKS_PER_SIXTEENTH * round(sound.end / TICKS_PER_SIXTEENTH)
            is_short = limit - sound.end < TICKS_PER_SIXTEENTH
            stop = limit if is_short else max(sixteenth, onset + min(GRIDS))
        sounds.append(replace(sound, start=onset, end=min(stop, limit)))
    return sounds, moved


def _can_be_written(ticks: int) -> bool:
    return ticks >= 0 and any(ticks % grid == 0 for grid in GRIDS)


def _measures(sounds: list[Sound], edges: list[int], full: int) -> list[Measure]:
    """What sounds between neighbouring bar lines; notes that go on behind one are tied."""
    ends = [sound.end for sound in sounds]
    measures = []
    for start, stop in pairwise(edges):
        own = []
        for place in range(bisect_right(ends, start), len(sounds)):
            one = sounds[place]
            if one.start >= stop:
                break
            first, last = max(one.start, start) - start, min(one.end, stop) - start
            own.append(replace(one, start=first, end=last, tied=one.end > stop))
        measures.append(Measure(full, list(events_of(own, stop - start))))
    return measures
