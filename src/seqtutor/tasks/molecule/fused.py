"""RDKit's slow descriptors, the same to the last bit, from properties computed before.

`QED.qed` copies the molecule, so that logP, surface area and rings are computed anew; it matches
every structural alert, and its eleven acceptor patterns one by one. The synthetic accessibility of
`SA_Score` spends most of its time on naming stereocentres that it only counts. Here logP is
computed once, the acceptors are two patterns, alerts that cannot match are left out, and
stereocentres are counted: `benchmarks/molecule_scoring.py` prints what that saves.

Molecules with explicit hydrogen atoms ([2H], [H+]), which QED removes, go to RDKit's functions; and
so do all if a comparison at the start shows that this version of RDKit computes otherwise.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING

from rdkit import Chem
from rdkit.Chem import QED, rdMolDescriptors
from rdkit.Contrib.SA_Score import sascorer

from seqtutor.tasks.molecule.alerts import AlertCounter

if TYPE_CHECKING:
    from seqtutor.tasks.molecule.properties import Molecule

_HYDROGEN_ATOM = re.compile(r"\[\d*H")
_STEREO = frozenset("@/\\")
_MOST_ATOMS = 1000
"""RDKit gives at most this many matches of a pattern."""

# QED's acceptors, each with its form as an alternative in one pattern. No atom fits two
# alternatives of one list: they differ in element, aromaticity or degree.
_NEUTRAL_ACCEPTORS = {
    "[oH0;X2]": "o&H0&X2",
    "[OH1;X2;v2]": "O&H1&X2&v2",
    "[OH0;X2;v2]": "O&H0&X2&v2",
    "[OH0;X1;v2]": "O&H0&X1&v2",
    "[SH0;X2;v2]": "S&H0&X2&v2",
    "[SH0;X1;v2]": "S&H0&X1&v2",
    "[nH0;X2]": "n&H0&X2",
    "[NH0;X1;v3]": "N&H0&X1&v3",
    "[$([N;+0;X3;v3]);!$(N[C,S]=O)]": "N&+0&X3&v3&!$(N[C,S]=O)",
}
_NEGATIVE_ACCEPTORS = {"[O-;X1]": "O&-&X1", "[S-;X1]": "S&-&X1"}

_REFERENCES = (
    "CC(C)Cc1ccc(cc1)[CH](C)C(=O)O",
    "O=C1C=CC(=O)C=C1N=[N+]=[N-]",
    "C1CC2CC1C1(CCCCCCCCC1)C2SC#N",
    "[O-]C(=O)c1cc([N+](=O)[O-])cc2[nH]c(Br)nc12.[Na+]",
    "CN1CCC[C@H]1c1cccnc1OP(=S)(OC)OC",
    "c1ccc2c(c1)ccc1c2ccc2ccccc21",
    "C",
)


def qed(molecule: Molecule) -> float:
    """The value of `rdkit.Chem.QED.qed`."""
    if _agrees() and _is_plain(molecule) and _can_be_kekulised(molecule):
        return _qed(molecule)
    return QED.qed(molecule.rdkit)


def synthetic_accessibility(molecule: Molecule) -> float:
    """The value of `sascorer.calculateScore`."""
    if _agrees() and Chem.GetUseLegacyStereoPerception():
        return _synthetic_accessibility(molecule)
    return sascorer.calculateScore(Chem.Mol(molecule.rdkit))


def structural_alerts(molecule: Molecule) -> int:
    """Number of `QED.StructuralAlerts` that match."""
    if _agrees() and _is_plain(molecule):
        return _alerts(molecule)
    return sum(map(molecule.rdkit.HasSubstructMatch, QED.StructuralAlerts))


def _is_plain(molecule: Molecule) -> bool:
    return (
        molecule.rdkit.GetNumAtoms() < _MOST_ATOMS
        and _HYDROGEN_ATOM.search(molecule.smiles) is None
    )


def _can_be_kekulised(molecule: Molecule) -> bool:
    """Whether `QED.qed`, which sanitises once more, can do so.

    RDKit finds some rings aromatic that it cannot take apart again. A molecule that was read from
    RDKit's own string has been through that.
    """
    if molecule.source == molecule.smiles:
        return True
    try:
        Chem.Kekulize(Chem.Mol(molecule.rdkit))
    except Chem.KekulizeException:
        return False
    return True


def _qed(molecule: Molecule) -> float:
    properties = QED.QEDproperties(
        MW=molecule.molecular_weight,
        ALOGP=molecule.logp,
        HBA=_acceptors(molecule),
        HBD=molecule.donors,
        PSA=molecule.tpsa,
        ROTB=molecule.rotatable_bonds,
        AROM=_aromatic_rings(molecule),
        ALERTS=_alerts(molecule),
    )
    return QED.qed(molecule.rdkit, qedProperties=properties)


def _acceptors(molecule: Molecule) -> int:
    neutral, negative = _acceptor_patterns()
    count = len(molecule.rdkit.GetSubstructMatches(neutral))
    if "-" in molecule.smiles:
        count += len(molecule.rdkit.GetSubstructMatches(negative))
    return count


def _alerts(molecule: Molecule) -> int:
    return _alert_counter()(molecule.rdkit, molecule.smiles, molecule.ring_sizes)


def _aromatic_rings(molecule: Molecule) -> int:
    """Number of rings that remain without the atoms of aliphatic rings."""
    if not molecule.ring_sizes:
        return 0
    return len(Chem.GetSSSR(Chem.DeleteSubstructs(molecule.rdkit, QED.AliphaticRings)))


def _synthetic_accessibility(molecule: Molecule) -> float:
    """Ertl & Schuffenhauer (2009), equations as in `sascorer`.

    Fragment contributions minus penalties for size, stereocentres, spiro and bridgehead atoms and
    macrocycles, plus a bonus for symmetry, mapped from [−4, 2.5] to [10, 1].
    """
    fragments = sascorer.mfpgen.GetSparseCountFingerprint(molecule.rdkit).GetNonzeroElements()
    contribution_of = _fragment_contributions()
    contributions = 0.0
    for fragment, count in fragments.items():
        contributions += contribution_of.get(fragment, -4) * count
    contributions /= sum(fragments.values())

    atoms = molecule.rdkit.GetNumAtoms()
    penalties = 0.0 - (atoms**1.005 - atoms)
    penalties -= math.log10(_stereocentres(molecule) + 1)
    penalties -= math.log10(rdMolDescriptors.CalcNumSpiroAtoms(molecule.rdkit) + 1)
    penalties -= math.log10(rdMolDescriptors.CalcNumBridgeheadAtoms(molecule.rdkit) + 1)
    penalties -= math.log10(2) if molecule.largest_ring > 8 else 0.0
    symmetry = 0.0
    if atoms > len(fragments):
        symmetry = math.log(float(atoms) / len(fragments)) * 0.5

    score = 11.0 - (contributions + penalties + symmetry + 4.0 + 1) / 6.5 * 9.0
    if score > 8.0:
        score = 8.0 + math.log(score + 1.0 - 9.0)
    return min(10.0, max(1.0, score))


def _stereocentres(molecule: Molecule) -> int:
    """Tetrahedral centres, specified or not."""
    # Perception rewrites the stereochemistry of its argument, which the caller still needs.
    has_stereo = not _STEREO.isdisjoint(molecule.smiles)
    perceived = Chem.Mol(molecule.rdkit) if has_stereo else molecule.rdkit
    Chem.AssignStereochemistry(perceived, cleanIt=True, force=True, flagPossibleStereoCenters=True)
    return rdMolDescriptors.CalcNumAtomStereoCenters(perceived)


@cache
def _alert_counter() -> AlertCounter:
    return AlertCounter(QED.StructuralAlertSmarts)


@cache
def _acceptor_patterns() -> tuple[Chem.Mol, Chem.Mol]:
    neutral, negative = (
        Chem.MolFromSmarts(f"[{','.join(choices.values())}]")
        for choices in (_NEUTRAL_ACCEPTORS, _NEGATIVE_ACCEPTORS)
    )
    return neutral, negative


@cache
def _fragment_contributions() -> dict[int, float]:
    sascorer.readFragmentScores()
    return sascorer._fscores


@cache
def _agrees() -> bool:
    """Whether this version of RDKit gives the same values for a few sensitive molecules."""
    from seqtutor.tasks.molecule.properties import Molecule

    if {*_NEUTRAL_ACCEPTORS, *_NEGATIVE_ACCEPTORS} != {*QED.AcceptorSmarts}:
        return False
    try:
        for smiles in _REFERENCES:
            molecule = Molecule(Chem.MolFromSmiles(smiles), smiles)
            alone = Chem.MolFromSmiles(smiles)
            if (_qed(molecule), _synthetic_accessibility(molecule)) != (
                QED.qed(alone),
                sascorer.calculateScore(alone),
            ):
                return False
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        return False
    return True
