"""Small scores as MusicXML and MIDI, from notes that fit on a line."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.import_report import ImportReport

DIVISIONS = 24
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FOUR_FOUR = "<time><beats>4</beats><beat-type>4</beat-type></time>"
CAPO = "<direction><direction-type><words>{}</words></direction-type>{}</direction>"


def xml_note(pitch: int | None, sixteenths: float = 4, extra: str = "", before: str = "") -> str:
    """A note or rest; `before` stands at the head of the element, as `<chord/>` does."""
    duration = f"<duration>{round(sixteenths * DIVISIONS / 4)}</duration><voice>1</voice>{extra}"
    if pitch is None:
        return f"<note><rest/>{duration}</note>"
    name = NAMES[pitch % 12]
    alter = "<alter>1</alter>" if name.endswith("#") else ""
    octave = f"<octave>{pitch // 12 - 1}</octave>"
    return f"<note>{before}<pitch><step>{name[0]}</step>{alter}{octave}</pitch>{duration}</note>"


def xml_bar(*pitches: int | None) -> str:
    """Quarters."""
    return "".join(map(xml_note, pitches))


def barline(side: str, inner: str) -> str:
    """A bar line with signs."""
    return f'<barline location="{side}">{inner}</barline>'


def xml_part(
    measures: Sequence[str],
    key: str = "<fifths>0</fifths>",
    time: str = FOUR_FOUR,
    transpose: str = "",
) -> list[str]:
    """The measures, the first with attributes."""
    head = f"<attributes><divisions>{DIVISIONS}</divisions><key>{key}</key>{time}{transpose}"
    return [f"{head}</attributes>{measures[0]}", *measures[1:]]


def musicxml(*parts: Sequence[str]) -> str:
    """A score of parts."""
    listed = "".join(
        f'<score-part id="P{i}"><part-name>p</part-name></score-part>' for i in range(len(parts))
    )
    body = ""
    for place, measures in enumerate(parts):
        inner = "".join(
            f'<measure number="{number}">{content}</measure>'
            for number, content in enumerate(measures, 1)
        )
        body += f'<part id="P{place}">{inner}</part>'
    return (
        f'<?xml version="1.0"?><score-partwise version="4.0"><part-list>{listed}</part-list>'
        f"{body}</score-partwise>"
    )


def midi(events: Sequence[tuple[int, bytes]], *more: Sequence[tuple[int, bytes]]) -> bytes:
    """A MIDI file of 480 ticks a quarter; a track is its messages, each with its time."""
    tracks = [_track(one) for one in (events, *more)]
    head = struct.pack(">4sIHHH", b"MThd", 6, int(len(tracks) > 1), len(tracks), 480)
    return head + b"".join(tracks)


def _track(events: Sequence[tuple[int, bytes]]) -> bytes:
    data, now = b"", 0
    for time, message in events:
        data += _number(time - now) + message
        now = time
    data += b"\x00\xff\x2f\x00"
    return struct.pack(">4sI", b"MTrk", len(data)) + data


def _number(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def midi_notes(
    notes: Sequence[tuple[float, float, int]], channel: int = 0
) -> list[tuple[int, bytes]]:
    """Messages of notes: onset and length in sixteenths, and pitch. Ends precede beginnings."""
    messages = []
    for onset, length, pitch in notes:
        start, end = round(120 * onset), round(120 * (onset + length))
        messages.append((start, int(end > start), bytes([0x90 | channel, pitch, 80])))
        messages.append((end, int(end == start) * 2, bytes([0x80 | channel, pitch, 0])))
    return [(time, message) for time, _, message in sorted(messages, key=lambda one: one[:2])]


def time_signature(numerator: int, denominator: int) -> bytes:
    """A meta event."""
    return b"\xff\x58\x04" + bytes([numerator, denominator.bit_length() - 1, 24, 8])


def key_signature(fifths: int, is_minor: bool = False) -> bytes:
    """A meta event."""
    return b"\xff\x59\x02" + struct.pack(">bB", fifths, is_minor)


def read_score(folder: Path, content: str | bytes, suffix: str) -> tuple[Tune, ImportReport]:
    """The first tune of a file with this content."""
    path = folder / f"score{suffix}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (tune, *_), report = read_melody_file(path)
    return tune, report


def triples(tune: Tune) -> list[tuple[int, int, int]]:
    """Onset, length and pitch of each note."""
    return [(note.onset, note.duration, note.pitch) for note in tune.notes]


def pitches(tune: Tune) -> list[int]:
    """The pitch of each note."""
    return [note.pitch for note in tune.notes]
