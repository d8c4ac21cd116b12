"""The table and the JSON of an evaluation: measures as rows, policies as columns, for any task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqtutor.files import json_number
from seqtutor.measure import Estimates, Measure, Published
from seqtutor.measures.estimates import UNKNOWN
from seqtutor.measures.intervals import Interval, interval_of, interval_over_seeds
from seqtutor.measures.log_partition import LogPartition
from seqtutor.report.tables import UNDEFINED, Cell, Column, Row, Table


@dataclass(frozen=True)
class PolicyColumn:
    """A policy in a table.

    Attributes:
        name: of the method, the model or "prior"; by it the published figures are found.
        seeds: the estimates of each seed.
        title: the heading; the name if left out.
        settings: further rows of text, such as {"c / γ": "0.5 / 1"}.
        variant: what tells it from other columns of its name, such as "c 0.5".
        log_partition: the bounds on log Z; the estimates then have the `objective`.
        remarks: stand below the table.
    """

    name: str
    seeds: Sequence[Estimates]
    title: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    variant: str = ""
    log_partition: LogPartition | None = None
    remarks: Sequence[str] = ()

    @property
    def heading(self) -> str:
        """The title with the variant."""
        return self._with_variant(self.title or self.name)

    @property
    def key(self) -> str:
        """The name with the variant, which no other column has."""
        return self._with_variant(self.name)

    def _with_variant(self, text: str) -> str:
        return f"{text} ({self.variant})" if self.variant else text

    def interval(self, measure: str) -> Interval:
        """Mean and 95 % interval over seeds; of a single seed, over its sequences."""
        return interval_over_seeds([one.get(measure, UNKNOWN) for one in self.seeds])


def evaluation_table(
    columns: Sequence[PolicyColumn],
    measures: Sequence[Measure],
    published: Published | None = None,
    *,
    title: str = "",
    note: str = "",
    is_marked: bool = True,
    counts_better: bool = False,
) -> Table:
    """The measures of policies, beside published figures if there are any.

    With several seeds a cell is their mean with the 95 % interval of Student's t; with one it has
    the interval over its sequences, which says nothing about other seeds. A row in which no column
    has a value is left out.

    Args:
        columns: the policies.
        measures: the rows, in order.
        published: figures to be shown beside the policies that they are compared with.
        title: of the table.
        note: stands below it.
        is_marked: whether cells are marked as better or worse than the published figures.
        counts_better: whether rows are added that count how many means are better than the
            published figures beside them, and than the best of all published columns.
    """
    headings = [published.heading_beside(one.name) if published else None for one in columns]
    rows = [_row(columns, measure, published, is_marked) for measure in measures]
    rows += _optimum_rows(columns) + _settings_rows(columns)
    has_better = any(measure.better for measure in measures)
    if published is not None and counts_better and has_better and any(headings):
        rows += _count_rows(columns, measures, published)
        note += " The last two rows count means, also those that the interval leaves open (≈)."
    remarks = dict.fromkeys(remark for column in columns for remark in column.remarks)
    return Table(
        title,
        tuple(
            Column(column.heading, heading)
            for column, heading in zip(columns, headings, strict=True)
        ),
        tuple(row for row in rows if any(map(_has_value, row.cells))),
        " ".join((note.strip(), *remarks)).strip(),
    )


def interval_note(
    columns: Sequence[PolicyColumn],
    number: int,
    sequences: str = "sequences",
    temperature: float = 1.0,
) -> str:
    """How many sequences a policy was measured on, and what the intervals are over."""
    seeds = sorted({len(column.seeds) for column in columns} - {1})
    spread = f"± or (low … high) is the 95 % interval over {sequences} of one run"
    if seeds:
        spread = f"± or (low … high) is the 95 % interval over {' or '.join(map(str, seeds))} seeds"
        single = [column.name for column in columns if len(column.seeds) == 1]
        if single:
            whose = "the prior" if single == ["prior"] else "a single policy"
            spread += f", of {whose} over its {sequences}"
    return f"{number:,} {sequences} a policy at temperature {temperature:g}; {spread}."


def evaluation_json(columns: Sequence[PolicyColumn]) -> dict[str, list[dict[str, Any]]]:
    """By column and seed, the estimates, and log Z where it has bounds."""
    return {column.key: [_seed_json(column, one) for one in column.seeds] for column in columns}


def estimates_json(estimates: Estimates) -> dict[str, Any]:
    """Values by name, and under "intervals" the ends of the known 95 % intervals over sequences.

    What is not finite is null.
    """
    intervals = {name: interval_of(estimate) for name, estimate in estimates.items()}
    return {
        **{name: json_number(one.value) for name, one in estimates.items()},
        "intervals": {
            name: [json_number(one.low), json_number(one.high)]
            for name, one in intervals.items()
            if not math.isnan(one.half_width)
        },
    }


def _seed_json(column: PolicyColumn, estimates: Estimates) -> dict[str, Any]:
    """What `estimates_json` gives and, where log Z has bounds, these and the distance from it."""
    found = estimates_json(estimates)
    bounds = column.log_partition
    if bounds is None:
        return found
    distance = bounds.above(interval_of(estimates["objective"]))
    ends = [json_number(distance.low), json_number(distance.high)]
    intervals = found.pop("intervals") | {"nats_from_optimum": ends}
    shown = ("lower", "upper", "estimate", "effective_size", "pareto_k")
    numbers = {name: json_number(getattr(bounds, name)) for name in shown}
    return {
        **found,
        "log_partition": {**numbers, "is_trusted": bounds.is_trusted},
        "nats_from_optimum": json_number(distance.value),
        "intervals": intervals,
    }


def _optimum_rows(columns: Sequence[PolicyColumn]) -> list[Row]:
    """The bounds on log Z and the distance from it, with its interval."""
    bounds, distances = [], []
    for column in columns:
        if column.log_partition is None:
            bounds.append(Cell(UNDEFINED))
            distances.append(Cell(UNDEFINED))
            continue
        own = column.log_partition
        bounds.append(Cell(shown_bounds(own)))
        distances.append(Cell(shown_distance(own.above(column.interval("objective")))))
    return [
        Row("Optimum: log Z, nats, at least … at most", tuple(bounds)),
        Row("Nats from the optimum", tuple(distances)),
    ]


def shown_bounds(bounds: LogPartition) -> str:
    """The bounds on log Z, such as "5.61 … 5.70"."""
    return _shown_ends(bounds.lower, bounds.upper)


def shown_distance(distance: Interval) -> str:
    """A distance from the optimum with its interval, such as "1.19 (1.13 … 1.26)"."""
    return f"{_shown_nats(distance.value)} ({_shown_ends(distance.low, distance.high)})"


def _shown_ends(low: float, high: float) -> str:
    return f"{_shown_nats(low)} … {_shown_nats(high)}"


def _shown_nats(value: float) -> str:
    """A number of nats to a hundredth, which is what bounds on log Z are good to."""
    return "∞" if math.isinf(value) else f"{value:,.2f}".replace("-", "−")


def _row(
    columns: Sequence[PolicyColumn],
    measure: Measure,
    published: Published | None,
    is_marked: bool,
) -> Row:
    cells = []
    for column in columns:
        figures = {} if published is None else published.figures_beside(column.name)
        cells.append(Cell.of_interval(column.interval(measure.name), figures.get(measure.name)))
    better = measure.better if is_marked else None
    return Row(measure.title, tuple(cells), measure.unit, better)


def _settings_rows(columns: Sequence[PolicyColumn]) -> list[Row]:
    names = dict.fromkeys(name for column in columns for name in column.settings)
    return [
        Row(name, tuple(Cell(column.settings.get(name, UNDEFINED)) for column in columns))
        for name in names
    ]


def _count_rows(
    columns: Sequence[PolicyColumn], measures: Sequence[Measure], published: Published
) -> list[Row]:
    """In how many rows a mean is better than the figures beside it, and than all published."""
    best = published.best(measures)
    beside, best_of_all = [], []
    for column in columns:
        figures = published.figures_beside(column.name)
        beside.append(_counts(count_better(column, measures, figures)))
        own = count_better(column, measures, best if figures else {})
        best_of_all.append(_counts(own))
    return [
        Row("Rows better than the papers'", tuple(beside)),
        Row("Rows better than all of the papers'", tuple(best_of_all)),
    ]


def count_better(
    column: PolicyColumn, measures: Sequence[Measure], figures: Mapping[str, float]
) -> tuple[int, int]:
    """In how many rows a mean is better than a figure, and how many rows there are to compare."""
    counted = [one for one in measures if one.name in figures and one.better is not None]
    means = {one.name: column.interval(one.name).value for one in counted}
    better = sum(one.improves(means[one.name], figures[one.name]) for one in counted)
    return better, len(counted)


def _counts(found: tuple[int, int]) -> Cell:
    better, number = found
    return Cell(f"{better} of {number}" if number else UNDEFINED)


def _has_value(cell: Cell) -> bool:
    return cell.value != UNDEFINED if isinstance(cell.value, str) else not math.isnan(cell.value)
