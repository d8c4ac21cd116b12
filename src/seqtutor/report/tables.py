"""Tables of measurements: built once, shown in a terminal, in Markdown or as CSV.

A cell holds a value, the ends of its interval, and the reference that it is compared with.
The unit and the better direction of a row determine how its numbers are formatted and whether a
cell is marked as better or worse than its reference.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from seqtutor.errors import printable
from seqtutor.files import atomic_write
from seqtutor.measure import Better, Estimate, Unit, gain
from seqtutor.measures.intervals import Interval, interval_over_seeds

if TYPE_CHECKING:
    import rich.table

UNDEFINED = "–"


class Verdict(Enum):
    """The result of comparing a cell with its reference; the value is the mark shown."""

    BETTER = "✓"
    WORSE = "✗"
    UNDECIDED = "≈"


LEGEND = "✓ better than the reference, ✗ worse, ≈ the interval contains the reference."


@dataclass(frozen=True)
class Cell:
    """One measurement, or a text.

    `low` and `high` are the ends of the interval around `value`, in the same unit; `None` if they
    are not known.
    """

    value: float | str
    low: float | None = None
    high: float | None = None
    reference: float | None = None

    @classmethod
    def of_interval(cls, interval: Interval, reference: float | None = None) -> Cell:
        """A value with the ends of its interval."""
        if math.isnan(interval.half_width):
            return cls(interval.value, reference=reference)
        return cls(*interval, reference)

    @property
    def interval(self) -> Interval:
        """The value, which is not a text, with the ends of its interval; NaN if not known."""
        unknown = self.low is None or self.high is None
        ends = (math.nan, math.nan) if unknown else (self.low, self.high)
        return Interval(self.value, *ends)  # type: ignore[arg-type]

    @classmethod
    def from_seeds(cls, values: Sequence[float], reference: float | None = None) -> Cell:
        """Mean of one value per seed with its 95 % t interval (none for a single seed)."""
        return cls.of_interval(interval_over_seeds([Estimate(one) for one in values]), reference)


@dataclass(frozen=True)
class Column:
    """A column of measurements; with `reference_title`, its references have a column beside it."""

    title: str
    reference_title: str | None = None


@dataclass(frozen=True)
class Row:
    """One quantity across the columns; without `better` its cells have no marks."""

    label: str
    cells: tuple[Cell, ...]
    unit: Unit = "number"
    better: Better | None = None


@dataclass(frozen=True)
class Table:
    """A titled table; every row has one cell for each column.

    Raises:
        ValueError: if a row has more or fewer cells than there are columns.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    label_title: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"the row {row.label!r} has {len(row.cells)} cells for "
                    f"{len(self.columns)} columns"
                )


def verdict(cell: Cell, better: Better | None) -> Verdict | None:
    """Compare a cell with its reference; `None` if there is nothing to compare.

    It is undecided if the interval contains the reference; by absolute values, if these differ by
    no more than half the width of the interval.
    """
    if better is None or cell.reference is None or isinstance(cell.value, str):
        return None
    found, interval = gain(cell.value, cell.reference, better), cell.interval
    if math.isnan(found):
        return None
    if better == "near zero":
        is_open = abs(found) <= interval.half_width
    else:
        is_open = interval.low <= cell.reference <= interval.high
    if is_open or found == 0:
        return Verdict.UNDECIDED
    return Verdict.BETTER if found > 0 else Verdict.WORSE


def verdicts(table: Table, column: int) -> dict[str, Verdict]:
    """The verdict of every row of a column that has one, by row label."""
    found = {row.label: verdict(row.cells[column], row.better) for row in table.rows}
    return {label: value for label, value in found.items() if value is not None}


def signed(value: float) -> str:
    """A number with at most two decimals and its sign; zero has none."""
    shown = f"{value:+.2f}".removesuffix("0").removesuffix(".0")
    return "0" if shown in ("+0", "-0") else shown.replace("-", "−")


