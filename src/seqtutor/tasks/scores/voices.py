"""From the notes of one voice to the events of a measure, or of a whole track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from seqtutor.tasks.scores.measures import TICKS_PER_SIXTEENTH, Event

LEGATO = TICKS_PER_SIXTEENTH
"""By how many ticks a note may reach into the next one and still be the same voice."""


class PolyphonicError(Exception):
    """Several notes sound at once; the argument is where, in ticks of `one_voice` or in words."""


@dataclass(frozen=True)
class Sound:
    """A note: where it begins and ends, in ticks, its pitch, and whether it is tied to the next."""

    start: int
    end: int
    pitch: int
    tied: bool = False


def one_voice(sounds: Iterable[Sound]) -> tuple[list[Sound], bool]:
    """Notes one at a time in order, and whether there were chords.

    Of notes that begin together the highest is kept. One that reaches a little into the next is cut
    short there.

    Raises:
        PolyphonicError: if notes overlap by more than `LEGATO`.
    """
    voice: list[Sound] = []
    has_chords = False
    reach = 0
    for start, group in groupby(sorted(sounds, key=lambda sound: sound.start), _start):
        together = list(group)
        has_chords = has_chords or len(together) > 1
        if voice:
            if reach - start > LEGATO:
                raise PolyphonicError(start)
            voice[-1] = replace(voice[-1], end=min(voice[-1].end, start))
        voice.append(max(together, key=lambda sound: (sound.pitch, sound.end)))
        reach = max(sound.end for sound in together)
    return voice, has_chords


def _start(sound: Sound) -> int:
    return sound.start


def events_of(voice: Iterable[Sound], length: int) -> Iterator[Event]:
    """The notes of a measure of this length with rests between them."""
    time = 0
    for sound in voice:
        if sound.start > time:
            yield Event(sound.start - time, None)
        yield Event(sound.end - sound.start, sound.pitch, tied=sound.tied)
        time = sound.end
    if time < length:
        yield Event(length - time, None)
