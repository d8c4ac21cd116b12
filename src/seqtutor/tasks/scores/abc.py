"""The parts of an ABC file: its tunes, and each tune's fields and music, repeats played out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.scores.abc_body import (
    BodyReader,
    UnreadableTuneError,
    default_unit,
    parse_meter,
    parse_unit,
)
from seqtutor.tasks.scores.abc_repeats import Measure, expand_repeats
from seqtutor.tasks.scores.keys import Key, parse_key_field

MAXIMUM_FILE_BYTES = 64 * 2**20

# A line of music may begin like a field: `G:|` and `c::` are notes before a repeat sign.
_FIELD_LINE = re.compile(r"([A-Za-z]):(?![|:])(.*)")
_MUSIC_FIELDS = "KLMV"
_TUNE_START = re.compile(r"^X:", re.MULTILINE)


@dataclass(frozen=True)
class PlayedTune:
    """A tune of an ABC file as it is played.

    Attributes:
        title: the first `T:` field, may be empty.
        key: `None` where the `K:` field names none.
        meter: numerator and denominator, or `None` for free metre.
        measures: in the order in which they are played; durations in ticks.
        noted: what was simplified; see `BodyReader`.
    """

    title: str
    key: Key | None
    meter: tuple[int, int] | None
    measures: Sequence[Measure]
    noted: frozenset[str]


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


def split_tunes(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the file header's metre and unit, and the lines of each tune up to an empty line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    parts = _TUNE_START.split(text)
    defaults = [line for line in parts[0].split("\n") if line.startswith(("M:", "L:"))]
    for part in parts[1:]:
        lines = part.split("\n")[1:]
        end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
        yield defaults, lines[:end]


def _without_text(lines: Sequence[str]) -> Iterator[str]:
    """The lines of a tune but for blocks of free text, and what continues a field of words."""
    is_text = False
    for line in lines:
        is_text = (is_text or line.startswith("%%begin")) and not line.startswith("%%end")
        if not is_text and not line.startswith("+:"):
            yield line


def play_tune(lines: Sequence[str]) -> PlayedTune:
    """Read the lines of one tune, as `split_tunes` gives them.

    Raises:
        UnreadableTuneError: if it has no key, or something in it makes no sense.
    """
    fields: dict[str, str] = {}
    body: list[str] = []
    for raw in _without_text(lines):
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
    measures = expand_repeats(reader.read("\n".join(body)))
    return PlayedTune(fields.get("T", ""), key, meter, measures, frozenset(reader.noted))
