"""Read kern, by way of music21, as the measures of one voice."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from seqtutor.errors import UserError
from seqtutor.tasks.scores.files import read_limited
from seqtutor.tasks.scores.keys import FIFTHS_OF_MODE, Key, key_of_signature
from seqtutor.tasks.scores.measures import (
    TICKS_PER_QUARTER,
    Measure,
    PlayedTune,
    UnreadableTuneError,
)
from seqtutor.tasks.scores.parts import Parts, parts_of
from seqtutor.tasks.scores.playing_order import playing_order
from seqtutor.tasks.scores.voices import PolyphonicError, Sound, events_of, one_voice

SECONDS_A_SCORE = 8.0
SCORE_BYTES_A_SECOND = 20_000
"""How long music21 may take for a score: so many seconds, and one more for so many bytes. It needs
about a third of that for a long score, and for ever where one asks for bars without end."""
_AGAIN = 0.02
"""Seconds after which an alarm comes again that came at the wrong place."""


def read_kern(path: Path, wanted: str | None = None) -> tuple[PlayedTune, Parts]:
    """Read the first voice with notes of a part with notes, the first one unless another is wanted.

    Raises:
        UserError: if the file is not kern, takes too long, or has no part of that name or number.
        PolyphonicError: if its voice is polyphonic.
        UnreadableTuneError: if nothing sounds in it.
    """
    seconds = SECONDS_A_SCORE + len(read_limited(path)) / SCORE_BYTES_A_SECOND
    import music21

    try:
        with time_limit(seconds):
            score = music21.converter.parse(str(path), forceSource=True, storePickle=False)
            every: list[Any] = [score]
            if isinstance(score, music21.stream.Score):
                every = list(score.parts)
            parts = [one for one in every if one[music21.note.NotRest]]
            if not parts:
                raise UnreadableTuneError("no notes")
            found = parts_of(path, [getattr(one, "partName", "") or "" for one in parts], wanted)
            part = parts[found.read]
            noted: set[str] = set()
            measures = _measures(part, noted)
            key, meter = _key(part), _meter(part)
    except TooLongError:
        raise UserError(f"{path} takes longer than {seconds:.0f} s to read") from None
    except (PolyphonicError, UnreadableTuneError, UserError):
        raise
    except Exception:  # music21 raises whatever its many readers come across
        raise UserError(f"{path} is not a readable kern file; export it again") from None
    played, assumed = playing_order(measures)
    return PlayedTune("", key, meter, played, frozenset(noted | assumed)), found


def _key(part: Any) -> Key | None:
    import music21

    found = part.recurse().getElementsByClass(music21.key.KeySignature).first()
    if found is None:
        return None
    mode = getattr(found, "mode", None)
    return key_of_signature(found.sharps, mode if mode in FIFTHS_OF_MODE else "major")


def _meter(part: Any) -> tuple[int, int] | None:
    import music21

    found = part.recurse().getElementsByClass(music21.meter.TimeSignature).first()
    return None if found is None else (found.numerator, found.denominator)


def _measures(part: Any, noted: set[str]) -> list[Measure]:
    import music21

    measures: list[Measure] = []
    full: int | None = None
    for element in part.getElementsByClass(music21.stream.Measure):
        if element.timeSignature is not None:
            full = _ticks(element.timeSignature.barDuration.quarterLength)
        measure = Measure(full)
        measure.starts_repeat = _is_repeat(element.leftBarline, "start")
        if _is_repeat(element.rightBarline, "end"):
            measure.plays = element.rightBarline.times or 2
            measure.ends_section = True
        length = _ticks(element.duration.quarterLength)
        measure.events = list(events_of(_voice(element, noted), length))
        if measure.events:
            measures.append(measure)
    return measures


def _is_repeat(barline: Any, direction: str) -> bool:
    return getattr(barline, "direction", None) == direction


def _voice(measure: Any, noted: set[str]) -> Sequence[Sound]:
    """The notes of a measure's first voice that has any."""
    import music21

    voices = [voice for voice in measure.voices if voice.notes]
    if len(voices) > 1:
        noted.add("voices")
    # Where a spine is split within a measure, what all voices share stands beside them.
    places = [(note, 0.0) for note in measure.notes]
    places += [(note, voice.offset) for voice in voices[:1] for note in voice.notes]
    sounds: list[Sound] = []
    for note, place in places:
        if note.duration.isGrace:
            noted.add("grace notes")
        elif not isinstance(note, music21.harmony.Harmony) and note.pitches:
            start = _ticks(place + note.offset)
            end = _ticks(place + note.offset + note.quarterLength)
            tied = note.tie is not None and note.tie.type in ("start", "continue")
            if note.duration.tuplets:
                noted.add("tuplets")
            sounds += [Sound(start, end, pitch.midi, tied) for pitch in note.pitches]
    try:
        voice, has_chords = one_voice(sound for sound in sounds if sound.end > sound.start)
    except PolyphonicError:
        raise PolyphonicError(f"in measure {measure.number}") from None
    if has_chords:
        noted.add("chords")
    return voice


def _ticks(quarters: Any) -> int:
    return round(quarters * TICKS_PER_QUARTER)


class TooLongError(BaseException):
    """The time is over. No `Exception`: a reader would take it for one of its own and go on."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Within, Python code of music21 that takes longer ends with a `TooLongError`.

    An alarm of the system does it, which only a main thread hears; elsewhere, and where there is no
    such alarm (Windows), there is no limit.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "SIGALRM"):
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        # Raised in a finaliser or a callback of other code, it would be lost, and printed.
        if frame is not None and "music21" in Path(frame.f_code.co_filename).parts:
            raise TooLongError

    before = signal.signal(signal.SIGALRM, end)
    # Again and again, until it comes while music21 itself is at work.
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining, interval)
        signal.signal(signal.SIGALRM, before)
