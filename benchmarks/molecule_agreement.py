"""Whether `seqtutor score molecule` agrees with RDKit's own functions, to the last bit.

    python benchmarks/molecule_agreement.py [MOLECULES]

Molecules of MOSES's test set (`seqtutor data moses` brings it), 1,000 unless told, go through the
real command as a file; each property that it writes is held against RDKit's function on a parse of
its own.
"""

from __future__ import annotations

import csv
import random
import sys
import tempfile
from pathlib import Path

from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, Lipinski
from rdkit.Chem.Scaffolds import MurckoScaffold
from rdkit.Contrib.SA_Score import sascorer

from seqtutor.cli.main import main as seqtutor
from seqtutor.tasks.molecule.moses import read_strings

MOLECULES = 1000
RDKIT = {
    "canonical_smiles": Chem.MolToSmiles,
    "scaffold": lambda molecule: MurckoScaffold.MurckoScaffoldSmiles(mol=molecule),
    "logp": Crippen.MolLogP,
    "sa": sascorer.calculateScore,
    "qed": QED.qed,
    "molecular_weight": Descriptors.MolWt,
    "tpsa": Descriptors.TPSA,
    "donors": Lipinski.NumHDonors,
    "acceptors": Lipinski.NumHAcceptors,
    "rotatable_bonds": Lipinski.NumRotatableBonds,
    "heavy_atoms": Lipinski.HeavyAtomCount,
    "rings": lambda molecule: molecule.GetRingInfo().NumRings(),
}


def main() -> None:
    """Score, compare, print a line for each property."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else MOLECULES
    strings = random.Random(0).sample(read_strings("test"), number)
    with tempfile.TemporaryDirectory() as folder:
        given, scored = Path(folder, "molecules.smi"), Path(folder, "scored.csv")
        given.write_text("".join(f"{smiles}\n" for smiles in strings))
        if seqtutor(["score", "molecule", str(given), "--output", str(scored)]):
            raise SystemExit("the command failed")
        with scored.open(newline="") as file:
            rows = list(csv.DictReader(file))
    molecules = [Chem.MolFromSmiles(smiles) for smiles in strings]
    differ = 0
    for name, function in RDKIT.items():
        known = [function(molecule) for molecule in molecules]
        ours = [type(one)(row[name]) for one, row in zip(known, rows, strict=True)]
        unlike = sum(one != other for one, other in zip(known, ours, strict=True))
        print(f"{name:<18}{number - unlike:>7,} of {number:,} the same")
        differ += unlike
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
