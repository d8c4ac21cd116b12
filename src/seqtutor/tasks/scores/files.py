"""Pieces of music from a user's folder, whatever the kind of its files."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from seqtutor.errors import UserError
from seqtutor.files import read_regular
from seqtutor.tasks.scores.import_report import ImportReport

MIDI_SUFFIXES = frozenset({".mid", ".midi"})
ABC_SUFFIXES = frozenset({".abc"})
SCORE_SUFFIXES = frozenset({".musicxml", ".xml", ".mxl", ".krn"})
SUFFIXES = MIDI_SUFFIXES | ABC_SUFFIXES | SCORE_SUFFIXES
"""Of all files that the two tasks of melodies read."""
_PICTURES = frozenset({".pdf", ".png", ".jpg", ".jpeg", ".svg"})
_SOUNDS = frozenset({".mp3", ".wav", ".ogg", ".flac", ".m4a"})
MAXIMUM_FILE_BYTES = 64 * 2**20

Piece = TypeVar("Piece")


def export_advice(suffix: str) -> str:
    """How a file of another kind becomes one that can be read, after a semicolon, if that is known.

    Args:
        suffix: of the file, in lower case.
    """
    export = "MuseScore files are exported with File, Export, MusicXML"
    if suffix in (".mscz", ".mscx"):
        return f"; {export}"
    if suffix in _PICTURES:
        return f"; a picture of a score is not read: export what it was made from ({export})"
    if suffix in _SOUNDS:
        return "; a recording is not read: write the melody down, as MIDI for instance"
    if suffix in (".sib", ".musx", ".mus", ".gp", ".gp5", ".gpx", ".ly", ".cap", ".capx"):
        return "; export it as MusicXML in the program that made it"
    return ""


def read_files(
    path: Path,
    suffixes: Set[str],
    read_file: Callable[[Path], tuple[list[Piece], ImportReport]],
    what: str,
) -> tuple[list[Piece], ImportReport]:
    """Read every piece of a folder and its sub-folders, or of one file.

    In a folder, a file that cannot be used is skipped and reported with the reason.

    Args:
        path: of the folder or file.
        suffixes: of the files that are read in a folder.
        read_file: gives the pieces of a file, dataclasses with a field `source`.
        what: the pieces' name in messages, such as "melodies".

    Raises:
        UserError: if the path does not exist, holds no file of a known kind or no usable piece, or
            is a single file that cannot be used.
    """
    if path.is_file():
        return read_file(path)
    if not path.is_dir():
        raise UserError(f"{path} does not exist; give a file or folder of {what}")
    # A pipe would be waited for: only what is a file is read, and what claims to be and is not.
    known = (file for file in path.rglob("*") if file.suffix.lower() in suffixes)
    files = sorted(file for file in known if not (file.is_fifo() or file.is_socket()))
    if not files:
        raise UserError(f"{path} holds no {what}; known are files {', '.join(sorted(suffixes))}")
    pieces: list[Piece] = []
    report = ImportReport()
    for file in files:
        name = str(file.relative_to(path))
        try:
            of_file, file_report = read_file(file)
        except UserError as error:
            reason = str(error).removeprefix(f"{file} ")
            file_report = ImportReport(skipped_files=((name, reason),))
        else:
            pieces += [replace(cast(Any, piece), source=name) for piece in of_file]
            file_report = file_report.within(name)
        report += file_report
    if not pieces:
        name, reason = report.skipped_files[0]
        raise UserError(
            f"none of the {len(files)} files in {path} can be used; the first, {name}: {reason}"
        )
    return pieces, report


def read_limited(path: Path) -> bytes:
    """Read a whole file of reasonable size.

    Raises:
        UserError: if the file cannot be opened, is not a regular file, or is larger than
            `MAXIMUM_FILE_BYTES`.
    """
    try:
        return read_regular(path, MAXIMUM_FILE_BYTES)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise UserError(f"{path} cannot be read: {error}; split what is too large") from None


def require_usable(path: Path, report: ImportReport) -> None:
    """Raise a `UserError` with the reasons unless a tune of an ABC file came through."""
    if not report.usable:
        is_empty = not path.stat().st_size
        missing = (
            "the file is empty" if is_empty else "no X: field, with which a tune of ABC begins"
        )
        raise UserError(f"{path} holds no usable tune ({report.reasons or missing})")
