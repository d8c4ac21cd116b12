"""Lead sheets from MIDI files that are not what they should be."""

import struct
from pathlib import Path

import pytest

from seqtutor.errors import UserError
from seqtutor.tasks.folk.midi import read_midi_file


def midi_with_a_note_after(wait: bytes) -> bytes:
    track = wait + b"\x90\x3c\x40\x01\x80\x3c\x00\x00\xff\x2f\x00"
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1)
    return head + b"MTrk" + struct.pack(">I", len(track)) + track


def test_a_file_that_waits_for_years_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "late.mid"
    path.write_bytes(midi_with_a_note_after(b"\x04"))
    assert read_midi_file(path)[0][0].length == 5
    path.write_bytes(midi_with_a_note_after(b"\xff\xff\xff\x7f"))
    with pytest.raises(UserError, match="longer than 16,384 quarter notes"):
        read_midi_file(path)
