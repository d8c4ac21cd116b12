"""Files of molecules: SMILES strings in lines or in a table, compressed or not."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from seqtutor.controls import Opening
from seqtutor.errors import UserError
from seqtutor.files import LARGEST_TEXT
from seqtutor.settings import require
from seqtutor.tasks.molecule.import_report import ImportReport
from seqtutor.tasks.molecule.tokens import find_fault, shortened, tokenise
from seqtutor.vocabulary import Vocabulary

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_LONGEST_FIELD = 1 << 20
_TABLES = (".csv", ".tsv")
_STRUCTURES = {".mol", ".mol2", ".pdb", ".cif"}
_NO_TEXT = {".xlsx", ".xls", ".ods", ".zip", ".bz2", ".xz", ".7z", ".svg", ".png", ".pdf"}
_NO_TEXT |= {".json", ".jsonl", ".parquet", ".feather", ".pkl", ".pickle", ".npz", ".h5", ".db"}
_RECORD_END = re.compile(r"^\$\$\$\$[^\n]*\n?", re.MULTILINE)
_DATA_FIELD = re.compile(
    r"^>[^\n<]*<([^>\n]+)>[^\n]*\n(.*?)(?:\n\n|\n?\Z)", re.MULTILINE | re.DOTALL
)
_COLUMN = "smiles"
_OTHER_COLUMNS = ("structure", "mol")
"""Headings that a column of SMILES strings has where none has the word SMILES."""
_SEPARATORS = re.compile(r"[\s,;]+")
"""None of them is part of a SMILES string; programs write each of them behind one."""
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
"""What text from pages and documents may hold and nobody sees."""
_PADDING = re.compile(r"\0+(?=[\s,;|]|\Z)")
"""Zero bytes behind a string, as of fixed fields; between its characters one is a fault."""
_EXTENDED = re.compile(r"(\S+)\s+\|.*\|")
"""A string with the extension of CXSMILES."""
_BEFORE_A_TABLE = re.compile(
    r"(?:[ \t]*\n|#(?![^\n]*smiles)[^\n]*\n|sep=[^\n][ \t]*\n)*", re.IGNORECASE
)
"""Comments, and the line by which Excel is told the separator."""
_NAME_COLUMNS = ("name", "id", "title", "identifier")


class Entry(NamedTuple):
    """One molecule of a file: the number of its line from 1 on, its string, its name, the rest."""

    line: int
    smiles: str
    name: str
    columns: Mapping[str, str] = {}
    fault: str = ""
    """Why there is no string, where the file has something else in its place."""
    heading: str = ""
    """Of the column that has the string, in a table with headings."""


def read_smiles_file(path: Path, column: str = "smiles") -> tuple[list[str], ImportReport]:
    """Read the strings of a file that are SMILES text, in order; see `read_entries`.

    Returns:
        The strings, and a report of the entries that were dropped.

    Raises:
        UserError: as `read_entries` does, or if no entry is SMILES text.
    """
    strings: list[str] = []
    faults: list[str] = []
    for entry in _entries(path, column):
        fault = entry.fault or find_fault(entry.smiles)
        if fault:
            faults.append(f"line {entry.line}: {shortened(entry.smiles, 40)}: {fault}")
        else:
            strings.append(entry.smiles)
    if not strings:
        raise UserError(f"{path} has no SMILES string ({faults[0]})")
    report = ImportReport(len(strings) + len(faults))
    return strings, report.with_dropped("no SMILES text", len(faults), faults)


def read_entries(path: Path, column: str = "smiles") -> list[Entry]:
    """Read every entry of a file, in order.

    A file whose name ends in `.csv` or `.tsv` (with or without `.gz`) is a table with a line of
    column names, separated by commas, semicolons, tabs or bars, perhaps after comments; without
    such a line, the first column is that of the strings. One whose name ends in `.sdf` has
    structures with data fields; a structure's string is what RDKit writes for it, whatever its
    fields say. Any other file has a SMILES string at the start of each
    line and, after white space, a comma or a semicolon, perhaps a name. Blank lines, lines that
    begin with # and a first line of headings are not entries.

    Args:
        path: of the file; gzip is recognised by its content.
        column: of a table; upper and lower case are the same. Without "smiles", the one heading
            that contains the word stands for it, and else "structure" or "mol".

    Raises:
        UserError: if the file cannot be read, lacks the column, or has no entry.
    """
    return list(_entries(path, column))


def _entries(path: Path, column: str) -> Iterator[Entry]:
    """The entries of a file one after the other: all columns of a large table take much memory."""
    text = read_text(path)
    kinds = {suffix.lower() for suffix in path.suffixes[-2:]}
    if kinds & set(_TABLES):
        entries = _rows(text, column, path)
    else:
        entries = iter(_structures(text)) if ".sdf" in kinds else _lines(text)
    first = next(entries, None)
    if first is None:
        raise UserError(f"{path} has no SMILES string")
    yield first
    yield from entries


def _lines(text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        smiles, name = [*_SEPARATORS.split(line.strip(), maxsplit=1), ""][:2]
        is_heading = number == 1 and _COLUMN in smiles.lower()
        if smiles and not smiles.startswith("#") and not is_heading:
            yield Entry(number, smiles, name.strip())


def _rows(text: str, column: str, path: Path) -> Iterator[Entry]:
    csv.field_size_limit(_LONGEST_FIELD)
    start = _BEFORE_A_TABLE.match(text)
    skipped = start.end() if start else 0
    text, before = text[skipped:], text.count("\n", 0, skipped)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        names = [name.strip() for name in next(rows, [])]
        lowered = [name.lower() for name in names]
        if column.lower() == _COLUMN and _COLUMN not in lowered:
            column = _heading_of_strings(lowered)
        every: Iterator[list[str]] = rows
        is_headed = True
        if column == _COLUMN and _COLUMN not in lowered and names and not find_fault(names[0]):
            first = next(rows, [""])
            if len(names) == 1 or not find_fault((first or [""])[0].strip()):
                # Strings from the first line on, without a heading, as in a file of lines.
                rest = {f"column_{place}": cell for place, cell in enumerate(names[1:], 2)}
                yield Entry(before + 1, names[0], "", rest)
                names = lowered = [_COLUMN, *rest]
                is_headed = False
            every = chain([first] if first != [""] else [], rows)
        if column.lower() not in lowered:
            require(any(names), f"{path} has no column of SMILES strings: it is empty")
            there = ", ".join(map(repr, names))
            raise UserError(f"{path} has no column {column!r}; name one of {there} with --column")
        # The exact name first: a table may have "smiles" and "SMILES".
        index = names.index(column) if column in names else lowered.index(column.lower())
        name_index = next((lowered.index(name) for name in _NAME_COLUMNS if name in lowered), None)
        distinct = _distinct(names)
        kept = [(place, one) for place, one in enumerate(distinct) if is_headed or place != index]
        heading = distinct[index] if is_headed else ""
        for row in every:
            if row:
                cells = [*row, *[""] * (len(names) - len(row))]
                name = "" if name_index is None else cells[name_index]
                rest = {own: cells[place] for place, own in kept}
                smiles = cells[index].strip()
                extended = _EXTENDED.fullmatch(smiles)
                line = before + rows.line_num
                smiles = extended[1] if extended else smiles
                yield Entry(line, smiles, name, rest, heading=heading)
    except csv.Error as error:
        raise UserError(f"{path} is not a table, at line {rows.line_num}: {error}") from None


def _heading_of_strings(lowered: list[str]) -> str:
    """The heading that stands for "smiles" where there is none, of several the canonical one."""
    named = [name for name in lowered if _COLUMN in name]
    canonical = [name for name in named if "canonical" in name]
    known = [one for one in _OTHER_COLUMNS if one in lowered]
    found = named if len(named) == 1 else canonical if len(canonical) == 1 else known
    return next(iter(found), _COLUMN)


def delimiter_of(path: Path) -> str | None:
    """What separates the columns of a table; `None` of a file that is none.

    Raises:
        UserError: as `read_text`.
    """
    kinds = {suffix.lower() for suffix in path.suffixes[-2:]}
    return _delimiter(read_text(path, is_quiet=True)) if kinds & set(_TABLES) else None


def _delimiter(text: str) -> str:
    start = _BEFORE_A_TABLE.match(text)
    heading = text[start.end() if start else 0 :].split("\n", 1)[0]
    return max(",;\t|", key=heading.count)


def _distinct(names: list[str]) -> list[str]:
    """The names of columns, without repetitions and empty ones."""
    found: list[str] = []
    for place, name in enumerate(names, start=1):
        own = name or f"column_{place}"
        found.append(f"{own}_{place}" if own in found else own)
    return found


def _structures(text: str) -> list[Entry]:
    """The records of a structure-data file: a title, a connection table, and data fields."""
    line = 1
    found: list[Entry] = []
    for record in _RECORD_END.split(text):
        table, end, data = record.partition("M  END")
        if end:
            fields = {name.strip(): value for name, value in _DATA_FIELD.findall(data)}
            smiles, fault = _smiles_of(f"{table.rstrip()}\n{end}\n")
            title = record.split("\n", 1)[0].strip()
            found.append(Entry(line, smiles, title, fields, fault))
        elif record.strip():
            fault = "this record has no structure: its line M  END is missing"
            found.append(Entry(line, "", record.split("\n", 1)[0].strip(), {}, fault))
        line += record.count("\n") + 1
    # A field may be missing in some.
    empty = dict.fromkeys((name for entry in found for name in entry.columns), "")
    return [entry._replace(columns={**empty, **entry.columns}) for entry in found]


def _smiles_of(table: str) -> tuple[str, str]:
    """RDKit's string for a connection table; or "", and why it cannot be read."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromMolBlock(table) or Chem.MolFromMolBlock(table, sanitize=False)
        if molecule is None:
            return "", "RDKit cannot read the structure of this record"
        smiles = Chem.MolToSmiles(molecule)
        return smiles, "" if smiles else "the structure of this record has no atom"


