"""What a run with a goal reached for its calls of the oracle, as a table and as curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqtutor.methods.registry import symbol_of
from seqtutor.report.plots import History, Quantity, training_curves
from seqtutor.report.tables import Cell, Column, Row, Table
from seqtutor.tasks.molecule.goals import BUDGET, Goal, Published
from seqtutor.tasks.molecule.oracle import (
    AREA_OF,
    TOPS,
    CallValues,
    area_under_best,
    best_so_far,
    curve_points,
    mean_of_best,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = {1: "Best molecule", **{n: f"Mean of the {n} best" for n in TOPS[1:]}}
SHORT_LABELS = {1: "best", **{n: f"{n} best" for n in TOPS[1:]}}
AREA_LABEL = f"Area under the curve of the {AREA_OF} best"
CALLS_LABEL = "Calls of the oracle"


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


def _note(goal: Goal, seeds: int, budget: int | None, published: Published | None) -> str:
    lines = [f"Best known: {goal.best.source}."]
    if published is not None:
        lines.append(f"REINVENT's area: {published.source}, from a prior of its own.")
    if goal.note:
        lines.append(goal.note)
    if budget is not None:
        lines.append(f"A run that ends before {budget:,} calls counts on with what it has.")
    if seeds > 1:
        lines.append(f"± is the 95 % interval over {seeds} seeds.")
    return "\n".join(lines)


def goal_curves(
    goal: Goal, seeds: Sequence[CallValues], budget: int | None, path: Path | None = None
) -> Figure:
    """The best molecule and the means of the best against calls, each hundred.

    With several seeds the line is their mean, in the band of its 95 % interval; a run that ends
    early goes on with its last value.

    Raises:
        ValueError: if a run has no call.
        UserError: if the file cannot be written.
    """
    seeds = [values[:budget] for values in seeds]
    end = max(map(len, seeds)) if budget is None else budget
    histories = {SHORT_LABELS[n]: [_history(one, n, end) for one in seeds] for n in TOPS}
    known = (goal.best.value, "best known")
    quantity = Quantity("value", goal.label, goal.title, known)
    return training_curves(histories, [quantity], path, "interval", CALLS_LABEL.lower())


def _history(values: CallValues, number: int, end: int) -> History:
    """A run's curve, drawn on to the end."""
    if not len(values):
        raise ValueError("there is no curve of no calls")
    found = best_so_far(values, number)
    points = curve_points(end)
    # Where a run ended between two of the points, it has reached its last value at the second.
    at = np.searchsorted(curve_points(len(values)), points)
    return {"step": np.array(points), "value": found[np.minimum(at, len(found) - 1)]}
