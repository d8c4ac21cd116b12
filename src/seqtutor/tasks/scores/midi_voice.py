"""One voice of a MIDI file: the melody of a track, in exact times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqtutor.tasks.scores.instruments import INSTRUMENTS
from seqtutor.tasks.scores.measures import TICKS_PER_QUARTER
from seqtutor.tasks.scores.midi import MidiTracks, read_midi_tracks
from seqtutor.tasks.scores.parts import Parts, parts_of
from seqtutor.tasks.scores.voices import PolyphonicError, Sound, one_voice

ROLES = ("melody", "part", "staff", "track", "voice")
"""Names of tracks that are no titles, beside those of instruments."""


@dataclass(frozen=True)
class MidiVoice:
    """The notes of a track, one at a time, and what the file says of them.

    Attributes:
        sounds: in ticks of `measures.TICKS_PER_QUARTER`.
        midi: key, metre and tempo.
        parts: the tracks, of which one is read.
        has_chords: whether the lower notes of chords were left out.
        empty: how many notes of length zero were left out.
        end: of the last note, in the file's own ticks.
    """

    sounds: tuple[Sound, ...]
    midi: MidiTracks
    parts: Parts
    has_chords: bool
    empty: int
    end: int

    @property
    def bars(self) -> list[int]:
        """Where the bars begin, in the ticks of `sounds`; before the first is an upbeat.

        Raises:
            UnreadableTuneError: if there are too many.
        """
        return [self.midi.ticks(start) for start in self.midi.bars(self.end)]

    @property
    def title(self) -> str:
        """The name of the only track, unless it says what plays; of several tracks none is."""
        name = " ".join(self.midi.tracks[0].name.split())
        what = name.lower().rstrip(" 0123456789")
        plays = what in ROLES or any(what in instrument for instrument in INSTRUMENTS)
        return "" if plays or len(self.midi.tracks) > 1 else name

    @property
    def has_metre_changes(self) -> bool:
        """Whether there is a time signature after the first, that of an upbeat aside."""
        return len(self.midi.meters) > 1 + self.midi.has_upbeat


def read_midi_voice(path: Path, wanted: str | None = None) -> MidiVoice:
    """Read a track with notes, the first one unless another is wanted.

    Raises:
        UserError: if the file is not MIDI, or has no part of that name or number.
        PolyphonicError: if its notes overlap.
        UnreadableTuneError: if it has too many notes.
    """
    midi = read_midi_tracks(path)
    parts = parts_of(path, [track.name for track in midi.tracks], wanted)
    notes = midi.tracks[parts.read].notes
    sounds = [
        Sound(midi.ticks(note.time), midi.ticks(note.time + note.duration), note.pitch)
        for note in notes
    ]
    lasting = [sound for sound in sounds if sound.end > sound.start]
    try:
        voice, has_chords = one_voice(lasting)
    except PolyphonicError as error:
        quarters = error.args[0] / TICKS_PER_QUARTER
        raise PolyphonicError(f"at quarter note {quarters:g}", parts) from None
    end = max(note.time + note.duration for note in notes)
    empty = len(sounds) - len(lasting)
    return MidiVoice(tuple(voice), midi, parts, has_chords, empty, end)
