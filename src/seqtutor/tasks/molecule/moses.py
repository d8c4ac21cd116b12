"""The MOSES set: drug-like molecules of ZINC, with its own test sets and their statistics.

Polykovskiy et al., Molecular Sets (MOSES), Frontiers in Pharmacology 11 (2020). The package molsets
carries 1,584,663 strings for training, 176,074 for testing and 176,225 with scaffolds that do not
occur in training. Its wheel is read as it is; it need not be installed.
"""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.moses_wheel import require_wheel

Split = Literal["train", "test", "test_scaffolds"]
TestSplit = Literal["test", "test_scaffolds"]

_FOLDER = "moses/dataset/data"
_ALLOWED = (
    "collections.Counter",
    "numpy.ndarray",
    "numpy.dtype",
    "numpy._core.multiarray._reconstruct",
    "_codecs.encode",
)


@dataclass(frozen=True)
class MosesStatistics:
    """Statistics of a test set that its authors computed once, for comparing generated molecules.

    Attributes:
        chemnet_mean: `Float["512"]`, mean activations of ChemNet.
        chemnet_covariance: `Float["512 512"]`, their covariance.
        fingerprints: `UInt8["molecules 1024"]`, Morgan fingerprints of radius 2 as zeros and ones.
        scaffolds: how often each Bemis–Murcko scaffold occurs.
    """

    chemnet_mean: Float[np.ndarray, " features"]
    chemnet_covariance: Float[np.ndarray, "features features"]
    fingerprints: UInt8[np.ndarray, "molecules bits"]
    scaffolds: Counter[str]


def read_strings(split: Split, wheel: Path | None = None) -> list[str]:
    """The SMILES strings of a part, as MOSES wrote them (RDKit's canonical form, no stereo).

    Raises:
        UserError: if the wheel has not been fetched yet or cannot be read.
    """
    text = gzip.decompress(_read(f"{split}.csv.gz", wheel)).decode("ascii")
    heading, *strings = text.split()
    if heading != "SMILES":
        raise UserError(f"the MOSES {split} set has the column {heading!r} where SMILES should be")
    return strings


def read_statistics(split: TestSplit = "test", wheel: Path | None = None) -> MosesStatistics:
    """The statistics of a test set. Takes some seconds, and 200 MB, most of it fingerprints.

    Raises:
        UserError: if the wheel has not been fetched yet or cannot be read.
    """
    content = _read(f"{split}_stats.npz", wheel)
    with zipfile.ZipFile(io.BytesIO(content)) as arrays, arrays.open("stats.npy") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        found: dict[str, Any] = _NumbersOnly(file).load().item()
    return MosesStatistics(
        chemnet_mean=found["FCD"]["mu"],
        chemnet_covariance=found["FCD"]["sigma"],
        fingerprints=found["SNN"]["fps"],
        scaffolds=found["Scaf"]["scaf"],
    )


def _read(name: str, wheel: Path | None) -> bytes:
    path = wheel or require_wheel()
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(f"{_FOLDER}/{name}")
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"the MOSES wheel {path} cannot be read: {error}") from None


class _NumbersOnly(pickle.Unpickler):
    """Reads arrays and counters, and refuses to call anything else that a pickle may name."""

    def find_class(self, module: str, name: str) -> Any:
        """One of the few names that the statistics need."""
        # NumPy 2 renamed the module that older pickles name.
        module = module.replace("numpy.core.", "numpy._core.")
        if f"{module}.{name}" not in _ALLOWED:
            raise UserError(f"the statistics name {module}.{name}, not an array or a counter")
        return super().find_class(module, name)
