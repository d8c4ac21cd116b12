"""The parts of a file of music, of which one is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtutor.errors import UserError

_MOST_NAMED = 12


@dataclass(frozen=True)
class Parts:
    """The parts that have notes, by name, and the place of the one that is read, from 0."""

    names: tuple[str, ...] = ("",)
    read: int = 0

    @property
    def listed(self) -> str:
        """The first ones with their numbers, as they can be asked for."""
        return ", ".join(f"{n} {name!r}" for n, name in enumerate(self.names[:_MOST_NAMED], 1))

    @property
    def remark(self) -> str:
        """Which one is read, and what the others are; empty of a single part."""
        if len(self.names) < 2:
            return ""
        others = [name for place, name in enumerate(self.names) if place != self.read]
        few = ", ".join(map(repr, others[:_MOST_NAMED]))
        few += ", …" if len(others) > _MOST_NAMED else ""
        verb = "the other is" if len(others) == 1 else "the others are"
        return f"reads {self.names[self.read]!r}; {verb} {few}"


def parts_of(path: Path, names: Sequence[str], wanted: str | None) -> Parts:
    """The parts of a file with the one that is to be read.

    Args:
        path: of the file.
        names: of the parts with notes; empty ones get their numbers for names.
        wanted: a number from 1 on, or a name or a part of one, in any case; by default the first.

    Raises:
        UserError: if there is no such part.
    """
    shown = tuple(" ".join(name.split()) or f"part {n}" for n, name in enumerate(names, 1))
    if wanted is None:
        return Parts(shown)
    word = " ".join(wanted.lower().split())
    if word.isdecimal() and 1 <= int(word[:6]) <= len(shown):
        return Parts(shown, int(word) - 1)
    lower = [name.lower() for name in shown]
    found = [place for place, name in enumerate(lower) if name == word]
    found = found or [place for place, name in enumerate(lower) if word and word in name]
    if found:
        return Parts(shown, found[0])
    raise UserError(f"{path} has no part {wanted!r}; it has {Parts(shown).listed}")
