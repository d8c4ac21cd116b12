"""Molecules as RDKit writes them, so that each has one string."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from seqtutor.errors import UserError
from seqtutor.machine import usable_cores
from seqtutor.workers.pool import WorkerPool
from seqtutor.workers.worker import Failure

CHUNK = 10_000
"""Strings between two reports of progress: some seconds on one core."""


def require_rdkit() -> None:
    """Raise a `UserError` that says how to install RDKit, unless it is installed."""
    if importlib.util.find_spec("rdkit") is None:
        raise UserError("molecules need RDKit; install it: pip install 'seqtutor[molecule]'")


@dataclass(frozen=True)
class Form:
    """Which parts of a molecule are written.

    Attributes:
        stereo: chirality, the geometry of double bonds, and isotopes.
        parent: only the largest organic part, neutralised where adding or removing protons is
            enough.
    """

    stereo: bool = True
    parent: bool = False


def canonical_smiles(smiles: str, form: Form = Form()) -> str | Failure:
    """RDKit's canonical SMILES of a molecule, or the reason why the string is not one."""
    from rdkit import Chem

    from seqtutor.tasks.molecule.properties import parse, why_invalid

    molecule = parse(smiles)
    if molecule is None:
        return Failure(why_invalid(smiles))
    if form == Form():
        return molecule.smiles
    kept = _parent(molecule.rdkit) if form.parent else molecule.rdkit
    canonical: str = Chem.MolToSmiles(kept, isomericSmiles=form.stereo)
    return canonical


def are_valid(strings: Sequence[str]) -> list[bool]:
    """Which strings are molecules; many are looked at by several processes.

    Raises:
        UserError: if RDKit is not installed, or the processes cannot start.
    """
    require_rdkit()
    several = len(strings) > CHUNK
    found = canonicalise(strings) if several else map(canonical_smiles, strings)
    return [isinstance(one, str) for one in found]


def _parent(molecule: Any) -> Any:
    from rdkit import rdBase
    from rdkit.Chem.MolStandardize import rdMolStandardize

    with rdBase.BlockLogs():
        largest = rdMolStandardize.LargestFragmentChooser(preferOrganic=True).choose(molecule)
        return rdMolStandardize.Uncharger().uncharge(largest)


def canonicalise(
    strings: Sequence[str],
    form: Form = Form(),
    workers: int | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[str | Failure]:
    """RDKit's canonical SMILES of each string, or the reason why it is not a molecule.

    RDKit reads and writes some thousands of molecules a second and core, so the work is spread over
    processes. A crash or a hang costs the string at which it happened.

    Args:
        strings: SMILES text.
        form: which parts of each molecule are written.
        workers: processes; by default one for each core.
        on_progress: called with the number of strings that are done.

    Raises:
        UserError: if RDKit is not installed, or the processes cannot start.
    """
    require_rdkit()
    results: list[str | Failure] = []
    with WorkerPool(partial(canonical_smiles, form=form), workers or usable_cores()) as pool:
        starts = range(0, len(strings), CHUNK)
        for future in [pool.submit(strings[start : start + CHUNK]) for start in starts]:
            results += future.result()
            on_progress(len(results))
    return results
