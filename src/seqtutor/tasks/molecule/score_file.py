"""Every string of a file with its name, whether or not it is a molecule."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.text_files import read_text

_TABLES = (".csv", ".tsv")
_NAME_COLUMNS = ("name", "id", "title", "identifier")
_LONGEST_FIELD = 1 << 24


@dataclass(frozen=True)
class Entry:
    """A line of a file: its number from 1 on, the string, and what the file calls it."""

    line: int
    smiles: str
    name: str


def read_entries(path: Path, column: str = "smiles") -> list[Entry]:
    """Read every entry of a file, in order.

    A name that ends in `.csv` or `.tsv` is a table with a line of column names; any other file has
    a SMILES string first in each line, and a name after a space. Either may be gzipped. Empty
    lines are no entries, nor are those that begin with #, or a first line that says "smiles".

    Raises:
        UserError: if the file cannot be read, has no such column, or no entry.
    """
    text = read_text(path)
    suffixes = {suffix.lower() for suffix in path.suffixes[-2:]}
    entries = list(_rows(text, column, path) if suffixes & {*_TABLES} else _lines(text))
    if not entries:
        raise UserError(f"{path} holds no SMILES string")
    return entries


def _lines(text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        smiles, _, name = line.strip().replace("\t", " ", 1).partition(" ")
        is_heading = number == 1 and smiles.lower() == "smiles"
        if smiles and not smiles.startswith("#") and not is_heading:
            yield Entry(number, smiles, name.strip())


def _rows(text: str, column: str, path: Path) -> Iterator[Entry]:
    heading = text.split("\n", 1)[0]
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=heading.count))
    try:
        columns = [name.strip().lower() for name in next(rows, [])]
        if column.lower() not in columns:
            raise UserError(
                f"{path} has no column {column!r}; name one of {', '.join(columns)} with --column"
            )
        index = columns.index(column.lower())
        name_index = next((columns.index(name) for name in _NAME_COLUMNS if name in columns), None)
        for row in rows:
            if row:
                cells = [*row, *[""] * (len(columns) - len(row))]
                name = "" if name_index is None else cells[name_index]
                yield Entry(rows.line_num, cells[index].strip(), name)
    except csv.Error as error:
        raise UserError(f"{path} is no table, at line {rows.line_num}: {error}") from None
