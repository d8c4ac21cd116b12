"""Molecules on a page: drawings that show what counts, their numbers, and files to download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import UInt8
from rdkit import Chem
from rdkit.Chem import QED, rdMolDescriptors
from rdkit.Chem.Draw import rdMolDraw2D

from seqtutor.exhibits import (
    LISTED,
    Distribution,
    Exhibit,
    Exhibition,
    Fact,
    Listed,
    Map,
    Picture,
    Shown,
)
from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.plots import PANELS
from seqtutor.tasks.molecule.properties import Molecule, parse
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.tokens import shortened
from seqtutor.tasks.molecule.writers import ScoredMolecules, describing_measurer, sdf_record

MEASURED = 500
"""Strings of each policy whose properties are measured for distributions."""
NOTES = (
    "In the drawings, blue atoms raise logP and orange ones lower it (Wildman and Crippen's "
    "contributions of atoms); purple bonds belong to one of QED's structural alerts.",
)

_SIZE = (300, 210)
_RAISES, _LOWERS, _ALERT = (0.62, 0.8, 0.93), (0.98, 0.8, 0.6), (0.85, 0.6, 0.85)
_SULPHUR, _OCHRE = 16, (0.5, 0.42, 0.0)
"""RDKit's yellow is hardly seen on white."""
_COLOURED = 0.25
"""Contribution to logP from which on an atom is coloured."""
_SHOWN = {
    "qed": "QED",
    "logp": "logP",
    "sa": "SA",
    "molecular_weight": "MW, g/mol",
    "tpsa": "TPSA",
    "largest_ring": "largest ring",
    "alerts": "alerts",
}
"""Properties that are shown, and their names."""
_FEW = 64
"""Strings that are measured sooner than a worker process starts."""
_WEAK = 0.5
"""Desirability of QED below which a part is named."""


def exhibition(policies: Mapping[str, Shown]) -> Exhibition:
    """All that a page shows of molecules."""
    exhibits, listed, columns, fingerprints = {}, {}, {}, {}
    measurer = replace(describing_measurer(), wants_fingerprint=True)
    number = sum(min(MEASURED, len(one.drawn.sequences)) for one in policies.values())
    workers = None if number > _FEW else 0
    with MoleculeScorer.with_workers(measurer, workers) as scorer:
        for name, shown in policies.items():
            sequences = shown.drawn.sequences
            few = sequences[:MEASURED].tokens
            strings = decode(few, shown.drawn.vocabulary)
            chosen = decode(sequences.tokens[shown.chosen], shown.drawn.vocabulary)
            scores = scorer.score([*strings, *chosen])
            # A chosen one has the number that it has among all.
            places = [*range(len(strings)), *map(int, shown.chosen)]
            names = [f"{name}-{place + 1}" for place in places]
            rows = list(ScoredMolecules(scores, {}, names).rows())
            columns[name] = {one.name: scores.columns[one.name][: len(strings)] for one in PANELS}
            # Of the valid ones, in order.
            fingerprints[name] = scores.fingerprints[: int(scores.is_valid[: len(strings)].sum())]
            listed[name] = [_listed(row) for row in rows[: min(LISTED, len(strings))]]
            exhibits[name] = [_exhibit(row) for row in rows[len(strings) :]]
    maps = [chemical_space(fingerprints)]
    return Exhibition(exhibits, listed, list(_distributions(columns)), NOTES, maps)


def chemical_space(fingerprints: Mapping[str, UInt8[np.ndarray, "molecules bytes"]]) -> Map:
    """The first two principal components of the fingerprints of all policies' molecules.

    Args:
        fingerprints: by policy, bits packed into bytes.
    """
    bits = np.unpackbits(np.concatenate(list(fingerprints.values())), axis=1).astype(np.float64)
    centred = bits - bits.mean(axis=0) if len(bits) else bits
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(bits), 2))
    rank = min(2, len(lengths))
    found[:, :rank] = left[:, :rank] * lengths[:rank]
    # The sign of a component is free: that of its largest coordinate makes it the same everywhere.
    signs = np.sign(found[np.abs(found).argmax(axis=0), [0, 1]]) if len(found) else 1
    total = float((lengths**2).sum()) or 1.0
    first, second = (
        f"component {number + 1}, {100 * float(length**2) / total:.0f} % of the variance"
        for number, length in enumerate([*lengths[:2], 0.0, 0.0][:2])
    )
    ends = np.cumsum([len(own) for own in fingerprints.values()])[:-1]
    points = dict(zip(fingerprints, np.split(found * signs, ends), strict=True))
    note = (
        f"Molecules that share substructures lie near each other: the first two principal "
        f"components of {bits.shape[1]:,} bits of Morgan fingerprints (radius 2) of up to "
        f"{MEASURED} strings of each policy, of which the valid ones are shown."
    )
    return Map("Chemical space", first, second, points, note)


