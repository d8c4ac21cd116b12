"""Scored molecules as files: tables, SMILES, structures with their data, and drawings."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.machine import usable_cores
from seqtutor.tasks.molecule.measurer import Measurer
from seqtutor.tasks.molecule.properties import parse
from seqtutor.tasks.molecule.reward_settings import PROPERTIES, MoleculeRewardSettings
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.terms import Scores, Values, measurer_for, weighted_terms

MOLECULE_FORMATS = (".csv", ".smi", ".sdf")
DRAWING_FORMATS = (".svg", ".png")

GRID_MOLECULES = 40
"""Molecules in a picture; a larger one is slow to open."""

_STRINGS_OF_A_WORKER = 500
"""Strings to be written for which a further worker process is started by default."""

_UNEXPLAINED = "no molecule"


def describing_measurer(reward: MoleculeRewardSettings | None = None) -> Measurer:
    """A measurer of all that files contain, the reasons of invalid strings and a reward included.

    Raises:
        UserError: if a pattern, a molecule, the formula or the function of the reward is unusable.
    """
    of_reward = Measurer(()) if reward is None else measurer_for(reward)
    properties = tuple(dict.fromkeys((*PROPERTIES, *of_reward.properties)))
    return replace(
        of_reward, properties=properties, wants_scaffold=True, as_written=True, explains=True
    )


@dataclass(frozen=True, eq=False)
class ScoredMolecules:
    """Strings with everything that files say about them.

    Attributes:
        scores: by a `describing_measurer`.
        terms: the weighted terms of a reward by name; may be empty.
        names: of the strings; empty where they have no name.
        lines: the lines of the file that they come from, if they do.
    """

    scores: Scores
    terms: dict[str, Values]
    names: Sequence[str]
    lines: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.scores.strings)

    def fields(self) -> list[str]:
        """The names of the cells of `rows`."""
        first = ["line"] if self.lines else []
        rewards = ["reward", *(f"reward_{name}" for name in self.terms)] if self.terms else []
        identity = ["smiles", "name", "valid", "reason", "canonical_smiles", "scaffold"]
        return [*first, *identity, *self.scores.columns, *rewards]

    def rows(self) -> Iterator[dict[str, str]]:
        """A row for each string; numbers are written so that they can be read back exactly."""
        scores = self.scores
        for index, smiles in enumerate(scores.strings):
            row = {"line": str(self.lines[index])} if self.lines else {}
            row |= {"smiles": smiles, "name": self.names[index]}
            if scores.is_valid[index]:
                row |= {"valid": "1", "canonical_smiles": scores.smiles[index] or ""}
                row["scaffold"] = self._scaffold(index)
                row |= {name: _number(values[index]) for name, values in scores.columns.items()}
                row["reason"] = self._failures(index)
            else:
                row |= {"valid": "0", "reason": scores.reasons.get(index, _UNEXPLAINED)}
            if self.terms:
                row["reward"] = _number(sum(values[index] for values in self.terms.values()))
                row |= {f"reward_{name}": _number(v[index]) for name, v in self.terms.items()}
            yield row

    def _failures(self, index: int) -> str:
        """Why scorers of the user's gave the molecule no score; "" if all did."""
        found = self.scores.failures.items()
        return "; ".join(f"{name}: {reasons[index]}" for name, reasons in found if index in reasons)

    def _scaffold(self, index: int) -> str:
        """The scaffold; empty for a molecule without rings, which stands in for its own."""
        scaffold = self.scores.scaffolds[index]
        rings = self.scores.columns.get("rings")
        return scaffold if scaffold and rings is not None and rings[index] else ""