def format_value(value: float, unit: Unit = "number") -> str:
    """Format a number for people: `63.3 %`, `0.007 %`, `−3.65`, `100,000`.

    It has up to three significant digits. NaN is shown as a dash.
    """
    if math.isnan(value):
        return UNDEFINED
    if unit == "integer":
        return _plain(value, 0)
    return f"{_three_digits(100.0 * value)} %" if unit == "share" else _three_digits(value)


def format_interval(interval: Interval, unit: Unit = "number") -> str:
    """Format a value with its interval: `63.30 ± 0.31 %`, `−0.160 ± 0.012`, `0.04 (0 … 0.15) %`.

    Half the width has two significant digits, and the value as many decimals. The interval of a
    share is shown by its ends, cut at 0 and 100 %, where it would leave them, or where its sides
    differ by more than `LIKE_SIDES`. An interval that is not known, or without width, from values
    that are all equal, is left out.
    """
    value, half = interval.value, interval.half_width
    if math.isnan(half) or half == 0 or math.isnan(value):
        return format_value(value, unit)
    if math.isinf(half):
        shown = format_value(value, unit).removesuffix(" %")
        return f"{shown} ± {_plain(half, 0)}" + (" %" if unit == "share" else "")
    if unit == "share":
        return _format_share(Interval(*(100 * part for part in interval)))
    decimals = 0 if unit == "integer" else _decimals(half)
    return f"{_plain(value, decimals)} ± {_plain(half, decimals)}"


LIKE_SIDES = 0.2
"""By how much of its longer side the other one may be shorter where an interval is shown by a ±."""


def _format_share(interval: Interval) -> str:
    """An interval in per cent."""
    value, low, high = interval
    below, above = value - low, high - value
    is_cut = 0 <= value <= 100 and (low < 0 or high > 100)
    longer = max(below, above)
    if not is_cut and abs(above - below) <= LIKE_SIDES * longer:
        decimals = _decimals(longer)
        return f"{_plain(value, decimals)} ± {_plain(longer, decimals)} %"
    shorter = min(side for side in (below, above) if side > 0)
    decimals = _decimals(longer if is_cut else shorter)
    low, high = max(low, 0.0), min(high, 100.0)
    shown = (str(round(x)) if x in (0, 100) else _plain(x, decimals) for x in (value, low, high))
    return "{} ({} … {}) %".format(*shown)


def _decimals(half_width: float) -> int:
    """As many as show two significant digits of it."""
    return min(6, max(0, 1 - _exponent(half_width)))


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def _three_digits(value: float) -> str:
    if value == 0 or math.isinf(value):
        return _plain(value, 0)
    exponent = _exponent(float(f"{value:.2e}"))  # 99.97 is shown as 100, as 100 is.
    if exponent < -6:
        return f"{value:.1e}".replace("-", "−")
    if exponent >= 0:
        return _plain(value, max(0, 2 - exponent))
    # Trailing zeros go, but not those of the first two decimals: 0.60 and 0.007.
    shown = _plain(value, 2 - exponent)
    spare = shown[shown.index(".") + 3 :].rstrip("0")
    return shown[: shown.index(".") + 3] + spare


def _plain(value: float, decimals: int) -> str:
    """Fixed-point with thousands separated and a minus sign; zero has no sign."""
    shown = f"{value:,.{decimals}f}"
    if float(shown.replace(",", "")) == 0:
        shown = shown.removeprefix("-")
    return shown.replace("-", "−")


def format_cell(cell: Cell, unit: Unit) -> str:
    """What a table shows of a cell, without its reference."""
    if isinstance(cell.value, str):
        return cell.value
    return format_interval(cell.interval, unit)


def format_reference(cell: Cell, unit: Unit) -> str:
    """What a table shows beside a cell as its reference; empty without one."""
    return "" if cell.reference is None else format_value(cell.reference, unit)


