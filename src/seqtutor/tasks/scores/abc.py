"""The parts of an ABC file: its tunes, and each tune's fields and music, repeats played out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from seqtutor.tasks.scores.abc_body import BodyReader
from seqtutor.tasks.scores.abc_fields import (
    default_unit,
    parse_key_field,
    parse_meter,
    parse_part_order,
    parse_tempo,
    parse_unit,
)
from seqtutor.tasks.scores.import_report import MOST_NAMED, ImportReport
from seqtutor.tasks.scores.measures import Measure, PlayedTune, UnreadableTuneError, has_notes
from seqtutor.tasks.scores.playing_order import in_order_of_parts, playing_order

# A line of music may begin like a field: `G:|` and `c::` are notes before a repeat sign.
_FIELD_LINE = re.compile(r"([A-Za-z]):(?![|:])(.*)")
_BODY_FIELDS = "IKLMPUV"
_HEADER_DEFAULTS = ("M:", "L:", "I:", "U:", "m:", "%%")
_TUNE_START = re.compile(r"^X:", re.MULTILINE)
_VOICE = re.compile(r"\[V:\s*([^\s\]]*)[^\]\n]*\]")
LONGEST_TUNE = 1 << 16
"""Characters of one tune; those of the longest melody have a few thousand."""
_UNREAD = {"m": "macros passed over", "s": "symbol lines passed over"}
"""Fields that may change what is played, and are only counted."""

Piece = TypeVar("Piece")


def decode_abc(content: bytes) -> str:
    """Decode as UTF-8, else as Latin-1, in which most older ABC files are written."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def split_tunes(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield what the file's header sets for all tunes, and each tune's lines to an empty line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not _TUNE_START.search(text):
        text = _begun(text)
    parts = _TUNE_START.split(text)
    header = _without_text(parts[0].split("\n"))
    defaults = [line for line in header if line.startswith(_HEADER_DEFAULTS)]
    for part in parts[1:]:
        lines = part.split("\n")[1:]
        end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
        yield defaults, lines[:end]


def _begun(text: str) -> str:
    """A text without `X:` at the start of a line, as pages and letters have tunes.

    Its lines are indented, or it is a single tune that begins with its first field.
    """
    lines = [line.strip() for line in text.split("\n")]
    if not any(map(_TUNE_START.match, lines)) and any(line.startswith("K:") for line in lines):
        first = next(place for place, line in enumerate(lines) if _FIELD_LINE.match(line))
        lines.insert(first, "X:1")
    return "\n".join(lines)


def _without_text(lines: Sequence[str]) -> Iterator[str]:
    """The lines of a tune but for blocks of free text, and what continues a field of words."""
    is_text = False
    for line in lines:
        is_text = (is_text or line.startswith("%%begin")) and not line.startswith("%%end")
        if not is_text and not line.startswith("+:"):
            yield line


class _Tune:
    """The fields of a tune's header, and its body with field lines as inline fields.

    Attributes:
        fields: the last of each kind before the key, but the first title.
        voices: what `V:` says in the header, by the voice's name.
        settings: directives and symbols that are set before the key, as inline fields.
        body: the music.
        noted: fields that are only counted.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.fields: dict[str, str] = {}
        self.voices: dict[str, str] = {}
        self.settings = ""
        self.noted: set[str] = set()
        body: list[str] = []
        for raw in _without_text(lines):
            line = raw.partition("%")[0]
            if raw.startswith("%%"):
                line = f"I:{raw[2:]}"
            match = _FIELD_LINE.match(line)
            in_body = "K" in self.fields
            if match is None:
                if in_body:
                    body.append(line.rstrip().removesuffix("\\"))
                continue
            name, value = match.groups()
            if name in _UNREAD:
                self.noted.add(_UNREAD[name])
            elif in_body and name in _BODY_FIELDS:
                body.append(_inline(name, value))
            elif not in_body:
                self._set(name, value)
        self.body = "\n".join(body)

    def _set(self, name: str, value: str) -> None:
        if name == "V":
            voice, _, staff = value.strip().partition(" ")
            self.voices[voice] = staff
        elif name in "IU":
            self.settings += _inline(name, value)
        elif name != "T" or "T" not in self.fields:
            self.fields[name] = value.strip()

    def texts_of_voices(self) -> Iterator[str]:
        """The music of each voice, the first first; what precedes all voices is the first's."""
        # Text, a name, text, a name, text …, as `re.split` gives them.
        start, *pieces = _VOICE.split(self.body)
        fields = [match[0] for match in _VOICE.finditer(self.body)]
        texts: dict[str, str] = {}
        for name, field, text in zip(pieces[::2], fields, pieces[1::2], strict=True):
            staff = _inline("V", f"{name} {self.voices[name]}") if name in self.voices else ""
            texts[name] = texts.get(name, staff) + field + text
        if not texts:
            # A tune without a voice of its own has the settings of the only one it names.
            staffs = [_inline("V", f"{name} {staff}") for name, staff in self.voices.items()]
            texts[""] = staffs[0] if len(staffs) == 1 else ""
        for place, text in enumerate(texts.values()):
            yield self.settings + (start if place == 0 else "") + text


