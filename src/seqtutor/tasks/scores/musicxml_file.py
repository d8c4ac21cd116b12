"""What is in a file of MusicXML: its title, and the measures of each part as elements."""

from __future__ import annotations

import io
import posixpath
import re
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.tasks.scores.files import MAXIMUM_FILE_BYTES, read_limited

_CONTAINER = "META-INF/container.xml"
MOST_TAGS = 1 << 21
"""Beginnings and ends of elements, of which a note has about twenty."""
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, ValueError, LookupError),
    *(NotImplementedError, RuntimeError, EOFError, OSError),
)
"""What XML and archives raise that are not what they should be."""


def read_root(path: Path) -> ET.Element:
    """The root element of a file, compressed or not.

    Raises:
        UserError: if it cannot be read, is not MusicXML, or unpacks to too much.
    """
    content = read_limited(path)
    try:
        if content.startswith(b"PK"):
            content = _unpacked(path, content)
        if content.count(b"<") > MOST_TAGS:
            raise UserError(f"{path} has more than {MOST_TAGS:,} tags; split it")
        root = ET.fromstring(content)
    except ET.ParseError as error:
        line, column = error.position
        raise UserError(
            f"{path} is not a readable score: it is no XML from line {line}, character "
            f"{column + 1} on; export it as MusicXML again"
        ) from None
    except _DAMAGED:
        raise UserError(
            f"{path} is not a readable score: it is damaged or something else; export it as "
            "MusicXML again"
        ) from None
    if root.tag not in ("score-partwise", "score-timewise"):
        raise UserError(f"{path} is not MusicXML: its first element is {root.tag[:40]!r}")
    return root


def _unpacked(path: Path, content: bytes) -> bytes:
    """The score in a compressed file, which can grow from kilobytes to gigabytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAXIMUM_FILE_BYTES:
            raise UserError(f"{path} unpacks to more than {MAXIMUM_FILE_BYTES >> 20} MiB")
        return archive.read(_name_of_score(archive))


def _name_of_score(archive: zipfile.ZipFile) -> str:
    """The file that the container names first, else the first that looks like a score."""
    names = archive.namelist()
    if _CONTAINER in names:
        container = ET.fromstring(archive.read(_CONTAINER))
        for element in container.iter():
            if (name := posixpath.normpath(element.get("full-path", ""))) in names:
                return name
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF/"):
            return name
    raise LookupError("the archive holds no score")


def title_of(root: ET.Element) -> str:
    """The name of the work or its movement, or nothing."""
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    return " ".join(title.split())


def tempo_of(root: ET.Element) -> float | None:
    """Quarter notes a minute in the first measure, for those who play the score."""
    first = root.find(".//measure")
    for sound in [] if first is None else first.iter("sound"):
        if re.fullmatch(r"\d{1,4}(\.\d{1,6})?", sound.get("tempo", "")):
            return float(sound.get("tempo", "")) or None
    return None


def measures_of_parts(root: ET.Element) -> Iterator[tuple[str, list[ET.Element]]]:
    """The name and the measures of each part, whether the file has them by part or by time."""
    names = {
        one.get("id", ""): one.findtext("part-name") or ""
        for one in root.iterfind("part-list/score-part")
    }
    if root.tag == "score-partwise":
        for part in root.iterfind("part"):
            yield names.get(part.get("id", ""), ""), part.findall("measure")
        return
    by_part: dict[str, list[ET.Element]] = {}
    for measure in root.iterfind("measure"):
        for part in measure.iterfind("part"):
            by_part.setdefault(part.get("id", ""), []).append(part)
    yield from ((names.get(name, ""), measures) for name, measures in by_part.items())
