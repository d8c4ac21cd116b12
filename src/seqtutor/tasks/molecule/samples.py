"""Generated molecules with all that is known of them, as files to open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from seqtutor.tasks.molecule.measure import Measurer
from seqtutor.tasks.molecule.property_names import PROPERTIES
from seqtutor.tasks.molecule.terms import Scores
from seqtutor.tasks.molecule.writers import ScoredMolecules, draw_grid, write_molecules

Format = Literal["csv", "smi", "sdf"]

DESCRIBING_MEASURER = Measurer(PROPERTIES, wants_scaffold=True, as_written=True, explains=True)
"""Measures what the files tell of a molecule, and why a string is none."""

GRID_MOLECULES = 40
"""As many as one looks at; a picture of more is slow to open."""


def write_samples(
    scores: Scores,
    folder: Path,
    formats: Sequence[Format] = ("csv", "smi", "sdf"),
    grid: Literal["svg", "png"] | None = "svg",
) -> list[Path]:
    """Write `molecules` in each format, and a picture of the first valid ones.

    Args:
        scores: what `DESCRIBING_MEASURER` found of the strings.
        folder: of the files; made if it is not there.
        formats: kinds of files. CSV has all strings, the others the valid ones.
        grid: kind of the picture, or `None` for none. There is none without a valid molecule.

    Returns:
        The files.

    Raises:
        UserError: if a file cannot be written.
    """
    names = [f"sample-{number}" for number in range(1, len(scores.strings) + 1)]
    molecules = ScoredMolecules(scores, {}, names)
    paths = [write_molecules([molecules], folder / f"molecules.{one}") for one in formats]
    shown = [index for index, valid in enumerate(scores.is_valid) if valid][:GRID_MOLECULES]
    if grid is not None and shown:
        captions = [f"{names[index]}  {_caption(scores, index)}" for index in shown]
        strings = [scores.strings[index] for index in shown]
        paths.append(draw_grid(strings, folder / f"molecules.{grid}", captions))
    return paths


def _caption(scores: Scores, index: int) -> str:
    return f"QED {scores.columns['qed'][index]:.2f}  logP {scores.columns['logp'][index]:.1f}"
