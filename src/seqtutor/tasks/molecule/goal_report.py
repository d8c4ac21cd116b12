"""What runs with a goal reached with their calls of the oracle: table, curves, best molecules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqtutor.methods.registry import symbol_of
from seqtutor.report.plots import History, Quantity, training_curves
from seqtutor.report.style import save_for_page_and_print
from seqtutor.report.tables import Cell, Column, Row, Table
from seqtutor.tasks.molecule.goals import BUDGET, Goal, PublishedValue
from seqtutor.tasks.molecule.oracle import (
    AREA_OF,
    CALLS,
    TOPS,
    CallValues,
    Oracle,
    area_under_best,
    best_so_far,
    curve_points,
    mean_of_best,
)
from seqtutor.tasks.molecule.scored_log import FAILURES, MOLECULES, best_rows, scorers_without_score
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.terms import RECORDED, Values
from seqtutor.tasks.molecule.writers import (
    GRID_MOLECULES,
    ScoredMolecules,
    describing_measurer,
    draw_grid,
    write_molecules,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = {1: "Best molecule", **{n: f"Mean of the {n} best" for n in TOPS[1:]}}
SHORT_LABELS = {1: "best", **{n: f"{n} best" for n in TOPS[1:]}}
BEST = ("best.csv", "best.sdf", "best.svg")
"""The files of a run's best molecules by its goal."""

BEST_BY_REWARD = "best-by-reward.sdf"

AREA_LABEL = f"Area under the curve of the {AREA_OF} best"
CALLS_LABEL = "Calls of the oracle"
CURVES = "goal"
"""The stem of the figures of the curves."""


def report_goal(
    goal: Goal, method: str, folders: Sequence[Path], output: Path, budget: int | None
) -> list[Table | str]:
    """Write the best molecules of each run into its folder, and the curves of all into `output`.

    Args:
        goal: of the runs.
        method: of the runs.
        folders: of the runs, which differ in their seed alone.
        output: the folder of the one run, or the one that holds all of them.
        budget: calls that count; `None` for all.

    Returns:
        The table, and a line about the files.
    """
    oracles = [Oracle.read(folder / CALLS) for folder in folders]
    for oracle, folder in zip(oracles, folders, strict=True):
        if not (folder / BEST[-1]).is_file():
            write_best(oracle, folder)
    seeds = [oracle.values for oracle in oracles]
    table = goal_table(goal, method, seeds, budget)
    if not all(map(len, seeds)):
        return [table]
    save_for_page_and_print(goal_curves(goal, seeds, budget), output / CURVES)
    where = "in" if len(folders) == 1 else "in the folder of each run in"
    files = f"The best molecules are {where} {', '.join(BEST)}, their course in {CURVES}.png"
    return [table, files]


def goal_table(goal: Goal, method: str, seeds: Sequence[CallValues], budget: int | None) -> Table:
    """The best molecules within the budget, beside the best known and REINVENT's area.

    With several seeds a cell is their mean with the 95 % interval of Student's t. The area is left
    out where there is no budget, and REINVENT's where it is not that of PMO.

    Args:
        goal: of the runs.
        method: of the runs.
        seeds: the values of each run's calls, in order.
        budget: calls that count; `None` for all.
    """
    seeds = [values[:budget] for values in seeds]
    published = goal.reinvent if budget == BUDGET else None
    best = Cell(goal.best.value)
    rows = [
        Row(label, (Cell.from_seeds([mean_of_best(one, number) for one in seeds]), best))
        for number, label in LABELS.items()
    ]
    if budget is not None:
        areas = [area_under_best(values, budget) for values in seeds]
        reference = None if published is None else published.value
        cells = (Cell.from_seeds(areas, reference), Cell(math.nan))
        rows.append(Row(AREA_LABEL, cells, better="higher"))
    calls = Cell.from_seeds([float(len(values)) for values in seeds])
    rows.append(Row(CALLS_LABEL, (calls, Cell(math.nan)), "integer"))
    columns = (
        Column(symbol_of(method), None if published is None else "REINVENT"),
        Column("best known"),
    )
    return Table(goal.title, columns, tuple(rows), _note(goal, len(seeds), budget, published))


def _note(goal: Goal, seeds: int, budget: int | None, published: PublishedValue | None) -> str:
    lines = [f"Best known: {goal.best.source}."]
    if published is not None:
        lines.append(f"REINVENT's area: {published.source}, from another prior.")
    if goal.note:
        lines.append(goal.note)
    if budget is not None:
        lines.append(f"A run that ends before {budget:,} calls keeps its last value.")
    if seeds > 1:
        lines.append(f"± is the 95 % interval over {seeds} seeds.")
    return "\n".join(lines)


