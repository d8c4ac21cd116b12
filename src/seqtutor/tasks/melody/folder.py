"""Melodies from the user's own files: MIDI, ABC, MusicXML and kern."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.melody.abc import AbcOptions, read_abc_file
from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER, Note
from seqtutor.tasks.melody.time_limit import TooLongError, time_limit
from seqtutor.tasks.melody.timeline import MAXIMUM_SIXTEENTHS
from seqtutor.tasks.melody.tune import Tune, regular_downbeats
from seqtutor.tasks.scores.abc import MAXIMUM_FILE_BYTES, read_limited
from seqtutor.tasks.scores.files import ABC_SUFFIXES, MIDI_SUFFIXES, one_line, read_files
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import Key, estimate_key
from seqtutor.tasks.scores.midi import read_midi_tracks

SCORE_SUFFIXES = frozenset({".musicxml", ".xml", ".mxl", ".krn"})
SUFFIXES = MIDI_SUFFIXES | ABC_SUFFIXES | SCORE_SUFFIXES

SEVERAL_PARTS = "with several parts"
"""What the report calls a file of which only the first part was read."""
LEGATO = 1
"""By how many sixteenths a note may reach into the next one and still be the same voice."""
ON_GRID = 0.1
"""How far from a sixteenth an onset may be, in sixteenths, to count as on the grid."""
SECONDS_A_SCORE = 8.0
SCORE_BYTES_A_SECOND = 20_000
"""How long music21 may take for a score: so many seconds, and one more for so many bytes. It needs
about a third of that for a long score, and for ever where one asks for bars without end."""


@dataclass(frozen=True)
class _Part:
    """One voice before it is put on the grid; onsets and durations in quarter notes."""

    notes: tuple[tuple[float, float, int], ...]
    key: Key | None
    meter: tuple[int, int] | None
    downbeats: tuple[int, ...] | None
    parts_in_file: int


def read_folder(path: Path, options: AbcOptions | None = None) -> tuple[list[Tune], ImportReport]:
    """Read every tune of a folder and its sub-folders, or of one file, at its written pitch.

    In a folder, a file that cannot be used is skipped and reported with the reason. Of a file of
    several parts the first is taken.

    Raises:
        UserError: if the path does not exist, holds no file of a known kind or no usable tune,
            or is a single file that cannot be used, a polyphonic one for example.
    """
    return read_files(path, SUFFIXES, lambda file: read_melody_file(file, options), "melodies")


def read_melody_file(
    path: Path, options: AbcOptions | None = None
) -> tuple[list[Tune], ImportReport]:
    """Read one file: all tunes of an ABC file, the first part of any other.

    Raises:
        UserError: if the file cannot be read or holds no usable melody.
    """
    options = options or AbcOptions()
    suffix = path.suffix.lower()
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; name files in it, such as {path}/*.mid")
    if not os.path.exists(path):
        raise UserError(f"{path} does not exist")
    if suffix in ABC_SUFFIXES:
        tunes, report = read_abc_file(path, options)
        if not tunes:
            reasons = ", ".join(f"{count} {reason}" for reason, count in report.dropped.items())
            raise UserError(f"{path} holds no usable tune ({reasons or 'no X: field'})")
        return tunes, report
    readers: dict[frozenset[str], Callable[[Path], _Part]] = {
        MIDI_SUFFIXES: _read_midi,
        SCORE_SUFFIXES: _read_score,
    }
    for suffixes, reader in readers.items():
        if suffix in suffixes:
            part = reader(path)
            tune, moved = _on_grid(path, part, options)
            noted = {
                SEVERAL_PARTS: int(part.parts_in_file > 1),
                "with notes moved to the grid": int(moved > 0),
                "notes moved to the grid": moved,
            }
            return [tune], ImportReport(1, {}, {name: n for name, n in noted.items() if n})
    raise UserError(f"{path} is not a melody; known are files {', '.join(sorted(SUFFIXES))}")


def _read_midi(path: Path) -> _Part:
    midi = read_midi_tracks(path)
    notes = tuple(
        (note.time / midi.quarter, note.duration / midi.quarter, note.pitch)
        for note in midi.tracks[0].notes
    )
    return _Part(notes, midi.key, midi.meter, None, len(midi.tracks))


def _read_score(path: Path) -> _Part:
    content = read_limited(path)
    _require_small_archive(path, content)
    import music21

    seconds = SECONDS_A_SCORE + len(content) / SCORE_BYTES_A_SECOND
    try:
        with time_limit(seconds, "music21"):
            score = music21.converter.parse(str(path), forceSource=True, storePickle=False)
            parts = list(score.parts) if isinstance(score, music21.stream.Score) else [score]
            part = parts[0]
            if part[music21.bar.Repeat]:
                part = part.expandRepeats()
            melody = part.flatten().stripTies()
    except TooLongError:
        raise UserError(f"{path} takes longer than {seconds:.0f} s to read") from None
    except Exception as error:  # music21 raises whatever its many readers come across
        raise UserError(f"{path} is not a readable score: {one_line(error)}") from None
    notes = tuple(
        (float(element.offset), float(element.quarterLength), pitch.midi)
        for element in melody.notes
        if not element.duration.isGrace and not isinstance(element, music21.harmony.Harmony)
        for pitch in element.pitches
    )
    key = meter = downbeats = None
    found = melody.getElementsByClass(music21.key.Key).first()
    if found is not None and found.mode in ("major", "minor"):
        key = Key(found.tonic.pitchClass, found.mode)
    signature = melody.getElementsByClass(music21.meter.TimeSignature).first()
    if signature is not None:
        meter = (signature.numerator, signature.denominator)
    measures = list(part.getElementsByClass(music21.stream.Measure))
    if measures:
        # An upbeat is a first measure shorter than its bar.
        upbeat = measures[0].quarterLength < measures[0].barDuration.quarterLength
        downbeats = tuple(
            round(measure.offset * STEPS_PER_QUARTER) for measure in measures[int(upbeat) :]
        )
    return _Part(notes, key, meter, downbeats, len(parts))


def _require_small_archive(path: Path, content: bytes) -> None:
    """A compressed score of a few kilobytes can unpack to gigabytes."""
    if not content.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UserError(f"{path} is not a readable score: {error}") from None
    if size > MAXIMUM_FILE_BYTES:
        raise UserError(f"{path} unpacks to more than {MAXIMUM_FILE_BYTES >> 20} MiB")


def _on_grid(path: Path, part: _Part, options: AbcOptions) -> tuple[Tune, int]:
    """Round onsets and ends to sixteenths and hold the voice to one note at a time."""
    notes: list[Note] = []
    moved = 0
    for onset_in_quarters, duration, pitch in sorted(part.notes):
        onset = round(onset_in_quarters * STEPS_PER_QUARTER)
        end = max(onset + 1, round((onset_in_quarters + duration) * STEPS_PER_QUARTER))
        moved += abs(onset_in_quarters * STEPS_PER_QUARTER - onset) > ON_GRID
        if notes:
            last = notes[-1]
            if onset == last.onset or last.end - onset > LEGATO:
                raise UserError(
                    f"{path} is polyphonic: several notes sound at once at quarter note "
                    f"{onset_in_quarters:g}; save the melody alone in a file of its own"
                )
            notes[-1] = replace(last, duration=min(last.duration, onset - last.onset))
        notes.append(Note(onset, end - onset, pitch))
    if not notes:
        raise UserError(f"{path} has no notes")
    if notes[-1].end > MAXIMUM_SIXTEENTHS:
        raise UserError(f"{path} is longer than {MAXIMUM_SIXTEENTHS:,} sixteenths; split it")
    if moved and options.off_grid == "drop":
        raise UserError(f"{path} has {moved} notes off the sixteenth grid")
    meter = part.meter or (4, 4)
    length = notes[-1].end
    bar_length = max(1, meter[0] * 16 // meter[1]) if meter[1] else 16
    tune = Tune(
        title=path.stem,
        source=path.name,
        index=0,
        notes=tuple(notes),
        length=length,
        key=part.key or estimate_key(notes),
        meter=meter,
        downbeats=part.downbeats or regular_downbeats(length, bar_length),
    )
    return tune, moved