def read_text(path: Path, *, is_quiet: bool = False) -> str:
    """A whole file as text; gzip is recognised by its content.

    Any line ends are accepted; a byte order mark tells UTF-16 from UTF-8. What is neither is read
    in the code page of Windows's western languages, which the user is told: Excel writes it unless
    it is asked for UTF-8.

    Raises:
        UserError: if it cannot be read, is larger than `LARGEST_TEXT` once unpacked, or has the
            name of another kind of file.
    """
    kinds = {suffix.lower() for suffix in path.suffixes[-2:]}
    if kinds & (_STRUCTURES | _NO_TEXT):
        way = "give a text file, such as .smi or .csv"
        if kinds & _STRUCTURES:
            way = f"Open Babel converts it: obabel {path.name} -O molecules.smi"
        raise UserError(f"{path} is not a text file of SMILES strings; {way}")
    try:
        with path.open("rb") as file:
            is_packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            content = _limited(gzip.GzipFile(fileobj=file) if is_packed else file)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path} cannot be read: {reason}") from None
    if content is None:
        raise UserError(f"{path} holds more than {LARGEST_TEXT >> 20:,} MiB; split it")
    text = _decoded(content, path, is_quiet)
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    text = _PADDING.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decoded(content: bytearray, path: Path, is_quiet: bool) -> str:
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not is_quiet:
            _tell_of_code_page(path, content.count(b"\n", 0, error.start) + 1)
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        # Five bytes stand for nothing there; in Latin-1 each has a meaning.
        return content.decode("latin-1")


def _tell_of_code_page(path: Path, line: int) -> None:
    from seqtutor.runs.progress import console

    console.print(
        f"{path} is not in UTF-8 (line {line}): it is read as Windows-1252, which Excel writes as "
        "plain CSV; check names with accents, or save it as CSV UTF-8",
        style="yellow",
        highlight=False,
    )


def _limited(stream: io.BufferedIOBase) -> bytearray | None:
    """The whole stream, or `None` if it is too large: a small archive can hold gigabytes."""
    content = bytearray()
    while chunk := stream.read(_CHUNK):
        content += chunk
        if len(content) > LARGEST_TEXT:
            return None
    return content


def opening(given: str | Path, vocabulary: Vocabulary) -> Opening:
    """The beginning of a string, or the first string of a file: .smi, .txt, .csv, .tsv or .sdf.

    Raises:
        UserError: if it is not SMILES text of the vocabulary, or the file cannot be read.
    """
    text = given if isinstance(given, str) else _first_string(given)
    return Opening(vocabulary.encode(tokenise(text.strip())))


def _first_string(path: Path) -> str:
    first = read_entries(path)[0]
    if first.fault:
        raise UserError(f"{path}: {first.fault}")
    return first.smiles
