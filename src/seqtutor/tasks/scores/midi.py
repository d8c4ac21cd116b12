"""What every reader of MIDI needs first: the tracks with notes, the key, the metre and the bars."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.tasks.scores.files import read_limited
from seqtutor.tasks.scores.keys import Key, key_of_signature
from seqtutor.tasks.scores.measures import TICKS_PER_QUARTER, UnreadableTuneError

_HEADER, _USUAL, _MOST_BEFORE = 14, 6, 256
"""Bytes of a header with its name and size, and without; and of what may lie around the file."""
MOST_BARS = MOST_NOTES = 65_536
"""Of a track."""
LATEST = 2**31 - 1
"""The last tick that symusic can count to."""


@dataclass(frozen=True)
class MidiTracks:
    """A MIDI file as symusic reads it.

    Attributes:
        tracks: those that have notes, drums aside; at least one. A change of the instrument in the
            middle of a track is not a new one.
        quarter: the file's own ticks of a quarter note.
        key: of the first key signature.
        meters: each time signature with the file's tick at which it begins.
        tempo: quarter notes a minute at the beginning, if the file names them.
    """

    tracks: tuple[Any, ...]
    quarter: int
    key: Key | None
    meters: tuple[tuple[int, tuple[int, int]], ...]
    tempo: float | None = None

    @property
    def has_upbeat(self) -> bool:
        """Whether the first time signature is that of an upbeat: one bar, shorter than the next.

        MIDI has no other way to tell an upbeat.
        """
        if len(self.meters) < 2:
            return False
        (start, first), (stop, second) = self.meters[:2]
        length = stop - start
        return start == 0 and length <= self._bar(first) and length < self._bar(second)

    @property
    def meter(self) -> tuple[int, int] | None:
        """The first metre, an upbeat's aside."""
        meters = self.meters[int(self.has_upbeat) :]
        return meters[0][1] if meters else None

    def _bar(self, meter: tuple[int, int]) -> int:
        return max(1, self.quarter * 4 * meter[0] // meter[1])

    def ticks(self, time: int) -> int:
        """A time of the file in the ticks of `measures.TICKS_PER_QUARTER`, the nearest."""
        return (2 * TICKS_PER_QUARTER * time + self.quarter) // (2 * self.quarter)

    def bars(self, end: int) -> list[int]:
        """Where the bars begin that lie before `end`, both in the file's ticks.

        Without a time signature they have four quarters, as the MIDI standard has it.

        Raises:
            UnreadableTuneError: if there are more than `MOST_BARS`.
        """
        meters = list(self.meters)
        if not meters or meters[0][0] > 0:
            meters.insert(0, (0, (4, 4)))
        starts: list[int] = []
        for place, (start, meter) in enumerate(meters):
            following = min(end, meters[place + 1][0] if place + 1 < len(meters) else end)
            bars = range(start, following, self._bar(meter))
            if len(starts) + len(bars) > MOST_BARS:
                raise UnreadableTuneError("too long")
            starts += bars if place or not self.has_upbeat else ()
        return starts


def read_midi_tracks(path: Path) -> MidiTracks:
    """Read a MIDI file.

    Raises:
        UserError: if it is not MIDI, or has no notes.
        UnreadableTuneError: if a track has more than `MOST_NOTES`, or goes on after `LATEST`.
    """
    import symusic

    content = with_one_program(_plain(read_limited(path), path))
    try:
        score: Any = symusic.Score.from_midi(content)
    except Exception:  # symusic raises its own C++ exceptions under several names
        raise UserError(
            f"{path} is not a readable MIDI file: it is damaged or something else; export it again"
        ) from None
    tracks = tuple(track for track in score.tracks if _has_notes(track) and not track.is_drum)
    if not tracks or score.ticks_per_quarter <= 0:
        but = " but those of percussion" if any(map(_has_notes, score.tracks)) else ""
        raise UserError(f"{path} has no notes{but}")
    if any(len(track.notes) > MOST_NOTES for track in tracks):
        raise UnreadableTuneError("too long")
    key = None
    if len(score.key_signatures):
        signature = score.key_signatures[0]
        key = key_of_signature(signature.key, "minor" if signature.tonality else "major")
    # Of several at one tick the last holds.
    meters = {one.time: (one.numerator, one.denominator) for one in score.time_signatures}
    known = tuple(sorted((time, meter) for time, meter in meters.items() if 0 not in meter))
    tempo = next((one.qpm for one in score.tempos if one.time == 0), None)
    return MidiTracks(tracks, score.ticks_per_quarter, key, known, tempo)


def _plain(content: bytes, path: Path) -> bytes:
    """The file without what few programs write: a RIFF file around it, a header of more bytes.

    Raises:
        UserError: if its times are no parts of a quarter note.
    """
    start = content.find(b"MThd", 0, _MOST_BEFORE) if content.startswith(b"RIFF") else 0
    content = content[max(0, start) :]
    if content[:4] != b"MThd" or len(content) < _HEADER:
        return content
    size, division = int.from_bytes(content[4:8]), int.from_bytes(content[12:14])
    require(division > 0, f"{path} does not say how long a quarter note is; export it again")
    require(
        division < 1 << 15,
        f"{path} counts time in frames of film, not in notes; export it with ticks of a quarter "
        "note",
    )
    return content[:4] + _USUAL.to_bytes(4) + content[8:_HEADER] + content[8 + size :]


def _has_notes(track: Any) -> bool:
    return len(track.notes) > 0


def with_one_program(content: bytes) -> bytes:
    """The same MIDI file with the first instrument chosen by every change of program.

    symusic takes each program of a track for a part of its own.

    Raises:
        UnreadableTuneError: if a track goes on after `LATEST`.
    """
    data = bytearray(content)
    position = 0
    while position + 8 <= len(data):
        kind, size = struct.unpack_from(">4sI", data, position)
        position += 8
        if kind == b"MTrk":
            time = _set_programs(data, position, min(position + size, len(data)))
            if time > LATEST:
                raise UnreadableTuneError(f"it lasts for more than {LATEST:,} ticks")
        position += size
    return bytes(data)


def _set_programs(data: bytearray, position: int, end: int) -> int:
    """Walk through the events of a track, up to the first that makes no sense; gives its tick."""
    status = time = 0
    while position < end:
        wait, position = _after_number(data, position, end)
        time += wait
        if position >= end:
            break
        if data[position] >= 0x80:
            status = data[position]
            position += 1
        if status in (0xFF, 0xF0, 0xF7):
            size, position = _after_number(data, position + (status == 0xFF), end)
            position += size
        elif status >> 4 == 0xC and position < end:
            data[position] = 0
            position += 1
        elif 0x80 <= status < 0xF0:
            position += 1 if status >> 4 == 0xD else 2
        else:
            break
    return time


def _after_number(data: bytearray, position: int, end: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    number = 0
    while position < end:
        byte = data[position]
        number, position = number << 7 | byte & 0x7F, position + 1
        if byte < 0x80:
            break
    return number, position
