"""Scored molecules as files: tables, SMILES, structures with their data, and drawings."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from seqtutor.errors import UserError
from seqtutor.files import atomic_write, write_together
from seqtutor.machine import usable_cores
from seqtutor.tasks.molecule.measurer import Measurer
from seqtutor.tasks.molecule.properties import parse
from seqtutor.tasks.molecule.reward_settings import PROPERTIES, MoleculeRewardSettings
from seqtutor.tasks.molecule.score_records import ScoreRecords
from seqtutor.tasks.molecule.scoring import AT_ONCE, MoleculeScorer
from seqtutor.tasks.molecule.terms import Scores, Values, measurer_for, weighted_terms

MOLECULE_FORMATS = (".csv", ".tsv", ".smi", ".sdf")
_TABLES = {".csv", ".tsv"}
DRAWING_FORMATS = (".svg", ".png")

GRID_MOLECULES = 40
"""Molecules in a picture; a larger one is slow to open."""

_GRID_COLUMNS = 4
"""Molecules in a row of a picture."""

_CELL = (240, 200)
"""Width and height of a molecule in a picture, in pixels."""

_STRINGS_OF_A_WORKER = 500
"""Strings to be written for which a further worker process is started by default."""

_SIGNATURE = {"canonical_smiles", "valid"}
"""Columns by which a table is known to be one of this program's."""

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
        given: what the file says of each, by column. Of a file that this program wrote, columns
            that are written anew are left out, but for strings that were not scored as they are;
            another one's are called NAME_given.
    """

    scores: Scores
    terms: dict[str, Values]
    names: Sequence[str]
    lines: Sequence[int] = ()
    given: Sequence[Mapping[str, str]] = ()

    def __len__(self) -> int:
        return len(self.scores.strings)

    def reward(self) -> Values | None:
        """The sum of the terms, NaN where one is not known; `None` without terms."""
        return np.sum(list(self.terms.values()), axis=0) if self.terms else None

    def fields(self) -> list[str]:
        """The names of the cells of `rows`."""
        first, own = int(bool(self.lines)), self._own_fields()
        return [*own[:first], *self._given_names().values(), *own[first:]]

    def _own_fields(self) -> list[str]:
        first = ["line"] if self.lines else []
        rewards = ["reward", *(f"reward_{name}" for name in self.terms)] if self.terms else []
        identity = ["smiles", "name", "valid", "reason", "canonical_smiles", "scaffold"]
        return [*first, *identity, *self.scores.columns, *rewards]

    def _given_names(self) -> dict[str, str]:
        """The given columns that are kept, with the names that they have here."""
        names = dict.fromkeys(name for one in self.given for name in one)
        own = set(self._own_fields())
        # The name of a molecule is what the column says.
        written_anew = {"name"}
        if names.keys() >= _SIGNATURE:
            written_anew = own if "smiles_given" in names else own - {"smiles"}
        found: dict[str, str] = {}
        for name in (one for one in names if one not in written_anew):
            found[name] = name
            while found[name] in own | (names.keys() - {name}):
                found[name] += "_given"
        return found

    def rows(self) -> Iterator[dict[str, str]]:
        """A row for each string; numbers have 15 digits."""
        scores, reward, names = self.scores, self.reward(), self._given_names()
        for index, smiles in enumerate(scores.strings):
            row = {"line": str(self.lines[index])} if self.lines else {}
            row |= {"smiles": smiles, "name": self.names[index]}
            if self.given:
                row |= {names[n]: v for n, v in self.given[index].items() if n in names}
            if scores.is_valid[index]:
                row |= {"valid": "1", "canonical_smiles": scores.smiles[index] or ""}
                row["scaffold"] = self._scaffold(index)
                row |= {name: _number(values[index]) for name, values in scores.columns.items()}
                row["reason"] = self._failures(index)
            else:
                row |= {"valid": "0", "reason": scores.reasons.get(index, _UNEXPLAINED)}
            if reward is not None:
                row["reward"] = _number(reward[index])
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


def write_molecules(parts: Sequence[ScoredMolecules], path: Path, delimiter: str = ",") -> Path:
    """Write molecules in the format of the suffix; see `content_of`.

    A table with other characters than ASCII begins with a byte order mark, without which Excel
    takes it for one in its own code page. The columns of a `.tsv` are separated by tabs.

    Raises:
        UserError: if the suffix is another one, or the file cannot be written.
    """
    text = content_of(parts, path.suffix, delimiter)
    needs_mark = path.suffix.lower() in _TABLES and not text.isascii()
    return atomic_write(path, f"\ufeff{text}" if needs_mark else text)


def content_of(parts: Sequence[ScoredMolecules], suffix: str, delimiter: str = ",") -> str:
    """A file of molecules.

    `.csv` and `.tsv` have all strings with every number and the reasons; `.smi` the valid ones in
    canonical form with their names; `.sdf` the valid ones as structures in the plane, with every
    number.

    Args:
        parts: molecules in one or more parts, all measured in the same way.
        suffix: of the file.
        delimiter: between the columns of a `.csv`.

    Raises:
        UserError: if the suffix is another one.
    """
    suffix = suffix.lower()
    if suffix in _TABLES:
        delimiter = "\t" if suffix == ".tsv" else delimiter
        numbered = enumerate(parts)
        return "".join(to_csv(part, index == 0, delimiter) for index, part in numbered)
    if suffix in MOLECULE_FORMATS:
        return "".join(map(to_smi if suffix == ".smi" else to_sdf, parts))
    raise UserError(f"cannot write molecules as {suffix}; use {', '.join(MOLECULE_FORMATS)}")


def to_csv(molecules: ScoredMolecules, heading: bool = True, delimiter: str = ",") -> str:
    """A table with a line for each string."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, molecules.fields(), restval="", lineterminator="\n", delimiter=delimiter
    )
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
    """A number to 15 digits, what all programs agree on; "" for NaN.

    The last bits of a sum over atoms are noise: 180.15899999999996 is 180.159.
    """
    number = float(f"{float(value):.15g}")
    if math.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def draw_grid(smiles: Sequence[str], path: Path, captions: Sequence[str] = ()) -> Path:
    """Draw molecules into a file; see `grid_of`.

    Raises:
        UserError: as `grid_of` does, there is nothing to draw, or the file cannot be written.
    """
    if path.suffix.lower() in DRAWING_FORMATS and not smiles:
        raise UserError(f"there is no valid molecule to draw into {path}")
    return atomic_write(path, grid_of(smiles, path.suffix, captions))


