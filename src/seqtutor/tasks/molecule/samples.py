"""Generated molecules with all that is known of them, as files to open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from seqtutor.tasks.molecule.measure import Measurer
from seqtutor.tasks.molecule.property_names import PROPERTIES
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.terms import Scores, measurer_for, weighted_terms
from seqtutor.tasks.molecule.writers import ScoredMolecules, draw_grid, write_molecules

Format = Literal["csv", "smi", "sdf"]

GRID_MOLECULES = 40
"""As many as one looks at; a picture of more is slow to open."""


def describing_measurer(reward: MoleculeRewardSettings | None = None) -> Measurer:
    """Measures what files tell of a molecule, why a string is none, and what a reward asks for.

    Raises:
        UserError: if a pattern, a molecule, the formula or the function of the reward is none.
    """
    asked = Measurer(()) if reward is None else measurer_for(reward)
    properties = tuple(dict.fromkeys((*PROPERTIES, *asked.properties)))
    return replace(
        asked, properties=properties, wants_scaffold=True, as_written=True, explains=True
    )


def write_samples(
    scores: Scores,
    folder: Path,
    reward: MoleculeRewardSettings | None = None,
    formats: Sequence[Format] = ("csv", "smi", "sdf"),
    grid: Literal["svg", "png"] | None = "svg",
) -> list[Path]:
    """Write `molecules` in each format, and a picture of the first valid ones.

    Args:
        scores: what `describing_measurer` found of the strings.
        folder: of the files; made if it is not there.
        reward: what the strings earn is told, too, but for `known` and `diversity`.
        formats: kinds of files. CSV has all strings, the others the valid ones.
        grid: kind of the picture, or `None` for none. There is none without a valid molecule.

    Returns:
        The files.

    Raises:
        UserError: if a file cannot be written.
    """
    names = [f"sample-{number}" for number in range(1, len(scores.strings) + 1)]
    terms = {} if reward is None else weighted_terms(reward, scores)
    molecules = ScoredMolecules(scores, terms, names)
    paths = [write_molecules([molecules], folder / f"molecules.{one}") for one in formats]
    shown = [index for index, valid in enumerate(scores.is_valid) if valid][:GRID_MOLECULES]
    if grid is not None and shown:
        captions = [f"{names[index]}  {_caption(scores, index)}" for index in shown]
        strings = [scores.strings[index] for index in shown]
        paths.append(draw_grid(strings, folder / f"molecules.{grid}", captions))
    return paths


def _caption(scores: Scores, index: int) -> str:
    return f"QED {scores.columns['qed'][index]:.2f}  logP {scores.columns['logp'][index]:.1f}"
