"""A reader under test, and what those of all formats share.

A seed is a folder: file names with their contents. A reader gets a folder in which one of the files
has been spoilt, and does with it what the commands do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Seed = dict[str, bytes]

MELODY = (14, 1, 16, 1, 18, 1, 19, 18, 16, 1, 14, 1, 21, 1, 0, 1) * 2

BOMB_BYTES = 1 << 31
"""What the hostile archives grow to."""

NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"99999999999999999999", b"4294967296", b"1/0", b".5")

JSON_WORDS = (*NUMBERS, b"null", b"true", b"[]", b"{}", b'"', b"[[[[", b'{"":', b"\\ud800")


@dataclass(frozen=True)
class Reader:
    """A reader under test.

    Attributes:
        name: for the table.
        seeds: make the files to start from.
        read: does with a folder what a command does; may raise nothing but a `UserError`.
        words: pieces of the format that mutations insert.
        command: the command line that reads such a folder, for the share of inputs that go through
            `seqtutor` itself.
    """

    name: str
    seeds: Callable[[], list[Seed]]
    read: Callable[[Path], object]
    words: tuple[bytes, ...] = ()
    command: Callable[[Path], list[str]] | None = None
    hostile: Callable[[], list[Seed]] = field(default=list)


def only_file(folder: Path) -> Path:
    """The folder's one file."""
    (path,) = folder.iterdir()
    return path


def files_of(folder: Path) -> Seed:
    """A folder as a seed."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
