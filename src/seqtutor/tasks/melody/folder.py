"""Melodies from the user's own files: MIDI, ABC, MusicXML and kern."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.tasks.melody.abc import AbcOptions, changes_of, read_abc_file, tune_of
from seqtutor.tasks.melody.timeline import MAXIMUM_SIXTEENTHS, nearest
from seqtutor.tasks.melody.timeline import on_grid as put_on_grid
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.files import (
    ABC_SUFFIXES,
    MIDI_SUFFIXES,
    SUFFIXES,
    export_advice,
    read_files,
    require_usable,
)
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.kern import read_kern
from seqtutor.tasks.scores.keys import estimate_key
from seqtutor.tasks.scores.measures import TICKS_PER_SIXTEENTH, UnreadableTuneError
from seqtutor.tasks.scores.midi_voice import read_midi_voice
from seqtutor.tasks.scores.musicxml_reader import read_musicxml
from seqtutor.tasks.scores.voices import PolyphonicError

SEVERAL_PARTS = "with several parts; only the first with notes is read"
"""What the report calls a file of which only the first part was read."""


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
    path: Path, options: AbcOptions | None = None, part: str | None = None
) -> tuple[list[Tune], ImportReport]:
    """Read one file: all tunes of an ABC file, one part of any other.

    Args:
        path: of the file.
        options: how to read ABC.
        part: number, from 1 on, or name of the part; by default the first with notes.

    Raises:
        UserError: if the file cannot be read, holds no usable melody or no such part.
    """
    options = options or AbcOptions()
    suffix = path.suffix.lower()
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; name files in it, such as {path}/*.mid")
    if not os.path.exists(path):
        raise UserError(f"{path} does not exist")
    if suffix in ABC_SUFFIXES:
        require(part is None, f"{path} is ABC, of which the first voice is read; name no part")
        tunes, report = read_abc_file(path, options)
        require_usable(path, report)
        return tunes, report
    if suffix not in SUFFIXES:
        raise UserError(
            f"{path} is not a melody; known are files {', '.join(sorted(SUFFIXES))}"
            f"{export_advice(suffix)}"
        )
    read = _read_midi if suffix in MIDI_SUFFIXES else _read_score
    try:
        tune, changes = read(path, options, part)
    except UnreadableTuneError as error:
        raise UserError(f"{path} cannot be used: {error}") from None
    except PolyphonicError as error:
        raise UserError(f"{path} {error}") from None
    changes[SEVERAL_PARTS] = int(len(tune.parts.names) > 1)
    return [replace(tune, title=tune.title or path.stem)], ImportReport(1, {}, dict(+changes))


def _read_score(path: Path, options: AbcOptions, part: str | None) -> tuple[Tune, Counter[str]]:
    read = read_kern if path.suffix.lower() == ".krn" else read_musicxml
    played, parts = read(path, part)
    tune, changes = tune_of(played, path.name, options)
    return replace(tune, parts=parts), changes


def _read_midi(path: Path, options: AbcOptions, part: str | None) -> tuple[Tune, Counter[str]]:
    voice = read_midi_voice(path, part)
    length = voice.sounds[-1].end if voice.sounds else 0
    if length > MAXIMUM_SIXTEENTHS * TICKS_PER_SIXTEENTH:
        raise UserError(f"{path} is longer than {MAXIMUM_SIXTEENTHS:,} sixteenths; split it")
    sounding = [(one.start, one.end, one.pitch) for one in voice.sounds]
    on_grid = put_on_grid(sounding, length, [nearest(start) for start in voice.bars])
    changes = changes_of(on_grid, options)
    changes["with chords"] = int(voice.has_chords)
    changes["with metre changes"] = int(voice.has_metre_changes)
    changes["notes of length zero left out"] = voice.empty
    tune = Tune(
        title=voice.title,
        source=path.name,
        index=0,
        notes=on_grid.notes,
        length=on_grid.length,
        key=voice.midi.key or estimate_key(on_grid.notes),
        meter=voice.midi.meter or (4, 4),
        downbeats=on_grid.downbeats,
        parts=voice.parts,
    )
    return tune, changes
