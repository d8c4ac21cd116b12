"""What happened to each tune on its way in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

MOST_NAMED = 10
"""Dropped tunes that a report names; a corpus has thousands."""


@dataclass(frozen=True)
class ImportReport:
    """Counts of an import.

    Attributes:
        tunes_read: every tune that was met, usable or not.
        dropped: how many tunes were dropped, by reason. Each dropped tune counts once.
        noted: how many tunes were kept but changed or simplified, by what was done to them.
        skipped_files: files that could not be used at all, with the reason in one line.
        left_out: the first dropped tunes, by name, with the reason.
    """

    tunes_read: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    noted: Mapping[str, int] = field(default_factory=dict)
    skipped_files: tuple[tuple[str, str], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def usable(self) -> int:
        """How many tunes came through."""
        return self.tunes_read - sum(self.dropped.values())

    @property
    def reasons(self) -> str:
        """Why tunes were dropped, and how many, in words."""
        return ", ".join(f"{count} {reason}" for reason, count in self.dropped.items())

    def __add__(self, other: ImportReport) -> ImportReport:
        return ImportReport(
            self.tunes_read + other.tunes_read,
            dict(Counter(self.dropped) + Counter(other.dropped)),
            dict(Counter(self.noted) + Counter(other.noted)),
            self.skipped_files + other.skipped_files,
            (self.left_out + other.left_out)[:MOST_NAMED],
        )

    def within(self, file: str) -> ImportReport:
        """The same report with the file's name before those of the tunes."""
        return replace(self, left_out=tuple((f"{file}: {name}", w) for name, w in self.left_out))

    def names(self) -> list[str]:
        """The first dropped tunes and the skipped files as lines of text."""
        more = sum(self.dropped.values()) - len(self.left_out)
        lines = [f"left out: {name}: {reason}" for name, reason in self.left_out]
        lines += [f"left out: {more:,} more"] if self.left_out and more > 0 else []
        return lines + [f"skipped: {name}: {reason}" for name, reason in self.skipped_files]

    def lines(self) -> list[str]:
        """The counts as lines of text, most frequent first."""
        lines = [f"{self.tunes_read} tunes read, {self.usable} usable"]
        for label, counts in (("dropped", self.dropped), ("noted", self.noted)):
            ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            lines += [f"{label}: {count} {reason}" for reason, count in ordered]
        return lines + self.names()
