"""The Fréchet ChemNet distance between two sets of molecules (Preuer et al. 2018).

The network ChemNet maps each molecule to 512 activations. The distance is the squared Fréchet
distance between the normal distributions with the means and covariances of two sets. It is biased
upwards for small sets; compare sets of one size, 10,000 or more.

The network comes with the package `fcd_torch`, which MOSES uses, and needs PyTorch: the extra
`seqtutor[fcd]`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from seqtutor.errors import UserError

_BATCH = 256


@dataclass(frozen=True, eq=False)
class ChemNetStatistics:
    """The mean and covariance of a set's activations, which the distance is computed from."""

    mean: Float[np.ndarray, " activation"]
    covariance: Float[np.ndarray, "activation activation"]


def require_chemnet() -> None:
    """Raise a `UserError` that says how to install ChemNet, unless it is installed."""
    if importlib.util.find_spec("fcd_torch") is None:
        raise UserError(
            "the Fréchet ChemNet distance needs a network; install it: pip install 'seqtutor[fcd]'"
        )


def chemnet_statistics(smiles: Sequence[str]) -> ChemNetStatistics:
    """Run ChemNet on valid molecules, at some hundred a second.

    Raises:
        UserError: if `fcd_torch` is not installed, or there are fewer than two molecules.
    """
    require_chemnet()
    if len(smiles) < 2:
        raise UserError(f"the Fréchet ChemNet distance needs molecules, not {len(smiles)}")
    from fcd_torch import FCD

    found = FCD(device="cpu", n_jobs=1, batch_size=_BATCH).precalc(list(smiles))
    return ChemNetStatistics(np.asarray(found["mu"]), np.asarray(found["sigma"]))


def frechet_distance(one: ChemNetStatistics, other: ChemNetStatistics) -> float:
    """|m₁ − m₂|² + tr(S₁ + S₂ − 2 √(S₁S₂)), never negative."""
    # √(S₁S₂) has the trace of the symmetric √(√S₁ S₂ √S₁), which needs no complex numbers.
    values, vectors = np.linalg.eigh(one.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    common = np.linalg.eigvalsh(root @ other.covariance @ root)
    traces = np.trace(one.covariance) + np.trace(other.covariance)
    overlap = 2 * np.sqrt(np.maximum(common, 0.0)).sum()
    return max(0.0, float(np.square(one.mean - other.mean).sum() + traces - overlap))
