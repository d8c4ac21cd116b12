"""The molecules that a prior was trained on, at a byte each: a filter in the model's folder.

A Bloom filter (Bloom 1970) of `BITS_EACH` bits a molecule and k = 6 hashes contains all of its
molecules, and 2 % of all others by mistake, (1 − e^(−k/8))^k. So a policy can be kept away from the
training set without the set itself, which is some hundred times as large.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8

from seqtutor.errors import UserError
from seqtutor.files import atomic_write

FILE = "known.npy"
BITS_EACH = 8
HASHES = round(BITS_EACH * math.log(2))
"""The number with the fewest mistakes."""

_SMALLEST = 64


@dataclass(frozen=True, eq=False)
class KnownMolecules:
    """A set of canonical SMILES strings of which only membership can be asked.

    Attributes:
        table: the bits of the filter.
    """

    table: UInt8[np.ndarray, " bytes"]

    @classmethod
    def of(cls, smiles: Sequence[str]) -> KnownMolecules:
        """The filter of some strings."""
        size = max(_SMALLEST, math.ceil(len(smiles) * BITS_EACH / 8))
        table = np.zeros(size, np.uint8)
        for start in range(0, len(smiles), 100_000):
            bits = _bits(smiles[start : start + 100_000], 8 * size)
            np.bitwise_or.at(table, bits >> 3, np.uint8(1) << (bits & 7).astype(np.uint8))
        return cls(table)

    def contains(self, smiles: Sequence[str | None]) -> Bool[np.ndarray, " batch"]:
        """Whether each string is in the set, wrongly so for 2 % of others; `None` never is."""
        bits = _bits([one or "" for one in smiles], 8 * len(self.table))
        is_set = (self.table[bits >> 3] >> (bits & 7).astype(np.uint8)) & 1
        is_string = np.array([one is not None for one in smiles], bool)
        return np.all(is_set == 1, axis=1) & is_string

    def save(self, folder: Path) -> None:
        """Write the filter into a model's folder."""
        buffer = io.BytesIO()
        np.save(buffer, self.table, allow_pickle=False)
        atomic_write(folder / FILE, buffer.getvalue())


def _bits(strings: Sequence[str], size: int) -> Int[np.ndarray, "batch hashes"]:
    """The bits of each string: h₁ + i·h₂ (Kirsch & Mitzenmacher 2006, "Less hashing")."""
    digests = b"".join(hashlib.blake2b(s.encode(), digest_size=16).digest() for s in strings)
    first, second = np.frombuffer(digests, "<u8").reshape(-1, 2).T
    hashes = first[:, None] + np.arange(HASHES, dtype=np.uint64) * (second | np.uint64(1))[:, None]
    return (hashes % np.uint64(size)).astype(np.int64)


def known_in(folder: Path | None) -> KnownMolecules | None:
    """The molecules that the prior in a folder was trained on; `None` if it has no filter.

    Raises:
        UserError: if the filter cannot be read.
    """
    path = None if folder is None else folder / FILE
    if path is None or not path.is_file():
        return None
    try:
        table = np.load(path, allow_pickle=False)
        if table.dtype != np.uint8 or table.ndim != 1 or not len(table):
            raise ValueError("it holds something else")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    return KnownMolecules(table)
