"""A fast reader of ABC files with many tunes, for what a melody needs of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqtutor.errors import UserError
from seqtutor.tasks.melody.abc_body import (
    BodyReader,
    UnreadableTuneError,
    default_unit,
    parse_meter,
    parse_unit,
)
from seqtutor.tasks.melody.abc_repeats import expand_repeats
from seqtutor.tasks.melody.import_report import ImportReport
from seqtutor.tasks.melody.keys import Key, estimate_key, mode_from_thirds, parse_key_field
from seqtutor.tasks.melody.timeline import timeline
from seqtutor.tasks.melody.tune import Tune

READER_VERSION = 1
"""Raised whenever the same text may give other tunes, so that caches notice."""
MAXIMUM_FILE_BYTES = 64 * 2**20

# A line of music may begin like a field: `G:|` and `c::` are notes before a repeat sign.
_FIELD_LINE = re.compile(r"([A-Za-z]):(?![|:])(.*)")
_MUSIC_FIELDS = "KLMV"
_TUNE_START = re.compile(r"^X:", re.MULTILINE)


@dataclass(frozen=True)
class AbcOptions:
    """How to read.

    Attributes:
        off_grid: what to do with a tune that has notes between the sixteenths (triplets,
            thirty-seconds): move them to the nearest sixteenth, or drop the tune.
        modes: "field" takes a `K:` without a mode as major, as the standard has it; "thirds"
            compares the minor with the major third, for files whose `K:` never tells the mode.
    """

    off_grid: Literal["quantise", "drop"] = "quantise"
    modes: Literal["field", "thirds"] = "field"


def read_abc(
    text: str, source: str, options: AbcOptions | None = None
) -> tuple[list[Tune], ImportReport]:
    """Read every tune of an ABC file's text, at its written pitch, repeats played out.

    A tune that cannot be read is left out and counted with the reason. Of several voices the
    first is taken, of chords the highest note; grace notes are left out.
    """
    options = options or AbcOptions()
    tunes: list[Tune] = []
    dropped: Counter[str] = Counter()
    noted: Counter[str] = Counter()
    index = -1
    for index, (defaults, lines) in enumerate(_split_tunes(text)):
        try:
            tune, changes = _read_tune(defaults + lines, source, index, options)
        except UnreadableTuneError as error:
            dropped[str(error)] += 1
        else:
            tunes.append(tune)
            noted.update(changes)
    return tunes, ImportReport(index + 1, dict(dropped), dict(noted))


def read_abc_file(
    path: Path, options: AbcOptions | None = None, source: str | None = None
) -> tuple[list[Tune], ImportReport]:
    """Read an ABC file; see `read_abc`.

    Raises:
        UserError: if the file cannot be opened or is larger than `MAXIMUM_FILE_BYTES`.
    """
    return read_abc(decode_abc(read_limited(path)), source or path.name, options)


def read_limited(path: Path) -> bytes:
    """Read a whole file of reasonable size.

    Raises:
        UserError: if the file cannot be opened or is larger than `MAXIMUM_FILE_BYTES`.
    """
    try:
        if path.stat().st_size > MAXIMUM_FILE_BYTES:
            raise UserError(f"{path} is larger than {MAXIMUM_FILE_BYTES >> 20} MiB; split it")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def decode_abc(content: bytes) -> str:
    """Decode as UTF-8, else as Latin-1, in which most older ABC files are written."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _split_tunes(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the file header's metre and unit, and the lines of each tune up to an empty line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    parts = _TUNE_START.split(text)
    defaults = [line for line in parts[0].split("\n") if line.startswith(("M:", "L:"))]
    for part in parts[1:]:
        lines = part.split("\n")[1:]
        end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
        yield defaults, lines[:end]


def _read_tune(
    lines: list[str], source: str, index: int, options: AbcOptions
) -> tuple[Tune, Counter[str]]:
    fields: dict[str, str] = {}
    body: list[str] = []
    for raw in lines:
        line = raw.partition("%")[0]
        match = _FIELD_LINE.match(line)
        if match is None:
            if "K" in fields:
                body.append(line.rstrip().removesuffix("\\"))
        elif "K" in fields:
            if match[1] in _MUSIC_FIELDS:
                body.append(f"[{match[1]}:{match[2].replace(']', ' ')}]")
        elif match[1] != "T" or "T" not in fields:
            fields[match[1]] = match[2].strip()
    if "K" not in fields:
        raise UnreadableTuneError("no key field")
    parsed = parse_key_field(fields["K"])
    if parsed is None:
        raise UnreadableTuneError("unreadable key")
    key, signature = parsed
    meter = parse_meter(fields.get("M", ""))
    unit = parse_unit(fields.get("L", "")) or default_unit(meter)

    reader = BodyReader(signature, meter, unit)
    played = timeline(expand_repeats(reader.read("\n".join(body))))
    if not played.notes:
        raise UnreadableTuneError("no notes")
    if played.moved and options.off_grid == "drop":
        raise UnreadableTuneError("notes off the sixteenth grid")
    if key is None:
        key = estimate_key(played.notes)
    elif options.modes == "thirds" and key.mode == "major":
        key = Key(key.tonic, mode_from_thirds(key.tonic, played.notes))
    tune = Tune(
        title=fields.get("T", ""),
        source=source,
        index=index,
        notes=played.notes,
        length=played.length,
        key=key,
        meter=meter,
        downbeats=played.downbeats,
    )
    changes = Counter({f"with {feature}": 1 for feature in reader.noted})
    if played.moved:
        changes["with notes moved to the grid"] = 1
        changes["notes moved to the grid"] = played.moved
        changes["notes merged into the one before"] = played.merged
    return tune, +changes
