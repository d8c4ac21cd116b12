"""Table 1 of Jaques et al. (2017): its rows, and its figures from 100,000 melodies a column."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    """Which way a figure improves."""

    HIGHER = "higher"
    LOWER = "lower"
    NEARER_ZERO = "nearer zero"


@dataclass(frozen=True)
class Row:
    """A row of the table: the metric's name, how to print it, and which way it improves.

    Attributes:
        metric: the name by which `MelodyMetrics` knows it.
        label: the name in print.
        better: which way it improves.
        is_percentage: whether the fraction is printed as a percentage.
    """

    metric: str
    label: str
    better: Better
    is_percentage: bool = True


TABLE_1_ROWS = (
    Row("notes_not_in_key", "Notes not in key", Better.LOWER),
    Row("autocorrelation_lag1", "Mean autocorrelation, lag 1", Better.NEARER_ZERO, False),
    Row("autocorrelation_lag2", "Mean autocorrelation, lag 2", Better.NEARER_ZERO, False),
    Row("autocorrelation_lag3", "Mean autocorrelation, lag 3", Better.NEARER_ZERO, False),
    Row("notes_excessively_repeated", "Notes excessively repeated", Better.LOWER),
    Row("starting_with_tonic", "Melodies starting with the tonic", Better.HIGHER),
    Row("leaps_resolved", "Leaps resolved", Better.HIGHER),
    Row("unique_highest", "Melodies with a unique highest note", Better.HIGHER),
    Row("unique_lowest", "Melodies with a unique lowest note", Better.HIGHER),
    Row("notes_in_motif", "Notes in a motif", Better.HIGHER),
    Row("notes_in_repeated_motif", "Notes in a repeated motif", Better.HIGHER),
)
"""The rows in the papers' order."""

METRIC_NAMES = tuple(row.metric for row in TABLE_1_ROWS)
"""The metrics' names in the order of the rows."""

_ROW_OF_METRIC = {row.metric: row for row in TABLE_1_ROWS}


def _column(*values: float) -> dict[str, float]:
    return dict(zip(METRIC_NAMES, values, strict=True))


PAPER_TABLE_1 = {
    "Note RNN": _column(
        0.0009, -0.16, 0.14, -0.13, 0.633, 0.0086, 0.772, 0.647, 0.494, 0.0585, 0.00007
    ),
    "Q": _column(0.0100, -0.11, 0.03, 0.03, 0.0, 0.288, 0.911, 0.564, 0.519, 0.757, 0.0011),
    "Ψ": _column(0.0060, -0.10, -0.01, 0.01, 0.0002, 0.287, 0.900, 0.594, 0.583, 0.738, 0.0009),
    "G": _column(0.287, 0.55, 0.31, 0.17, 0.0003, 0.0, 0.522, 0.371, 0.565, 0.693, 0.0001),
}
"""The papers' figures by column and metric, percentages as fractions."""


def is_better(metric: str, value: float, reference: float) -> bool:
    """Whether `value` improves on `reference` in this row; an equal or undefined one does not.

    Raises:
        KeyError: if the table has no such metric.
    """
    better = _ROW_OF_METRIC[metric].better
    if better is Better.HIGHER:
        return value > reference
    if better is Better.LOWER:
        return value < reference
    return abs(value) < abs(reference)


def best_of_papers() -> dict[str, float]:
    """The best entry of every row of the papers' table, the Note RNN's among them."""
    best: dict[str, float] = {}
    for column in PAPER_TABLE_1.values():
        for metric, value in column.items():
            if metric not in best or is_better(metric, value, best[metric]):
                best[metric] = value
    return best
