"""The data of the folk task, as options of its commands. Imports nothing heavy."""

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
    The options of tunes and tokens below then have no effect."""
    token_table: Path | None = None
    """The .json file with the meaning of the tokens of --sequences."""
    tokenisation: Literal["joint", "joint-transposed", "interleaved"] = "interleaved"
    """What a token is:
    - joint: all that begins at one moment, in melody and harmony, as published
    - joint-transposed: the same, with all tunes in C major or A minor
    - interleaved: one event of melody or harmony, with all tunes in C major or A minor
    """
    rare: Literal["map", "keep", "drop-tunes"] = "map"
    """What happens to rare tokens:
    - map: each is replaced by the nearest token that is frequent in the training tunes
    - keep: they are kept
    - drop-tunes: tunes with rare tokens are dropped before the split, as in the paper; few may be
      left
    """
    rare_below: int = 10
    """Tokens that occur fewer times than this are rare."""
    length: int = 100
    """Tokens in a sequence."""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of the tunes for training, validation and test."""
    split_seed: int = 0
    """Seed of the split, which keeps near-duplicates together."""

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