def _distributions(columns: Mapping[str, Mapping[str, np.ndarray]]) -> Sequence[Distribution]:
    return [
        Distribution(
            one.label.partition(" (")[0].capitalize() if " " in one.label else one.label,
            one.label,
            {name: values[one.name] for name, values in columns.items()},
            one.is_count,
        )
        for one in PANELS
    ]


def _listed(row: Mapping[str, str]) -> Listed:
    if row["valid"] == "0":
        return Listed(row["smiles"], {"valid": "no", "why not": shortened(row["reason"], 40)})
    facts: dict[str, Fact] = {"valid": "yes"}
    facts |= {name: float(row[key]) for key, name in _SHOWN.items()}
    records = {
        "sdf": sdf_record(row),
        "smi": smiles_line(row),
    }
    return Listed(row["smiles"], facts, records)


def smiles_line(row: Mapping[str, str]) -> str:
    """A molecule as a line of a file of SMILES strings."""
    return f"{row['canonical_smiles']} {row['name']}\n"


def _exhibit(row: Mapping[str, str]) -> Exhibit:
    molecule = parse(row["smiles"])
    if molecule is None or row["valid"] == "0":
        return Exhibit(row["smiles"], facts={"not a molecule": row.get("reason", "")})
    facts: dict[str, Fact] = {name: float(row[key]) for key, name in _SHOWN.items()}
    if weak := _weak_parts(molecule):
        facts["weak parts of QED"] = weak
    files = {"sdf": sdf_record(row).encode(), "smi": smiles_line(row).encode()}
    return Exhibit(row["smiles"], [draw(molecule)], facts=facts, files=files)


def _weak_parts(molecule: Molecule) -> str:
    """The properties that QED finds less than half as desirable as they could be."""
    values = QED.properties(molecule.rdkit)._asdict()
    found = {name: QED.ads(value, QED.adsParameters[name]) for name, value in values.items()}
    ranked = sorted(found, key=lambda name: found[name])
    return ", ".join(f"{name} {found[name]:.2f}" for name in ranked if found[name] < _WEAK)


def draw(molecule: Molecule) -> Picture:
    """A molecule with the contributions of its atoms to logP and its alerts."""
    rdkit = molecule.rdkit
    parts = [one[0] for one in rdMolDescriptors._CalcCrippenContribs(rdkit)]
    atoms = {
        index: _RAISES if part > 0 else _LOWERS
        for index, part in enumerate(parts)
        if abs(part) >= _COLOURED
    }
    bonds = dict.fromkeys(_alert_bonds(rdkit), _ALERT)
    drawer = rdMolDraw2D.MolDraw2DSVG(*_SIZE)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    options.fillHighlights = True
    options.highlightBondWidthMultiplier = 12
    options.updateAtomPalette({_SULPHUR: _OCHRE})
    rdMolDraw2D.PrepareAndDrawMolecule(
        drawer,
        rdkit,
        highlightAtoms=list(atoms),
        highlightAtomColors=atoms,
        highlightBonds=list(bonds),
        highlightBondColors=bonds,
    )
    drawer.FinishDrawing()
    # Without the declaration, which has no place within a page.
    svg = drawer.GetDrawingText().partition("?>")[2].strip()
    alerts = f", {molecule.alerts} structural alerts" if molecule.alerts else ""
    return Picture(svg, f"structure of {molecule.formula}, {molecule.rings} rings{alerts}")


def _alert_bonds(molecule: Chem.Mol) -> list[int]:
    """The bonds within matches of QED's structural alerts."""
    found: dict[int, None] = {}
    for pattern in QED.StructuralAlerts:
        for match in molecule.GetSubstructMatches(pattern):
            for bond in pattern.GetBonds():
                ends = (match[bond.GetBeginAtomIdx()], match[bond.GetEndAtomIdx()])
                own = molecule.GetBondBetweenAtoms(*ends)
                if own is not None:
                    found[own.GetIdx()] = None
    return list(found)
