"""Which molecules a prior was trained on, in a byte each: a filter that comes beside the model.

A Bloom filter (Bloom 1970) of `BITS_EACH` bits a molecule and k = 6 hashes never misses a molecule
that is in it, and takes 2 % of all others for one, (1 − e^(−k/8))^k. So a policy can be kept from
the training set where the set itself, some hundred times as large, is not there.
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
from seqtutor.models.files import SavedModel

FILE = "known.npy"
BITS_EACH = 8
HASHES = round(BITS_EACH * math.log(2))
"""With which the fewest others are taken for known."""

_SMALLEST = 64


@dataclass(frozen=True, eq=False)
class KnownMolecules:
    """A set of canonical SMILES strings that can only be asked whether a string is in it.

    Attributes:
        table: the filter's bits.
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
        """Whether each string is in the set, in 2 % of cases wrongly; `None` is not."""
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


def known_to(prior: SavedModel) -> KnownMolecules | None:
    """The molecules that a prior was trained on; `None` if nothing beside it says so.

    Raises:
        UserError: if what says so cannot be read.
    """
    path = None if prior.folder is None else prior.folder / FILE
    if path is None or not path.is_file():
        return None
    try:
        table = np.load(path, allow_pickle=False)
        if table.dtype != np.uint8 or table.ndim != 1 or not len(table):
            raise ValueError("it holds something else")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    return KnownMolecules(table)
