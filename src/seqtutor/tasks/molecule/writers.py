"""Scored molecules as files: tables, SMILES, structures with their data, and drawings."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.tasks.molecule.properties import parse
from seqtutor.tasks.molecule.terms import Scores, Values

MOLECULE_FORMATS = (".csv", ".smi", ".sdf")
DRAWING_FORMATS = (".svg", ".png")

_UNEXPLAINED = "no molecule"


@dataclass(frozen=True, eq=False)
class ScoredMolecules:
    """Strings with all that is known of them.

    Attributes:
        scores: what was measured, with scaffolds.
        terms: by name what each earns, weighted; may be empty.
        names: what the strings are called; empty where they have no name.
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
            else:
                row |= {"valid": "0", "reason": scores.reasons.get(index, _UNEXPLAINED)}
            if self.terms:
                row["reward"] = _number(sum(values[index] for values in self.terms.values()))
                row |= {f"reward_{name}": _number(v[index]) for name, v in self.terms.items()}
            yield row

    def _scaffold(self, index: int) -> str:
        """The scaffold; none where the molecule stands in for it, since it has no rings."""
        scaffold = self.scores.scaffolds[index]
        rings = self.scores.columns.get("rings")
        return scaffold if scaffold and rings is not None and rings[index] else ""


def write_molecules(parts: Sequence[ScoredMolecules], path: Path) -> Path:
    """Write molecules as the format that the suffix names.

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
    return "".join(_record(row) for row in molecules.rows() if row["valid"] == "1")


def _record(row: dict[str, str]) -> str:
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
    """The shortest text that is read back as the same number."""
    number = float(value)
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
        raise UserError("there is no molecule to draw")
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
