"""Options of the molecules on which a prior is trained. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from seqtutor.settings import require, require_seed


@dataclass(frozen=True)
class MoleculeDataSettings:
    """How molecules become training sequences."""

    column: str = "smiles"
    """Column of the SMILES strings in a .csv or .tsv file."""
    max_length: int = 56
    """Tokens of the longest string, the end token included; MOSES needs 55."""
    rarest: int = 5
    """Molecules with a token that occurs fewer times than this in all of them are dropped."""
    canonical: Literal["auto", "yes", "no"] = "auto"
    """Whether RDKit rewrites each string in its canonical form; auto: all but MOSES, which has it
    already."""
    stereo: bool = True
    """Keep chirality, the geometry of double bonds, and isotopes, where the data have them."""
    parent: bool = False
    """Keep only the largest organic part of each molecule, without salts and solvents, neutralised
    where possible."""
    limit: int | None = None
    """Read only this many molecules, drawn at random, for a quick trial."""
    split_seed: int = 0
    """Seed of the split into training, validation and test, and of the draw of --limit."""

    def __post_init__(self) -> None:
        require(
            2 <= self.max_length <= 10_000,
            f"max_length must lie between 2 and 10,000, not {self.max_length}",
        )
        require(self.rarest >= 0, f"rarest must not be negative, not {self.rarest}")
        require(self.limit is None or self.limit > 0, f"limit must be at least 1, not {self.limit}")
        require(
            self.canonical != "no" or (self.stereo and not self.parent),
            "--no-stereo and --parent rewrite the strings; they cannot go with --canonical no",
        )
        require_seed("split_seed", self.split_seed)


@dataclass(frozen=True)
class MoleculeData:
    """Which molecules a prior is trained on, and in which form."""

    data: str = "nci"
    """"nci": the 4,999 molecules that come with RDKit; "moses": 1.6 million drug-like molecules,
    fetched once (see seqtutor data --help); or a file of your own: SMILES lines (.smi), or a table
    with column names (.csv, .tsv), gzipped or not."""
    form: Annotated[MoleculeDataSettings, tyro.conf.arg(name="")] = field(
        default_factory=MoleculeDataSettings
    )
