"""What happened to tunes and tokens on their way into a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from seqtutor.tasks.scores.import_report import ImportReport


@dataclass(frozen=True)
class FolkReport:
    """Counts of a dataset; `tunes`, `tokens` and `sequences` are by part.

    Attributes:
        imported: tunes read and dropped.
        tokenisation: its name.
        vocabulary_size: token types of the dataset.
        rare_types: types that occur too seldom in training, or not at all.
        rare_occurrences: how many training tokens are of a rare type.
        replaced: how many tokens, of all parts, were replaced by the nearest that is kept.
        near_duplicates: how many tunes are settings of another one.
        tunes, tokens, sequences: how many there are for training, validation and test.
    """

    imported: ImportReport
    tokenisation: str
    vocabulary_size: int
    rare_types: int = 0
    rare_occurrences: int = 0
    replaced: int = 0
    near_duplicates: int = 0
    tunes: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    sequences: Mapping[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The counts, ready for JSON."""
        own = asdict(self)
        imported = own.pop("imported")
        return own | {
            "tunes_read": imported["tunes_read"],
            "dropped": imported["dropped"],
            "noted": imported["noted"],
            "skipped_files": len(imported["skipped_files"]),
        }

    def lines(self) -> list[str]:
        """The counts as lines of text; of sequences that were tokens already, what is known."""
        are_tunes = self.imported.tunes_read > 0
        rare = (
            f"{self.rare_types:,} types rare or unseen in training, {self.rare_occurrences:,} "
            "tokens there"
        )
        before, after = [], ""
        if are_tunes:
            duplicates = f"{self.near_duplicates:,} tunes are settings of another one"
            before = [*self.imported.lines(), f"{duplicates}; they are on its side"]
            if self.replaced:
                after = f"; {self.replaced:,} tokens of all parts replaced by the nearest kept one"
        return [
            *before,
            f"tokenisation {self.tokenisation}: {self.vocabulary_size:,} token types",
            rare + after,
            ", ".join(self._part(name, are_tunes) for name in self.sequences),
        ]

    def _part(self, name: str, are_tunes: bool) -> str:
        tunes = f"{self.tunes[name]:,} tunes, " if are_tunes else ""
        return f"{name} {tunes}{self.tokens[name]:,} tokens, {self.sequences[name]:,} sequences"
