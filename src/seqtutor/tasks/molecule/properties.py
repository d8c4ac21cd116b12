"""The properties of one molecule, each computed at most once and only when it is read.

The values are RDKit's own, bit for bit: `rdkit.Chem.Crippen.MolLogP`, `rdkit.Chem.QED.qed`, the
synthetic accessibility of `rdkit.Contrib.SA_Score`, and so on. Slow parts are shared instead of
repeated (see `seqtutor.tasks.molecule.fused`).
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property

import numpy as np
from jaxtyping import UInt8
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

from seqtutor.tasks.molecule import fused
from seqtutor.tasks.molecule.tokens import find_fault, tokenise

LARGEST_UNPENALISED_RING = 6
"""Rings of more atoms are hard to make and rare in drugs."""

FINGERPRINT_RADIUS = 2
FINGERPRINT_BITS = 1024
"""Those of the MOSES benchmark (Polykovskiy et al. 2020)."""

_SHOWN_PROBLEMS = 3

_fingerprints = rdFingerprintGenerator.GetMorganGenerator(
    radius=FINGERPRINT_RADIUS, fpSize=FINGERPRINT_BITS
)


class Molecule:
    """A valid molecule and its properties, each computed when it is first read.

    Attributes:
        rdkit: the molecule, not to be changed.
        source: the string that it was read from.
        smiles: RDKit's canonical SMILES string.
    """

    def __init__(self, molecule: Chem.Mol, source: str) -> None:
        self.rdkit = molecule
        self.source = source
        self.smiles: str = Chem.MolToSmiles(molecule)

    @cached_property
    def logp(self) -> float:
        """Octanol-water partition coefficient by Wildman & Crippen (1999)."""
        return rdMolDescriptors.CalcCrippenDescriptors(self.rdkit)[0]

    @cached_property
    def qed(self) -> float:
        """Drug-likeness, 0 to 1, by Bickerton et al. (2012); higher is better."""
        return fused.qed(self)

    @cached_property
    def sa(self) -> float:
        """Synthetic accessibility, 1 (easy) to 10, by Ertl & Schuffenhauer (2009)."""
        return fused.synthetic_accessibility(self)

    @cached_property
    def molecular_weight(self) -> float:
        """Average molecular weight in g/mol, hydrogens included."""
        return rdMolDescriptors._CalcMolWt(self.rdkit)

    @cached_property
    def tpsa(self) -> float:
        """Topological polar surface area in Å², by Ertl et al. (2000)."""
        return rdMolDescriptors.CalcTPSA(self.rdkit)

    @cached_property
    def donors(self) -> int:
        """Donors of hydrogen bonds."""
        return rdMolDescriptors.CalcNumHBD(self.rdkit)

    @cached_property
    def acceptors(self) -> int:
        """Acceptors of hydrogen bonds."""
        return rdMolDescriptors.CalcNumHBA(self.rdkit)

    @cached_property
    def rotatable_bonds(self) -> int:
        """Rotatable bonds, amides and the like not counted."""
        return rdMolDescriptors.CalcNumRotatableBonds(
            self.rdkit, rdMolDescriptors.NumRotatableBondsOptions.Strict
        )

    @cached_property
    def alerts(self) -> int:
        """Number of QED's 116 structural alerts that the molecule has."""
        return fused.structural_alerts(self)

    @cached_property
    def heavy_atoms(self) -> int:
        """Atoms other than hydrogen."""
        return self.rdkit.GetNumHeavyAtoms()

    @cached_property
    def ring_sizes(self) -> tuple[int, ...]:
        """Atoms in each ring of the smallest set of smallest rings, ties included."""
        return tuple(map(len, self.rdkit.GetRingInfo().AtomRings()))

    @cached_property
    def rings(self) -> int:
        """Number of rings."""
        return len(self.ring_sizes)

    @cached_property
    def largest_ring(self) -> int:
        """Atoms in the largest ring, 0 without rings."""
        return max(self.ring_sizes, default=0)

    @cached_property
    def excess_ring_atoms(self) -> int:
        """Atoms by which the largest ring exceeds six, never negative.

        The ring penalty of Gómez-Bombarelli et al. (2016), and of penalised logP after it, is this
        number; here a penalty is its negative.
        """
        return max(0, self.largest_ring - LARGEST_UNPENALISED_RING)

    @cached_property
    def formula(self) -> str:
        """Molecular formula in Hill's order."""
        return rdMolDescriptors.CalcMolFormula(self.rdkit)

    @cached_property
    def scaffold(self) -> str:
        """SMILES of the scaffold by Bemis & Murcko (1996), without stereo; empty without rings."""
        return MurckoScaffold.MurckoScaffoldSmiles(mol=self.rdkit)

    @cached_property
    def fingerprint(self) -> UInt8[np.ndarray, "bytes"]:
        """Morgan fingerprint of radius 2 in 1,024 bits (Rogers & Hahn 2010), eight bits a byte."""
        return np.packbits(_fingerprints.GetFingerprintAsNumPy(self.rdkit))


def parse(smiles: str) -> Molecule | None:
    """Read a SMILES string; `None` if it is not a molecule, as `why_invalid` explains.

    A string is valid if RDKit's sanitisation accepts it and it has an atom. RDKit also takes names
    and extensions after a space; here a space makes a string invalid.
    """
    if not smiles or not smiles.isascii() or not smiles.isprintable() or " " in smiles:
        return None
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is None or not molecule.GetNumAtoms():
            return None
        return Molecule(molecule, smiles)


def why_invalid(smiles: str) -> str:
    """In a few words, why a string that `parse` rejects is not a molecule."""
    fault = find_fault(smiles)
    if fault is not None:
        return f"no SMILES text: {fault}"
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, sanitize=False)
        if molecule is None:
            return _grammatical_fault(smiles)
        problems = Chem.DetectChemistryProblems(molecule)
    if not problems:
        return "RDKit does not accept it as a molecule"
    messages = [" ".join(problem.Message().split()).rstrip(".") for problem in problems]
    return "; ".join(messages[:_SHOWN_PROBLEMS])


def _grammatical_fault(smiles: str) -> str:
    """The mistake in the order of a string's tokens."""
    tokens = tokenise(smiles)
    depth = 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if depth < 0:
            return "a branch closes that was not opened"
    if depth:
        return "a branch is not closed"
    rings = Counter(int(token.strip("%()")) for token in tokens if token[0] in "0123456789%")
    unpaired = [ring for ring, times in rings.items() if times % 2]
    if unpaired:
        return f"ring bond {unpaired[0]} is not closed"
    return "its atoms, bonds and branches follow in no possible order"