def _inline(name: str, value: str) -> str:
    return f"[{name}:{value.replace(']', ' ')[:200]}]"


def read_tunes(
    text: str, piece_of: Callable[[PlayedTune, int], tuple[Piece, Counter[str]]]
) -> tuple[list[Piece], ImportReport]:
    """Read every tune of an ABC file's text.

    A tune that cannot be read is left out and counted with the reason.

    Args:
        text: of the file.
        piece_of: makes a piece of a tune and its place in the file, from 0, and says what was
            changed, by name; it may raise an `UnreadableTuneError`.
    """
    pieces: list[Piece] = []
    dropped: Counter[str] = Counter()
    noted: Counter[str] = Counter()
    left_out: list[tuple[str, str]] = []
    index = -1
    for index, (defaults, lines) in enumerate(split_tunes(text)):
        try:
            piece, changes = piece_of(play_tune(defaults + lines), index)
        except UnreadableTuneError as error:
            dropped[str(error)] += 1
            left_out.append((_title(lines) or f"tune {index + 1}", str(error)))
        else:
            pieces.append(piece)
            noted.update(changes)
    named = tuple(left_out[:MOST_NAMED])
    return pieces, ImportReport(index + 1, dict(dropped), dict(noted), left_out=named)


def _title(lines: Sequence[str]) -> str:
    """The first title among the lines of a tune that cannot be read."""
    titles = (line[2:].strip() for line in lines if line.startswith("T:"))
    return next(filter(None, titles), "")


def play_tune(lines: Sequence[str]) -> PlayedTune:
    """Read the lines of one tune, as `split_tunes` gives them.

    Of several voices the first that has notes and is not percussion is read.

    Raises:
        UnreadableTuneError: if it has no key, is far too long, or something in it makes no sense.
    """
    if sum(map(len, lines)) > LONGEST_TUNE:
        raise UnreadableTuneError("too long")
    tune = _Tune(lines)
    fields, noted = tune.fields, set(tune.noted)
    if "K" not in fields:
        raise UnreadableTuneError("no key field")
    key_field = parse_key_field(fields["K"])
    meter = parse_meter(fields.get("M", ""))
    unit = parse_unit(fields.get("L", ""))
    if unit is None and "L" in fields:
        noted.add("a field L: that is not a length")
    texts = list(tune.texts_of_voices())
    if len(texts) > 1:
        noted.add("voices")
    for text in texts:
        reader = BodyReader(dict(key_field.signature or {}), meter, unit or default_unit(meter))
        reader.set_staff(key_field.staff)
        written = reader.read(text)
        if has_notes(written) and not reader.is_percussion:
            break
    else:
        raise UnreadableTuneError("no notes")
    measures, assumed = _ordered(written, fields.get("P", ""))
    key = key_field.key
    return PlayedTune(
        title=fields.get("T", ""),
        key=None if key is None else key.transposed(reader.transposition_at_start),
        meter=reader.meter_at_start,
        measures=measures,
        noted=frozenset(noted | reader.noted | assumed),
        tempo=parse_tempo(fields.get("Q", ""), unit or default_unit(meter)),
    )


def _ordered(written: Sequence[Measure], parts: str) -> tuple[list[Measure], set[str]]:
    order = parse_part_order(parts)
    if order:
        return in_order_of_parts(written, order)
    played, noted = playing_order(written)
    return played, noted | ({"order of parts that is not understood"} if parts else set())