def write_molecules(parts: Sequence[ScoredMolecules], path: Path) -> Path:
    """Write molecules in the format of the suffix.

    `.csv` has all strings with every number and the reasons; `.smi` the valid ones in canonical
    form with their names; `.sdf` the valid ones as structures in the plane, with every number.

    Args:
        parts: molecules in one or more parts, all measured in the same way.
        path: of the file.

    Raises:
        UserError: if the suffix is another one, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        text = "".join(to_csv(part, heading=index == 0) for index, part in enumerate(parts))
    elif suffix in MOLECULE_FORMATS:
        text = "".join(map(to_smi if suffix == ".smi" else to_sdf, parts))
    else:
        raise UserError(f"cannot write molecules as {path.name}; use {', '.join(MOLECULE_FORMATS)}")
    return atomic_write(path, text)


def to_csv(molecules: ScoredMolecules, heading: bool = True) -> str:
    """A table with a line for each string."""
    text = io.StringIO()
    writer = csv.DictWriter(text, molecules.fields(), restval="", lineterminator="\n")
    if heading:
        writer.writeheader()
    writer.writerows(molecules.rows())
    return text.getvalue()


def to_smi(molecules: ScoredMolecules) -> str:
    """Canonical SMILES strings of the valid molecules, each with its name."""
    rows = [row for row in molecules.rows() if row["valid"] == "1"]
    return "".join(f"{row['canonical_smiles']} {row['name']}".rstrip() + "\n" for row in rows)


def to_sdf(molecules: ScoredMolecules) -> str:
    """Structures in the plane with their numbers as data fields."""
    return "".join(sdf_record(row) for row in molecules.rows() if row["valid"] == "1")


def sdf_record(row: Mapping[str, str]) -> str:
    """The structure of a row of a valid molecule, with its numbers as data fields."""
    molecule = parse(row["smiles"])
    assert molecule is not None
    flat = Chem.Mol(molecule.rdkit)
    rdDepictor.Compute2DCoords(flat)
    flat.SetProp("_Name", " ".join(row["name"].split()))
    with rdBase.BlockLogs():
        block = Chem.MolToMolBlock(flat)
    data = [(name, " ".join(value.split())) for name, value in row.items() if value]
    return block + "".join(f">  <{name}>\n{value}\n\n" for name, value in data) + "$$$$\n"


def _number(value: float) -> str:
    """The shortest text that is read back as the same number; "" for NaN."""
    number = float(value)
    if math.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def draw_grid(
    smiles: Sequence[str],
    path: Path,
    captions: Sequence[str] = (),
    columns: int = 4,
    cell: tuple[int, int] = (240, 200),
) -> Path:
    """Draw molecules in rows, in the order given; an invalid string leaves its cell empty.

    Args:
        smiles: SMILES strings.
        path: of the drawing, `.svg` or `.png`.
        captions: a line under each molecule.
        columns: molecules in a row.
        cell: width and height of a molecule in pixels.

    Raises:
        UserError: if the suffix is another one, there is nothing to draw, or the file cannot be
            written.
    """
    suffix = path.suffix.lower()
    if suffix not in DRAWING_FORMATS:
        raise UserError(f"cannot draw molecules as {path.name}; use {', '.join(DRAWING_FORMATS)}")
    if not smiles:
        raise UserError(f"there is no valid molecule to draw into {path}")
    columns = min(columns, len(smiles))
    rows = -(-len(smiles) // columns)
    canvas = rdMolDraw2D.MolDraw2DSVG if suffix == ".svg" else rdMolDraw2D.MolDraw2DCairo
    drawer = canvas(columns * cell[0], rows * cell[1], *cell)
    found = [parse(one) for one in smiles]
    molecules = [Chem.Mol() if one is None else one.rdkit for one in found]
    captions = list(captions) + [""] * (len(smiles) - len(captions))
    drawer.DrawMolecules(molecules, legends=captions)
    drawer.FinishDrawing()
    return atomic_write(path, drawer.GetDrawingText())


def draw_valid(parts: Sequence[ScoredMolecules], path: Path, number: int = GRID_MOLECULES) -> Path:
    """Draw the first valid molecules with their names, QED and logP.

    Raises:
        UserError: as `draw_grid` does.
    """
    strings: list[str] = []
    captions: list[str] = []
    for part in parts:
        columns = part.scores.columns
        for index in part.scores.is_valid.nonzero()[0][: number - len(strings)]:
            strings.append(part.scores.strings[index])
            qed, logp = columns["qed"][index], columns["logp"][index]
            captions.append(f"{part.names[index]}  QED {qed:.2f}  logP {logp:.1f}".strip())
    return draw_grid(strings, path, captions)


def write_samples(
    strings: Sequence[str],
    folder: Path,
    reward: MoleculeRewardSettings | None = None,
    formats: Sequence[str] = ("csv", "smi", "sdf"),
    grid: str | None = "svg",
    workers: int | None = None,
) -> list[Path]:
    """Score strings and write them as `molecules` in each format, with a picture of the first.

    Args:
        strings: SMILES strings.
        folder: of the files; made if it is missing.
        reward: whose terms are written, too, except `known` and `diversity`.
        formats: kinds of files. CSV has all strings, the others the valid ones.
        grid: format of the picture, or `None` for none. There is none without a valid molecule.
        workers: processes that score; by default up to one for each core, 0 for none.

    Returns:
        The files.

    Raises:
        UserError: if a file cannot be written.
    """
    from seqtutor.runs.progress import console

    if workers is None:
        workers = min(usable_cores(), -(-len(strings) // _STRINGS_OF_A_WORKER))
    parts: list[ScoredMolecules] = []
    own = None if reward is None else reward.own_scorers
    with MoleculeScorer.with_workers(describing_measurer(reward), workers, scorers=own) as scorer:
        for scores in scorer.score_with_bar(strings):
            first = sum(map(len, parts)) + 1
            names = [f"sample-{first + index}" for index in range(len(scores.strings))]
            terms = {} if reward is None else weighted_terms(reward, scores)
            parts.append(ScoredMolecules(scores, terms, names))
    paths = [write_molecules(parts, folder / f"molecules.{one}") for one in formats]
    valid = sum(int(part.scores.is_valid.sum()) for part in parts)
    if grid is not None and valid:
        paths.append(draw_valid(parts, folder / f"molecules.{grid}"))
    console.print(f"{valid:,} of {len(strings):,} strings are valid molecules")
    return paths
