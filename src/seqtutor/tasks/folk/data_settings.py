"""Which tunes are learned from, and in which form. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqtutor.settings import require, require_seed


@dataclass(frozen=True)
class FolkDataSettings:
    """How tunes with chords become training data."""

    data: Path | None = None
    """A file or folder of your own (ABC with chord symbols, MIDI with a melody and a chord track);
    the public-domain tunes that come with music21 if not given."""
    sequences: Path | None = None
    """Sequences that are tokens already: an .npz file with the integer arrays `train` and `valid`.
    What is said of tunes and tokens below then plays no part."""
    token_table: Path | None = None
    """The .json file that says what the tokens of --sequences mean."""
    tokenisation: Literal["joint", "joint-transposed", "interleaved"] = "joint"
    """joint: one token for each moment at which melody or harmony begins something, as published;
    joint-transposed: the same, all tunes in C major or A minor; interleaved: melody and chords as
    tokens of their own, all tunes in C major or A minor."""
    rare: Literal["map", "keep", "drop-tunes"] = "map"
    """Tokens seen too seldom. map: each becomes the nearest of those that the training tunes have
    often enough; keep: all stay; drop-tunes: the tunes that have any are dropped before the split
    (the paper's way; it can leave few)."""
    rare_below: int = 10
    """How often a token must occur not to be rare."""
    length: int = 100
    """Tokens in a sequence."""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Of the tunes, for training, validation and test."""
    split_seed: int = 0
    """Of the split, which keeps near-duplicates together."""
    use_cache: bool = True
    """Whether the tunes that come with music21 are kept on disk once they are read."""

    def __post_init__(self) -> None:
        require(self.length >= 1, f"--length must be at least 1, not {self.length}")
        require(self.rare_below >= 1, f"--rare-below must be at least 1, not {self.rare_below}")
        require(
            all(share >= 0 for share in self.fractions)
            and self.fractions[0] > 0
            and math.isclose(sum(self.fractions), 1, abs_tol=1e-6),
            "--fractions must be three numbers that add up to 1, none of them negative and the "
            f"first above 0; got {' '.join(f'{share:g}' for share in self.fractions)}",
        )
        require(
            (self.sequences is None) == (self.token_table is None),
            "--sequences and --token-table go together; give both or none",
        )
        require(
            self.sequences is None or self.data is None,
            "--data and --sequences exclude each other; give one of them",
        )
        require_seed("split_seed", self.split_seed)
