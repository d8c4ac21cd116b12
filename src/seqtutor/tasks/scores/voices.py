"""From the notes of one voice to the events of a measure, or of a whole track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from seqtutor.tasks.scores.measures import PLAYED, TICKS_PER_SIXTEENTH, Event

LEGATO = TICKS_PER_SIXTEENTH
"""By how many ticks a note may reach into the next one and still be the same voice."""


class PolyphonicError(Exception):
    """Several notes sound at once.

    The arguments are where, in ticks of `one_voice` or in words, and perhaps the file's `Parts`.
    """

    def __str__(self) -> str:
        """What sounds, where, and what can be done, in words."""
        where, *parts = self.args
        several = "".join(f" (it has {one.listed})" for one in parts if len(one.names) > 1)
        other = "" if parts and not several else f"name another part{several}, or "
        return (
            f"is polyphonic: several notes sound at once {where}; {other}save the melody alone in "
            "a file of its own"
        )


@dataclass(frozen=True)
class Sound:
    """A note: where it begins and ends, in ticks, its pitch, and whether it is tied to the next."""

    start: int
    end: int
    pitch: int
    tied: bool = False


def one_voice(sounds: Iterable[Sound]) -> tuple[list[Sound], bool]:
    """Notes one at a time in order, and whether there were chords.

    Of notes that begin together the highest is kept; those of a chord may follow each other as
    closely as `PLAYED`. One that reaches a little into the next is cut short there, and one that
    reaches into the next of its own pitch, which strikes it anew, as far as it does.

    Raises:
        PolyphonicError: if notes overlap by more than `LEGATO`.
    """
    voice: list[Sound] = []
    has_chords = False
    reach = 0
    for together in _chords(sorted(sounds, key=lambda sound: sound.start)):
        start = together[0].start
        has_chords = has_chords or len(together) > 1
        if voice:
            is_anew = len(together) == 1 and together[0].pitch == voice[-1].pitch
            if reach - start > LEGATO and not (is_anew and reach == voice[-1].end):
                raise PolyphonicError(start)
            voice[-1] = replace(voice[-1], end=min(voice[-1].end, start))
        highest = max(together, key=lambda sound: (sound.pitch, sound.end))
        voice.append(replace(highest, start=start))
        reach = max(sound.end for sound in together)
    return voice, has_chords


def _chords(sounds: Iterable[Sound]) -> Iterator[list[Sound]]:
    """Neighbours that begin together; the sounds are in the order of their beginnings."""
    together: list[Sound] = []
    for sound in sounds:
        if together and not _begins_with(together, sound):
            yield together
            together = []
        together.append(sound)
    if together:
        yield together


def _begins_with(together: list[Sound], sound: Sound) -> bool:
    """Whether a sound belongs to a chord: it begins at once, or soon while all of it sounds."""
    after = sound.start - together[-1].start
    return after == 0 or (
        after <= PLAYED and all(one.end - sound.start > PLAYED for one in together)
    )


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
