"""Pieces of music as files that a person can open."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.settings import require
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.notation import Meter, signature_fifths


def require_playable(tempo: float, programs: Sequence[int], velocities: Sequence[int]) -> None:
    """Raise a `UserError` unless MIDI can store the tempo, the instruments and the velocities."""
    # MIDI stores microseconds per quarter note in 24 bits: 3.6 is the slowest it can say.
    require(
        math.isfinite(tempo) and 4 <= tempo <= 1000,
        f"a tempo of {tempo:g} is out of range; use 4 to 1000 quarters",
    )
    for program in programs:
        require(0 <= program <= 127, f"there is no MIDI program {program}; use 0 to 127")
    for velocity in velocities:
        require(1 <= velocity <= 127, f"a velocity of {velocity} is out of range; use 1 to 127")


@dataclass(frozen=True)
class MidiTrack:
    """Notes of one instrument, each with onset and duration in ticks, pitch and velocity."""

    name: str
    program: int
    notes: Sequence[tuple[int, int, int, int]]


def render_midi(
    tracks: Sequence[MidiTrack], quarter: int, tempo: float, meter: Meter, key: Key
) -> bytes:
    """A MIDI file with `quarter` ticks in a quarter note and `tempo` quarters a minute."""
    import symusic

    score: Any = symusic.Score(quarter)
    score.tempos.append(symusic.Tempo(0, tempo))
    score.time_signatures.append(symusic.TimeSignature(0, *meter))
    score.key_signatures.append(
        symusic.KeySignature(0, signature_fifths(key), int(key.mode == "minor"))
    )
    for own in tracks:
        track: Any = symusic.Track(name=own.name, program=own.program)
        for note in own.notes:
            track.notes.append(symusic.Note(*note))
        score.tracks.append(track)
    return bytes(score.dumps_midi())


Renderer = TypeVar("Renderer")


def renderer_for(suffix: str, renderers: Mapping[str, Renderer], what: str) -> Renderer:
    """The renderer of a suffix.

    Raises:
        UserError: if there is none.
    """
    renderer = renderers.get(suffix.lower())
    if renderer is None:
        raise UserError(
            f"cannot write {what} as {suffix or 'a file without a suffix'}; "
            f"use one of {', '.join(renderers)}"
        )
    return renderer


def write_numbered(
    number: int,
    folder: Path,
    formats: Sequence[str],
    prefix: str,
    renderers: Mapping[str, Callable[[int], bytes | str]],
    book: Callable[[], str],
    what: str,
) -> list[Path]:
    """Write pieces as `prefix-001.mid` and so on, but ABC as one tune book, `prefix.abc`.

    Args:
        number: of the pieces.
        folder: made if it is missing.
        formats: suffixes, with or without the dot.
        prefix: of the files' names.
        renderers: by suffix, of the piece of an index.
        book: renders all pieces as ABC.
        what: what a piece is called in messages, such as "a melody".

    Raises:
        UserError: before anything is written, if a format is unknown or a piece cannot be rendered;
            or if a file cannot be written.
    """
    digits = max(3, len(str(number)))
    contents: dict[Path, bytes | str] = {}
    for suffix in dict.fromkeys("." + name.lower().lstrip(".") for name in formats):
        renderer = renderer_for(suffix, renderers, what)
        if suffix == ".abc":
            contents[folder / f"{prefix}.abc"] = book()
            continue
        for index in range(number):
            contents[folder / f"{prefix}-{index + 1:0{digits}d}{suffix}"] = renderer(index)
    return [atomic_write(path, content) for path, content in contents.items()]
