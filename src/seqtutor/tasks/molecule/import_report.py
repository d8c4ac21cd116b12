"""Counts of the strings that an import read and dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

EXAMPLES = 3


@dataclass(frozen=True)
class ImportReport:
    """Counts of an import.

    Attributes:
        read: all strings, usable or not.
        dropped: number of dropped strings by reason; each string counts once.
        examples: by reason, the first few strings or tokens that were dropped.
    """

    read: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def usable(self) -> int:
        """Number of strings that were not dropped."""
        return self.read - sum(self.dropped.values())

    def with_dropped(self, reason: str, number: int, examples: Iterable[str] = ()) -> ImportReport:
        """The report with a number of strings dropped for the reason; zero changes nothing."""
        if not number:
            return self
        dropped = {**self.dropped, reason: self.dropped.get(reason, 0) + number}
        shown = tuple(islice((*self.examples.get(reason, ()), *examples), EXAMPLES))
        return ImportReport(self.read, dropped, {**self.examples, reason: shown})

    def lines(self) -> list[str]:
        """The counts as lines of text, the largest first."""
        lines = [f"{self.read:,} molecules read, {self.usable:,} used"]
        for reason, count in sorted(self.dropped.items(), key=lambda item: (-item[1], item[0])):
            shown = self.examples.get(reason)
            such_as = f", such as {', '.join(shown)}" if shown else ""
            lines.append(f"dropped: {count:,} {reason}{such_as}")
        return lines