def notes_of(table: Table) -> list[str]:
    """What stands below a table: its note, and the legend if any of its cells has a mark."""
    compared = any(verdicts(table, column) for column in range(len(table.columns)))
    return [line for line in (table.note, LEGEND if compared else "") if line]


def render_rich(table: Table) -> rich.table.Table:
    """The table for a terminal: better is bold green with ✓, worse red with ✗."""
    import rich.box
    import rich.table
    from rich.text import Text

    def text(content: str, style: str = "") -> Text:
        return Text(printable(content), style)

    styles = {Verdict.BETTER: "bold green", Verdict.WORSE: "red", Verdict.UNDECIDED: "yellow"}
    rendered = rich.table.Table(
        title=text(table.title, style="bold"),
        caption=text("\n".join(notes_of(table))),
        caption_justify="left",
        box=rich.box.SIMPLE_HEAD,
        pad_edge=False,
    )
    rendered.add_column(text(table.label_title), justify="left")
    for column in table.columns:
        rendered.add_column(text(column.title), justify="right", no_wrap=True)
        if column.reference_title is not None:
            rendered.add_column(
                text(column.reference_title), justify="right", style="dim", no_wrap=True
            )
    for row in table.rows:
        texts = [text(row.label)]
        for column, cell in zip(table.columns, row.cells, strict=True):
            found = verdict(cell, row.better)
            mark = "  " if found is None else f" {found.value}"
            style = "" if found is None else styles[found]
            texts.append(text(format_cell(cell, row.unit) + mark, style=style))
            if column.reference_title is not None:
                texts.append(text(format_reference(cell, row.unit)))
        rendered.add_row(*texts)
    return rendered


def render_markdown(table: Table) -> str:
    """The table as GitHub's Markdown: better is bold with ✓, worse has ✗. Ends with a newline."""
    header, alignment = [table.label_title], [":--"]
    for column in table.columns:
        titles = [column.title, column.reference_title]
        header += [title for title in titles if title is not None]
        alignment += ["--:" for title in titles if title is not None]
    lines = [header, alignment]
    for row in table.rows:
        line = [row.label]
        for column, cell in zip(table.columns, row.cells, strict=True):
            line.append(_markdown_cell(cell, row))
            if column.reference_title is not None:
                line.append(format_reference(cell, row.unit))
        lines.append(line)
    grid = "\n".join("| " + " | ".join(_escape(text) for text in line) + " |" for line in lines)
    parts = [f"**{_escape(table.title)}**"] if table.title else []
    return "\n\n".join([*parts, grid, *notes_of(table)]) + "\n"


def _markdown_cell(cell: Cell, row: Row) -> str:
    text = format_cell(cell, row.unit)
    found = verdict(cell, row.better)
    if found is None:
        return text
    return f"**{text}** {found.value}" if found is Verdict.BETTER else f"{text} {found.value}"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write_csv(table: Table, path: str | Path) -> Path:
    """Write one line per cell, with full precision and shares from 0 to 1.

    Columns: row, column, value, half_width, low, high, reference, unit, better, verdict; empty
    where unknown.

    Raises:
        UserError: if the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    ends = ["half_width", "low", "high"]
    writer.writerow(["row", "column", "value", *ends, "reference", "unit", "better", "verdict"])
    writer.writerows(_csv_lines(table))
    return atomic_write(path, text.getvalue())


def _csv_lines(table: Table) -> Iterator[list[object]]:
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            found = verdict(cell, row.better)
            yield [
                row.label,
                column.title,
                cell.value,
                *_ends(cell),
                "" if cell.reference is None else cell.reference,
                row.unit,
                row.better or "",
                "" if found is None else found.name.lower(),
            ]


def _ends(cell: Cell) -> list[float | str]:
    """Half the width of the interval, and its ends; empty if they are not known."""
    if cell.low is None or cell.high is None:
        return [""] * 3
    return [(cell.high - cell.low) / 2, cell.low, cell.high]
