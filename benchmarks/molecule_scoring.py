"""How fast molecules are scored: RDKit's functions one by one, fused, and in worker processes.

A molecule's score is its canonical SMILES, logP, synthetic accessibility, QED and rings: what the
default reward needs. The first two lines take turns every hundred molecules, so that their ratio
holds on a busy machine, too.

    python benchmarks/molecule_scoring.py [FILE.smi] [MOLECULES]

Without a file it takes the 4,999 molecules that RDKit carries.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rdkit import Chem, RDConfig, RDLogger
from rdkit.Chem import QED, Crippen
from rdkit.Contrib.SA_Score import sascorer

from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.smiles_files import read_entries
from seqtutor.tasks.molecule.terms import measurer_for

MEASURER = measurer_for(MoleculeRewardSettings())
TURN = 100
BATCH = 512


def one_by_one(smiles: str) -> tuple[str, float, float, float, int] | None:
    """What a plain reward function would do."""
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return None
    return (
        Chem.MolToSmiles(molecule),
        Crippen.MolLogP(molecule),  # type: ignore[attr-defined]
        sascorer.calculateScore(molecule),
        QED.qed(molecule),
        max(map(len, molecule.GetRingInfo().AtomRings()), default=0),
    )


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(strings: Sequence[str]) -> tuple[float, float]:
    """Seconds that both ways take for all strings, in one process."""
    totals = [0.0, 0.0]
    for start in range(0, len(strings), TURN):
        part = strings[start : start + TURN]
        for index, function in enumerate((one_by_one, MEASURER)):
            totals[index] += seconds(lambda f=function, p=part: [f(one) for one in p])  # type: ignore[misc]
    return totals[0], totals[1]


def in_workers(strings: Sequence[str], workers: int) -> tuple[float, float]:
    """Seconds that worker processes take for new strings, and the cache for known ones."""
    batches = [strings[start : start + BATCH] for start in range(0, len(strings), BATCH)]
    with MoleculeScorer.with_workers(MEASURER, workers) as scorer:
        scorer.score(["C" * length for length in range(1, 50)])  # The processes have started.
        return (
            seconds(lambda: [scorer.score(batch) for batch in batches]),
            seconds(lambda: [scorer.score(batch) for batch in batches]),
        )


def main() -> None:
    """Measure and print."""
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    arguments = sys.argv[1:]
    source = Path(RDConfig.RDDataDir, "NCI", "first_5K.smi")
    if arguments and not arguments[0].isdecimal():
        source = Path(arguments.pop(0))
    number = int(arguments[0]) if arguments else 4000
    strings = list(dict.fromkeys(entry.smiles for entry in read_entries(source)))[:number]
    one_by_one("C"), MEASURER("C")
    plain, fused = in_turns(strings)
    rows = [("one process, RDKit one by one", plain), ("one process, fused", fused)]
    for workers in (1, 2):
        new, known = in_workers(strings, workers)
        rows.append((f"{workers} worker(s), new strings", new))
    rows.append(("all in the cache", known))
    print(f"{len(strings)} molecules of {source.name}")
    for label, taken in rows:
        speed = len(strings) / taken
        print(f"{label:<32}{speed:>11,.0f} molecules/s {plain / taken:>9.2f} × one by one")


if __name__ == "__main__":
    main()
