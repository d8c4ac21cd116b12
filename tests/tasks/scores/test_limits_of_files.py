"""Files of music of which reading would take minutes, though they are small."""

from __future__ import annotations

import io
import zipfile

import pytest

from seqtutor.errors import UserError
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.scores.abc import LONGEST_TUNE
from seqtutor.tasks.scores.midi import LATEST, MOST_NOTES
from seqtutor.tasks.scores.musicxml_file import MOST_TAGS

NOTE = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>"
HEAD = '<score-partwise><part id="P1"><measure number="1">'
TAIL = "</measure></part></score-partwise>"


def abc(characters: int) -> bytes:
    head = "X:1\nL:1/8\nK:C\n"
    return (head + "C" + " " * (characters - len(head))).encode()


def mxl(tags: int) -> bytes:
    content = io.BytesIO()
    tags -= (HEAD + NOTE + TAIL).count("<")
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", f"{HEAD}{NOTE}{'<a/>' * tags}{TAIL}")
    return content.getvalue()


def midi(notes: int) -> bytes:
    """A run of notes of a tick each."""
    events = b"\x00\x90\x3c\x40\x01\x3c\x00" + b"\x00\x3c\x40\x01\x3c\x00" * (notes - 1)
    events += b"\x00\xff\x2f\x00"
    head = b"MThd\0\0\0\6\0\0\0\1\x7f\xff"
    return head + b"MTrk" + len(events).to_bytes(4, "big") + events


def late(ticks: int) -> bytes:
    """A note at the end of a silence, of which one event can tell 268,435,455 ticks."""
    waits = [268_435_455] * (ticks // 268_435_455) + [ticks % 268_435_455]

    def wait(number: int) -> bytes:
        return bytes(0x80 | number >> shift & 0x7F for shift in (21, 14, 7)) + bytes([number & 127])

    events = b"".join(wait(number) + b"\xb0\x07\x40" for number in waits)
    events += b"\x00\x90\x3c\x40\x01\x3c\x00\x00\xff\x2f\x00"
    return b"MThd\0\0\0\6\0\0\0\1\x7f\xff" + b"MTrk" + len(events).to_bytes(4, "big") + events


@pytest.mark.parametrize("ticks", [LATEST + 2, 2 * LATEST + 5, 3 * LATEST])
def test_a_note_later_than_can_be_counted_is_not_put_at_the_beginning(tmp_path, ticks):
    path = tmp_path / "late.mid"
    path.write_bytes(late(ticks))
    with pytest.raises(UserError, match="it lasts for more than 2,147,483,647 ticks"):
        read_melody_file(path)


@pytest.mark.parametrize(
    ("suffix", "made", "most", "said"),
    [
        (".abc", abc, LONGEST_TUNE - 10, "too long"),
        (".mxl", mxl, MOST_TAGS, "more than 2,097,152 tags"),
        (".mid", midi, MOST_NOTES, "too long"),
    ],
)
def test_what_is_beyond_the_bounds_is_refused(tmp_path, suffix, made, most, said):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(made(most // 4))
    assert len(read_melody_file(path)[0]) == 1
    path.write_bytes(made(most + 100))
    with pytest.raises(UserError, match=said):
        read_melody_file(path)
