"""What every reader of MIDI needs first: the tracks with notes, the key and the metre."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError
from seqtutor.tasks.scores.abc import read_limited
from seqtutor.tasks.scores.files import one_line
from seqtutor.tasks.scores.keys import Key


@dataclass(frozen=True)
class MidiTracks:
    """A MIDI file as symusic reads it.

    Attributes:
        tracks: those that have notes, drums aside; at least one.
        quarter: ticks of a quarter note.
        key: of the first key signature.
        meter: the first one.
    """

    tracks: tuple[Any, ...]
    quarter: int
    key: Key | None
    meter: tuple[int, int] | None


def read_midi_tracks(path: Path) -> MidiTracks:
    """Read a MIDI file.

    Raises:
        UserError: if it is not MIDI, or has no notes.
    """
    import symusic

    content = read_limited(path)
    try:
        score: Any = symusic.Score.from_midi(content)
    except Exception as error:  # symusic raises its own C++ exceptions under several names
        raise UserError(f"{path} is not a readable MIDI file: {one_line(error)}") from None
    tracks = tuple(track for track in score.tracks if _has_notes(track) and not track.is_drum)
    if not tracks or score.ticks_per_quarter <= 0:
        but = " but those of percussion" if any(map(_has_notes, score.tracks)) else ""
        raise UserError(f"{path} has no notes{but}")
    key = None
    if len(score.key_signatures):
        signature = score.key_signatures[0]
        mode = "minor" if signature.tonality else "major"
        key = Key((7 * signature.key + (9 if mode == "minor" else 0)) % 12, mode)
    meter = None
    if len(score.time_signatures):
        meter = (score.time_signatures[0].numerator, score.time_signatures[0].denominator)
    return MidiTracks(tracks, score.ticks_per_quarter, key, meter)


def _has_notes(track: Any) -> bool:
    return len(track.notes) > 0
