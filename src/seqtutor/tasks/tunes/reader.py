"""Phrases of tunes in files of every kind that is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.tasks.scores.abc import decode_abc, read_tunes
from seqtutor.tasks.scores.corpus import PUBLIC_DOMAIN_BOOKS, book_sources
from seqtutor.tasks.scores.files import (
    ABC_SUFFIXES,
    MIDI_SUFFIXES,
    SUFFIXES,
    export_advice,
    read_files,
    read_limited,
    require_usable,
)
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.kern import read_kern
from seqtutor.tasks.scores.measures import PlayedTune, UnreadableTuneError
from seqtutor.tasks.scores.musicxml_reader import read_musicxml
from seqtutor.tasks.scores.parts import Parts
from seqtutor.tasks.scores.voices import PolyphonicError
from seqtutor.tasks.tunes.midi import read_midi
from seqtutor.tasks.tunes.sections import Cutting, Tune, tune_of

SEVERAL_PARTS = "with several parts; only one is read"
"""What the report calls a file of which one part was read."""


def read_corpus(bars: int) -> tuple[list[Tune], ImportReport]:
    """Phrases of so many bars of the public-domain books of music21's corpus.

    An upbeat that is written as the end of what was played before stays there, as in the tunes that
    the prior learned from and that the tables were measured on: one phrase of thirty has one.

    Raises:
        UserError: if the corpus is missing.
    """
    tunes: list[Tune] = []
    report = ImportReport()
    for name, content in book_sources(PUBLIC_DOMAIN_BOOKS):
        own, own_report = read_abc(decode_abc(content), name, Cutting(bars, moves_upbeats=False))
        tunes += own
        report += own_report
    return tunes, report


def read_sources(
    path: Path, cutting: Cutting, part: str | None = None
) -> tuple[list[Tune], ImportReport]:
    """Phrases of a file, or of a folder of them; arguments as for `read_tune_file`.

    Raises:
        UserError: if the source is missing or holds no usable tune.
    """
    return read_files(path, SUFFIXES, lambda file: read_tune_file(file, cutting, part), "tunes")


def read_tune_file(
    path: Path, cutting: Cutting, part: str | None = None
) -> tuple[list[Tune], ImportReport]:
    """Phrases of one file: of all tunes of ABC, of one part of any other.

    Args:
        path: of the file.
        cutting: how tunes become phrases.
        part: number, from 1 on, or name of the part; by default the first with notes.

    Raises:
        UserError: if the file cannot be read, or holds no usable tune or no such part.
    """
    suffix = path.suffix.lower()
    if suffix in ABC_SUFFIXES:
        require(part is None, f"{path} is ABC, of which the first voice is read; name no part")
        tunes, report = read_abc(decode_abc(read_limited(path)), path.name, cutting)
        require_usable(path, report)
        return tunes, report
    if suffix not in SUFFIXES:
        raise UserError(
            f"{path} is not a tune; known are files {', '.join(sorted(SUFFIXES))}"
            f"{export_advice(suffix)}"
        )
    try:
        played, parts, remarks = _read_played(path, cutting, part)
        leaves_rest = suffix in MIDI_SUFFIXES
        tune, dropped = tune_of(played, path.name, replace(cutting, leaves_rest=leaves_rest))
    except UnreadableTuneError as error:
        raise UserError(f"{path} cannot be used: {error}") from None
    except PolyphonicError as error:
        raise UserError(f"{path} {error}") from None
    dropped[SEVERAL_PARTS] = int(len(parts.names) > 1)
    remarks += [parts.remark] if parts.remark else []
    tune = replace(tune, remarks=(*remarks, *tune.remarks), parts=parts.names)
    return [tune], ImportReport(1, {}, dict(+dropped))


def _read_played(
    path: Path, cutting: Cutting, part: str | None
) -> tuple[PlayedTune, Parts, list[str]]:
    """A tune in MIDI, MusicXML or kern, and what its format cannot tell."""
    suffix = path.suffix.lower()
    if suffix in MIDI_SUFFIXES:
        return read_midi(path, part, is_whole=not cutting.takes_beginnings)
    read = read_kern if suffix == ".krn" else read_musicxml
    return *read(path, part), []


def read_abc(text: str, source: str, cutting: Cutting) -> tuple[list[Tune], ImportReport]:
    """Phrases of every tune of an ABC file's text.

    A tune of which no phrase can be taken is left out and counted with the reason.

    Args:
        text: of the file.
        source: the file's name.
        cutting: how tunes become phrases.
    """
    return read_tunes(text, lambda played, _: tune_of(played, source, cutting))
