"""The record of an oracle's calls, and the measures of the PMO benchmark.

A call is a valid molecule, by its canonical SMILES, whose value is asked for and was not before.
The measures are those of Gao et al. (2022), "Sample efficiency matters": the best value and the
means of the 10 and the 100 best over a budget of calls, and the area under the curve of the mean of
the 10 best against calls.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from seqtutor.errors import UserError
from seqtutor.files import atomic_write

TOPS = (1, 10, 100)
"""Numbers of best molecules that a mean is taken over."""

AREA_OF = 10
"""Number of best molecules whose mean gives the area."""

EVERY = 100
"""Calls between two points of a curve, as in PMO."""

CALLS = "goal.csv"
"""The file of a run's calls in its folder."""

CallValues = Float[np.ndarray, " call"]


class Oracle:
    """Molecules and their values, in the order of their calls.

    Args:
        budget: calls after which no more are recorded; `None` for no limit.
    """

    def __init__(self, budget: int | None = None) -> None:
        self.budget = budget
        self._values: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._values)

    @property
    def is_spent(self) -> bool:
        """Whether no call is left."""
        return self.budget is not None and len(self) >= self.budget

    @property
    def smiles(self) -> list[str]:
        """The molecules."""
        return list(self._values)

    @property
    def values(self) -> CallValues:
        """Their values."""
        return np.array(list(self._values.values()))

    def ask(self, smiles: Sequence[str | None], values: Sequence[float] | CallValues) -> None:
        """Record the molecules of a batch; `None` stands for a string that is not a molecule."""
        for one, value in zip(smiles, values, strict=True):
            if self.is_spent:
                return
            if one is not None:
                self._values.setdefault(one, float(value))

    def state(self) -> list[tuple[str, float]]:
        """All calls, in JSON's types."""
        return list(self._values.items())

    def restore(self, state: Sequence[tuple[str, float]]) -> None:
        """Replace the calls by those of another record."""
        self._values = dict(state)

    def write(self, path: Path) -> Path:
        """Write the calls as a table: call, SMILES, value.

        Raises:
            UserError: if the file cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["call", "smiles", "value"])
        rows = enumerate(self._values.items(), start=1)
        writer.writerows((call, smiles, repr(value)) for call, (smiles, value) in rows)
        return atomic_write(path, text.getvalue())

    @classmethod
    def read(cls, path: Path) -> Oracle:
        """Read what `write` wrote.

        Raises:
            UserError: if it cannot be read.
        """
        oracle = cls()
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file, strict=True))
            oracle.restore([(row["smiles"], float(row["value"])) for row in rows])
        except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError, csv.Error) as error:
            raise UserError(f"cannot read the calls of the oracle in {path}: {error}") from None
        return oracle


def mean_of_best(values: CallValues, number: int) -> float:
    """The mean of the best values, of fewer where there are not as many; NaN without any."""
    return float(np.mean(np.sort(values)[-number:])) if len(values) else math.nan


def curve_points(calls: int) -> list[int]:
    """The numbers of calls at which a curve has a point: each hundred, and the last."""
    return [*range(EVERY, calls, EVERY), calls] if calls else []


def best_so_far(values: CallValues, number: int) -> CallValues:
    """The mean of the best values at each of `curve_points`."""
    return np.array([mean_of_best(values[:calls], number) for calls in curve_points(len(values))])


def area_under_best(values: CallValues, budget: int, number: int = AREA_OF) -> float:
    """The area under the curve of the mean of the best values against calls, over the budget.

    PMO's definition: trapezoids from (0, 0) through the points of the curve, which keeps its last
    value where there are fewer calls than the budget. NaN without any call.

    Args:
        values: of the calls in their order; those beyond the budget do not count.
        budget: the width that the area is divided by.
        number: of best molecules.
    """
    values = values[:budget]
    if not len(values):
        return math.nan
    calls = np.array([0, *curve_points(len(values))])
    heights = np.array([0.0, *best_so_far(values, number)])
    area = np.sum(np.diff(calls) * (heights[1:] + heights[:-1]) / 2)
    return float(area + (budget - len(values)) * heights[-1]) / budget