def goal_curves(goal: Goal, seeds: Sequence[CallValues], budget: int | None) -> Figure:
    """The best molecule and the means of the best against calls, each hundred.

    With several seeds the line is their mean, in the band of its 95 % interval; a run that ends
    early keeps its last value.

    Raises:
        ValueError: if a run has no call.
    """
    seeds = [values[:budget] for values in seeds]
    end = max(map(len, seeds)) if budget is None else budget
    histories = {SHORT_LABELS[n]: [_history(one, n, end) for one in seeds] for n in TOPS}
    known = (goal.best.value, "best known")
    quantity = Quantity("value", goal.label, goal.title, known)
    return training_curves(histories, [quantity], band="interval", step_label=CALLS_LABEL.lower())


def _history(values: CallValues, number: int, end: int) -> History:
    """A run's curve, extended to the end."""
    if not len(values):
        raise ValueError("there is no curve of no calls")
    found = best_so_far(values, number)
    points = curve_points(end)
    # A run that ended between two of the points has its last value from the second on.
    at = np.searchsorted(curve_points(len(values)), points)
    return {"step": np.array(points), "value": found[np.minimum(at, len(found) - 1)]}


def report_best(folders: Sequence[Path], number: int = max(TOPS)) -> list[str]:
    """Write the best molecules of each run by their reward into its folder; gives a line about it.

    Each has its reward, weighted terms and the step at which it had them beside its properties; of
    two equal rewards the earlier one comes first. Molecules without a score of the user's own
    scorers are left out: the neutral one that counted for them is not theirs. A run in which a
    scorer gave none has no such file, and a warning stands in the place of the line.

    Raises:
        UserError: if a file cannot be written.
    """
    for folder in folders:
        path = folder / BEST_BY_REWARD
        if not path.is_file() and (rows := best_rows(folder, number)):
            # What `described` has under the name of the property itself is not told twice.
            left_out = {"smiles", "is_valid", *(f"{name}_value" for name in RECORDED)}
            names = [name for name in rows[0] if name not in left_out]
            columns = {
                _title(name): np.array([float(row[name] or "nan") for row in rows])
                for name in names
            }
            smiles = [row["smiles"] for row in rows]
            write_molecules([described(smiles, columns)], path)
    silent = {name: folder for folder in folders for name in scorers_without_score(folder)}
    warnings = [
        f"WARNING: {name} gave no molecule a score, so that there is no list of the best: see "
        f"{folder / FAILURES}"
        for name, folder in silent.items()
    ]
    if warnings or not all((folder / BEST_BY_REWARD).is_file() for folder in folders):
        return warnings
    where = "" if len(folders) == 1 else " in the folder of each run"
    return [f"All molecules are in {MOLECULES}, the best by reward in {BEST_BY_REWARD}{where}"]


def _title(column: str) -> str:
    """The name that a column of the record has today: earlier, terms had their bare names."""
    is_term = column not in ("step", "total") and not column.endswith("_value")
    return f"reward_{column.removeprefix('reward_')}" if is_term else column


def described(smiles: Sequence[str], columns: Mapping[str, Values]) -> ScoredMolecules:
    """Molecules in the order of their rank, with some columns beside their properties."""
    with MoleculeScorer.with_workers(describing_measurer(), 1) as scorer:
        scores = scorer.score(smiles)
    names = [f"best-{rank}" for rank in range(1, len(smiles) + 1)]
    return ScoredMolecules(replace(scores, columns=dict(columns) | scores.columns), {}, names)


def write_best(oracle: Oracle, folder: Path, number: int = max(TOPS)) -> None:
    """Write the best molecules as tables and structures, with a picture of the first.

    Each has the goal's value and the number of its call beside its properties; of two equal values
    the earlier one comes first. Without any call there is no file.

    Raises:
        UserError: if a file cannot be written.
    """
    order = np.argsort(-oracle.values, kind="stable")[:number]
    if not len(order):
        return
    smiles = oracle.smiles
    strings = [smiles[index] for index in order]
    values = oracle.values[order]
    best = described(strings, {"goal": values, "call": order + 1.0})
    *tables, picture = BEST
    for name in tables:
        write_molecules([best], folder / name)
    captions = [
        f"{name}  {value:.3f}  call {call + 1:,}"
        for name, value, call in zip(best.names, values, order, strict=True)
    ]
    draw_grid(strings[:GRID_MOLECULES], folder / picture, captions[:GRID_MOLECULES])
