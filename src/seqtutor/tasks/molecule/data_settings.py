"""Which molecules are learned from, and in which form. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seqtutor.settings import require, require_seed


@dataclass(frozen=True)
class MoleculeDataSettings:
    """How strings become training data."""

    column: str = "smiles"
    """Of a .csv or .tsv file: the column of the SMILES strings."""
    max_length: int = 56
    """Tokens of the longest string, the end token included; MOSES needs 55."""
    rarest: int = 5
    """Molecules with a token that occurs fewer times than this in all are dropped."""
    canonical: Literal["auto", "yes", "no"] = "auto"
    """Whether RDKit rewrites each string in its canonical form; auto: all but MOSES, which has it
    already."""
    stereo: bool = True
    """Keep chirality, the geometry of double bonds, and isotopes, where the data has them."""
    parent: bool = False
    """Keep of each molecule the largest organic part, without salts and solvents, and neutral where
    that can be."""
    limit: int | None = None
    """Read only so many molecules, drawn at random, for a quick look."""
    split_seed: int = 0
    """Of the split into training, validation and test, and of the limit's draw."""

    def __post_init__(self) -> None:
        require(
            2 <= self.max_length <= 10_000,
            f"max_length must lie between 2 and 10,000, not {self.max_length}",
        )
        require(self.rarest >= 0, f"rarest must not be negative, not {self.rarest}")
        require(self.limit is None or self.limit > 0, f"limit must be at least 1, not {self.limit}")
        require(
            self.canonical != "no" or (self.stereo and not self.parent),
            "leaving out stereo or salts rewrites the strings; it cannot go with --canonical no",
        )
        require_seed("split_seed", self.split_seed)
