"""Molecules for tests: real ones that RDKit carries, and hard cases."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rdkit import RDConfig

HARD_AND_VALID = (
    "[Na+].[Cl-]",
    "CC(=O)[O-].[Na+]",
    "C[N+](C)(C)CC([O-])=O",
    "C[C@H](N)C(=O)O",
    "C[CH](N)C(=O)O",
    "F/C=C/F",
    "F/C=C\\F",
    "C1C[C@H](C)[CH](C)[C@H](C)C1",
    "[2H]C([2H])([2H])O",
    "[H][H]",
    "[H+]",
    "[H-].[Na+]",
    "[H]OC([H])([H])C",
    "[13CH4]",
    "[15NH3]",
    "*c1ccccc1",
    "C[Si](C)(C)Cl",
    "[nH]1cccc1",
    "c1cc[se]c1",
    "N->[Cu]",
    "O=O.C=C",
    "C1CC2CC1C1(CCCCCCCCC1)C2SC#N",
    "[O-]C(=O)c1cc([N+](=O)[O-])cc2[nH]c(Br)nc12.[Na+]",
    "C1%10CC%10CCCCCCCCC1",
    "C1=CC=CC=C1",
    "OC1=C(O)C=C2C(=C1)OC3=CC(=O)C(=CC3=C2C4=CC=CC=C4)O",
    "[U]",
    "C" * 1000,
    "C(F)(F)" * 142 + "CCCCCC",
    "c1ccc(cc1)" * 100,
)

HARD_AND_INVALID = {
    "": "no SMILES text: it is empty",
    "C(C)(C)(C)(C)C": "Explicit valence for atom # 0 C, 5, is greater than permitted",
    "c1cccc1": "Can't kekulize mol. Unkekulized atoms: 0 1 2 3 4",
    "cc": "non-ring atom 0 marked aromatic",
    "C1CC": "ring bond 1 is not closed",
    "C%12CC%(13)C%12": "ring bond 13 is not closed",
    "CC(C": "a branch is not closed",
    "CC)C": "a branch closes that was not opened",
    "C==C": "its atoms, bonds and branches follow in no possible order",
    "[Xx]": "its atoms, bonds and branches follow in no possible order",
    "CÉ": "no SMILES text: character 2 is 'É'",
    "C\udcffC": "no SMILES text: character 2 is '\\udcff'",
    "C C": "no SMILES text: character 2 is ' '",
    "C\0C": "no SMILES text: character 2 is '\\x00'",
    "C" * 999 + "(": "a branch is not closed",
    "N" * 999 + "(=O)(=O)=O": "Explicit valence for atom # 998 N, 7, is greater than permitted",
}


@cache
def real_molecules() -> tuple[str, ...]:
    """The 4,999 strings of the file that RDKit carries; not all of them are valid for it."""
    path = Path(RDConfig.RDDataDir, "NCI", "first_5K.smi")
    return tuple(line.split()[0] for line in path.read_text().splitlines())
