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
        """The counts as lines of text."""
        lines = self.imported.lines() if self.imported.tunes_read else []
        parts = ", ".join(
            f"{name} {self.tunes[name]} tunes, {self.tokens[name]} tokens, {count} sequences"
            for name, count in self.sequences.items()
        )
        return [
            *lines,
            f"{self.near_duplicates} tunes are settings of another one; they are on its side",
            f"tokenisation {self.tokenisation}: {self.vocabulary_size} token types",
            f"{self.rare_types} types rare or unseen in training, {self.rare_occurrences} tokens "
            f"there; {self.replaced} tokens of all parts replaced by the nearest kept one",
            parts,
        ]
