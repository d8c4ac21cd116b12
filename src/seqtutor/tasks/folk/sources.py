"""Where lead sheets come from: the user's own files, or the tunes that music21 carries."""

from __future__ import annotations

from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.folk.abc import read_abc, read_abc_file
from seqtutor.tasks.folk.midi import read_midi_file
from seqtutor.tasks.scores.abc import decode_abc
from seqtutor.tasks.scores.corpus import PUBLIC_DOMAIN_BOOKS, book_sources
from seqtutor.tasks.scores.files import ABC_SUFFIXES, MIDI_SUFFIXES, read_files, require_usable
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.lead_sheet import LeadSheet

SUFFIXES = ABC_SUFFIXES | MIDI_SUFFIXES


def read_sources(data: Path | None = None) -> tuple[list[LeadSheet], ImportReport]:
    """Read a file or folder, or music21's public-domain tunes where none is given.

    Raises:
        UserError: if the source is missing or holds no usable tune.
    """
    if data is None:
        return read_corpus()
    return read_files(data, SUFFIXES, read_lead_sheet_file, "tunes")


def read_lead_sheet_file(path: Path) -> tuple[list[LeadSheet], ImportReport]:
    """Read one file: all tunes of an ABC file, or a MIDI file's two parts.

    Raises:
        UserError: if the file cannot be read or holds no usable tune.
    """
    suffix = path.suffix.lower()
    if suffix in MIDI_SUFFIXES:
        return read_midi_file(path)
    if suffix in ABC_SUFFIXES:
        sheets, report = read_abc_file(path)
        require_usable(path, report)
        return sheets, report
    raise UserError(f"{path} is not a lead sheet; known are files {', '.join(sorted(SUFFIXES))}")


def read_corpus() -> tuple[list[LeadSheet], ImportReport]:
    """Read the public-domain books of music21's corpus: melodies without chord symbols.

    Raises:
        UserError: if the corpus is missing.
    """
    sheets: list[LeadSheet] = []
    report = ImportReport()
    for name, content in book_sources(PUBLIC_DOMAIN_BOOKS):
        of_file, file_report = read_abc(decode_abc(content), name)
        sheets += of_file
        report += file_report
    return sheets, report