def grid_of(smiles: Sequence[str], suffix: str, captions: Sequence[str] = ()) -> str | bytes:
    """A drawing of molecules in rows, in the order given; an invalid string leaves its cell empty.

    Args:
        smiles: SMILES strings, at least one.
        suffix: of the drawing, `.svg` or `.png`.
        captions: lines under each molecule.

    Raises:
        UserError: if the suffix is another one.
    """
    suffix = suffix.lower()
    if suffix not in DRAWING_FORMATS:
        raise UserError(f"cannot draw molecules as {suffix}; use {', '.join(DRAWING_FORMATS)}")
    columns = min(_GRID_COLUMNS, len(smiles))
    rows = -(-len(smiles) // columns)
    canvas = rdMolDraw2D.MolDraw2DSVG if suffix == ".svg" else rdMolDraw2D.MolDraw2DCairo
    drawer = canvas(columns * _CELL[0], rows * _CELL[1], *_CELL)
    found = [parse(one) for one in smiles]
    molecules = [Chem.Mol() if one is None else one.rdkit for one in found]
    captions = list(captions) + [""] * (len(smiles) - len(captions))
    drawer.DrawMolecules(molecules, legends=captions)
    drawer.FinishDrawing()
    drawing: str | bytes = drawer.GetDrawingText()
    return drawing


def captions_of(
    parts: Sequence[ScoredMolecules], number: int = GRID_MOLECULES
) -> tuple[list[str], list[str]]:
    """The first valid molecules, and for each its name, reward, QED and logP in two lines."""
    strings: list[str] = []
    captions: list[str] = []
    for part in parts:
        columns, reward = part.scores.columns, part.reward()
        for index in part.scores.is_valid.nonzero()[0][: number - len(strings)]:
            strings.append(part.scores.strings[index])
            value = math.nan if reward is None else reward[index]
            worth = f"reward {value:.2f}" if math.isfinite(value) else ""
            qed, logp = columns["qed"][index], columns["logp"][index]
            first = f"{part.names[index]}  {worth}".strip()
            captions.append(f"{first}\nQED {qed:.2f}  logP {logp:.1f}".strip())
    return strings, captions


def write_samples(
    strings: Sequence[str],
    folder: Path,
    reward: MoleculeRewardSettings | None = None,
    formats: Sequence[str] = ("csv", "smi", "sdf"),
    grid: str | None = "svg",
    workers: int | None = None,
    *,
    is_unique: bool = False,
    is_sorted: bool = False,
    run: Path | None = None,
) -> list[Path]:
    """Score strings and write them as `molecules` in each format, with a picture of the first.

    Args:
        strings: SMILES strings.
        folder: of the files; made if it is missing.
        reward: whose terms are written, too, except `known` and `diversity`.
        formats: kinds of files. CSV has all strings, the others the valid ones.
        grid: format of the picture, or `None` for none. There is none without a valid molecule.
        workers: processes that score; by default up to one for each core, 0 for none.
        is_unique: write each molecule, and each string that is none, once.
        is_sorted: write the molecules of the highest reward first.
        run: the folder of the run of the reward, whose scores are used and which gets new ones.

    Returns:
        The files, of which all are written or none.

    Raises:
        UserError: if a file cannot be written.
    """
    from seqtutor.runs.progress import console

    if workers is None:
        workers = min(usable_cores(), -(-len(strings) // _STRINGS_OF_A_WORKER))
    own = None if reward is None else reward.own_scorers
    with MoleculeScorer.with_workers(describing_measurer(reward), workers, scorers=own) as scorer:
        if own and run is not None:
            scorer.use_records(ScoreRecords([run], list(own)))
            scorer.score_slowly(strings)
        found = [_described(scores, reward) for scores in scorer.score_with_bar(strings)]
        order = _order(found, is_unique=is_unique, is_sorted=is_sorted)
        if is_unique or is_sorted:
            # The scorer has kept the results.
            chosen = [strings[index] for index in order]
            starts = range(0, len(chosen), AT_ONCE)
            parts = [scorer.score(chosen[start : start + AT_ONCE]) for start in starts]
            found = [_described(scores, reward) for scores in parts]
    names = (f"sample-{index + 1}" for index in order)
    parts_named = [replace(part, names=[next(names) for _ in range(len(part))]) for part in found]
    drawn, captions = captions_of(parts_named)
    files: list[tuple[Path, Callable[[], str | bytes]]] = [
        (folder / f"molecules.{one}", partial(content_of, parts_named, f".{one}"))
        for one in formats
    ]
    if grid is not None and drawn:
        draw = partial(grid_of, drawn, f".{grid}", captions)
        files.append((folder / f"molecules.{grid}", draw))
    paths = write_together((path, content()) for path, content in files)
    valid = sum(int(part.scores.is_valid.sum()) for part in found)
    among = f"{len(order):,} {'different ' if is_unique else ''}strings"
    console.print(f"{valid:,} of {among} are valid molecules")
    return paths


def _described(scores: Scores, reward: MoleculeRewardSettings | None) -> ScoredMolecules:
    return ScoredMolecules(scores, {} if reward is None else weighted_terms(reward, scores), ())


def _order(parts: Sequence[ScoredMolecules], *, is_unique: bool, is_sorted: bool) -> list[int]:
    """The places of the strings to write, in their order."""
    names = [
        smiles or string
        for part in parts
        for smiles, string in zip(part.scores.smiles, part.scores.strings, strict=True)
    ]
    order = list(range(len(names)))
    if is_unique:
        first: dict[str, int] = {}
        for index, name in enumerate(names):
            first.setdefault(name, index)
        order = list(first.values())
    if is_sorted:
        rewards = [value for part in parts for value in _sortable(part)]
        order.sort(key=lambda index: -rewards[index])
    return order


def _sortable(part: ScoredMolecules) -> Values:
    """The rewards; what is not a molecule, and before it a molecule without a score, comes last."""
    reward = part.reward()
    assert reward is not None
    return np.where(part.scores.is_valid, np.where(np.isfinite(reward), reward, -1e300), -np.inf)
