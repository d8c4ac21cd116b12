"""A user's own molecules: `.smi` and `.csv` files, compressed or not.

A line that cannot be used costs that line. It is counted and, for the first few, named.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.import_report import ImportReport
from seqtutor.tasks.molecule.text_files import read_text
from seqtutor.tasks.molecule.tokens import find_fault, shortened

_TABLES = (".csv", ".tsv")
_LONGEST_FIELD = 1 << 20


def read_smiles_file(path: Path, column: str = "smiles") -> tuple[list[str], ImportReport]:
    """Read the SMILES strings of a file.

    A file whose name ends in `.csv` or `.tsv` (with or without `.gz`) is a table with a line of
    column names, separated by commas, semicolons or tabs. Any other has a SMILES string at the
    start of each line and whatever it likes, such as a name, after a space; empty lines, lines that
    begin with #, and a heading "SMILES" do not count.

    Args:
        path: of the file; gzip is recognised by its content.
        column: of a table, whatever its case.

    Returns:
        The strings that are SMILES text, in their order, and what was dropped.

    Raises:
        UserError: if the file cannot be read, lacks the column, or has no usable line.
    """
    text = read_text(path)
    is_table = any(suffix.lower() in _TABLES for suffix in path.suffixes[-2:])
    lines = _of_table(text, column, path) if is_table else _of_lines(text)
    strings: list[str] = []
    bad: list[str] = []
    for number, string in lines:
        fault = find_fault(string)
        if fault is None:
            strings.append(string)
        else:
            bad.append(f"line {number}: {shortened(string, 40)}: {fault}")
    report = ImportReport(len(strings) + len(bad)).with_dropped("no SMILES text", len(bad), bad)
    if not strings:
        raise UserError(f"{path} has no SMILES string{f' ({bad[0]})' if bad else ''}")
    return strings, report


def _of_lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split(maxsplit=1)
        if not words or words[0].startswith("#"):
            continue
        if number == 1 and words[0].lower() == "smiles":
            continue
        yield number, words[0]


def _of_table(text: str, column: str, path: Path) -> Iterator[tuple[int, str]]:
    heading = text.split("\n", 1)[0]
    separator = max(",;\t", key=heading.count)
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        names = [name.strip() for name in next(rows, [])]
        index = _column_index(names, column, path)
        for row in rows:
            if row:
                yield rows.line_num, row[index].strip() if index < len(row) else ""
    except csv.Error as error:
        raise UserError(f"{path} is no table, at line {rows.line_num}: {error}") from None


def _column_index(names: list[str], column: str, path: Path) -> int:
    """The column of that name, else the first of that name in another case."""
    if column in names:
        return names.index(column)
    lowered = [name.lower() for name in names]
    if column.lower() in lowered:
        return lowered.index(column.lower())
    raise UserError(
        f"{path} has no column {column!r}; name one of {', '.join(map(repr, names))} with --column"
    )
