"""The data of the tunes task, as options of its commands. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqtutor.settings import require, require_seed

JUDGED = 7738
"""Tunes of a policy that the judges need: as many as there are real phrases of eight bars."""
TOKENS_PER_BAR = 12
"""Tokens of a phrase at most, by its bars: 96 for eight. Less than one phrase in a hundred has
more."""


@dataclass(frozen=True)
class TunesData:
    """Which tunes are read, and how they become phrases.

    Sections between repeat signs and double bars are cut into phrases with their upbeats. Tunes are
    transposed to the white keys and split by tune, near-duplicates on one side.
    """

    data: Path | None = None
    """A file or folder of your own, of ABC, MIDI, MusicXML or kern; the public-domain tunes that
    come with music21 if not given."""
    bars: int = 8
    """Bars of a phrase."""
    rare_below: int = 5
    """Notes (pitch and length) that occur fewer times than this in the training tunes are rare;
    phrases with one are left out."""
    split_seed: int = 0
    """Seed of the split into training, validation and test."""

    def __post_init__(self) -> None:
        require_seed("--split-seed", self.split_seed)
        require(
            4 <= self.bars <= 32 and self.bars % 4 == 0,
            f"--bars must be 4, 8, 12 and so on up to 32, not {self.bars}",
        )
        require(self.rare_below >= 1, f"--rare-below must be at least 1, not {self.rare_below}")
