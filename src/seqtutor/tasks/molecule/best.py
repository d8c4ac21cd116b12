"""The best molecules that a goal's oracle was asked for, as files to open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from seqtutor.tasks.molecule.oracle import Oracle
from seqtutor.tasks.molecule.samples import GRID_MOLECULES, describing_measurer
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.writers import ScoredMolecules, draw_grid, write_molecules

NUMBER = 100
"""As many as the largest mean is taken over."""


def write_best(oracle: Oracle, folder: Path, workers: int | None = None) -> list[Path]:
    """Write the best molecules as `best.csv` and `best.sdf`, and a picture of the first ones.

    Each has the goal's value and the call at which it was found beside its properties; the earlier
    one of two equals comes first.

    Args:
        oracle: the record.
        folder: of the files.
        workers: processes that measure the properties; one for each core by default, 0 for none.

    Returns:
        The files; none where there is no molecule.

    Raises:
        UserError: if a file cannot be written.
    """
    order = np.argsort(-oracle.values, kind="stable")[:NUMBER]
    if not len(order):
        return []
    smiles = oracle.smiles
    strings = [smiles[index] for index in order]
    with MoleculeScorer.with_workers(describing_measurer(), workers) as scorer:
        scores = scorer.score(strings)
    columns = {"goal": oracle.values[order], "call": order + 1.0}
    scores = replace(scores, columns=columns | scores.columns)
    names = [f"best-{rank}" for rank in range(1, len(order) + 1)]
    molecules = ScoredMolecules(scores, {}, names)
    paths = [write_molecules([molecules], folder / f"best.{one}") for one in ("csv", "sdf")]
    captions = [
        f"{name}  {value:.3f}  call {call:,.0f}"
        for name, value, call in zip(names, columns["goal"], columns["call"], strict=True)
    ]
    picture = draw_grid(strings[:GRID_MOLECULES], folder / "best.svg", captions[:GRID_MOLECULES])
    return [*paths, picture]
