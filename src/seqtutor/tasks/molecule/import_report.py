"""What happened to each string on its way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

EXAMPLES = 3


@dataclass(frozen=True)
class ImportReport:
    """Counts of an import.

    Attributes:
        read: every string that was met, usable or not.
        dropped: how many were dropped, by reason. Each dropped string counts once.
        examples: for a reason, the first few strings or tokens that it befell.
    """

    read: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def usable(self) -> int:
        """How many strings came through."""
        return self.read - sum(self.dropped.values())

    def with_dropped(self, reason: str, number: int, examples: Iterable[str] = ()) -> ImportReport:
        """The report with a number of strings dropped for the reason; zero changes nothing."""
        if not number:
            return self
        dropped = {**self.dropped, reason: self.dropped.get(reason, 0) + number}
        shown = tuple(islice((*self.examples.get(reason, ()), *examples), EXAMPLES))
        return ImportReport(self.read, dropped, {**self.examples, reason: shown})

    def lines(self) -> list[str]:
        """The counts as lines of text, most frequent first."""
        lines = [f"{self.read:,} molecules read, {self.usable:,} used"]
        for reason, count in sorted(self.dropped.items(), key=lambda item: (-item[1], item[0])):
            lines.append(f"dropped: {count:,} {reason}{self._shown(reason)}")
        return lines

    def _shown(self, reason: str) -> str:
        shown = self.examples.get(reason)
        return f", such as {', '.join(shown)}" if shown else ""
