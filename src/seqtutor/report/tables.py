"""Tables of measurements: built once, shown in a terminal, in Markdown or as CSV.

A cell holds a value, half the width of its interval, and the reference that it is compared with.
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
from typing import TYPE_CHECKING, TypeGuard

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

    `half_width` is half the width of the interval around `value`, in the same unit; `None` or NaN
    if it is not known.
    """

    value: float | str
    half_width: float | None = None
    reference: float | None = None

    @classmethod
    def of_interval(cls, interval: Interval, reference: float | None = None) -> Cell:
        """A value with the half width of its interval."""
        half = interval.half_width
        return cls(interval.value, None if math.isnan(half) else half, reference)

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

    A difference within the half width of the interval is undecided.
    """
    if better is None or cell.reference is None or isinstance(cell.value, str):
        return None
    found = gain(cell.value, cell.reference, better)
    if math.isnan(found):
        return None
    margin = cell.half_width if _is_known(cell.half_width) else 0.0
    if abs(found) <= margin:
        return Verdict.UNDECIDED
    return Verdict.BETTER if found > 0 else Verdict.WORSE


def verdicts(table: Table, column: int) -> dict[str, Verdict]:
    """The verdict of every row of a column that has one, by row label."""
    found = {row.label: verdict(row.cells[column], row.better) for row in table.rows}
    return {label: value for label, value in found.items() if value is not None}


def format_value(value: float, unit: Unit = "number", half_width: float | None = None) -> str:
    """Format a number for people: `63.3 %`, `0.007 %`, `−0.160 ± 0.012`, `100,000`.

    With an interval, the half width has two significant digits and the value as many decimals;
    without, the value has up to three significant digits. The interval of a share that would leave
    0 … 100 % is shown by its ends, cut there: `98 (94 … 100) %`. An interval without width, from
    values that are all equal, is left out. NaN is shown as a dash.
    """
    if math.isnan(value):
        return UNDEFINED
    scale = 100.0 if unit == "share" else 1.0
    sign = " %" if unit == "share" else ""
    value *= scale
    if not _is_known(half_width) or half_width == 0:
        return _integer(value) if unit == "integer" else _three_digits(value) + sign
    half_width *= scale
    if math.isinf(half_width):
        shown = _integer(value) if unit == "integer" else _three_digits(value)
        return f"{shown} ± {_plain(half_width, 0)}{sign}"
    decimals = 0 if unit == "integer" else min(6, max(0, 1 - _exponent(half_width)))
    if unit == "share" and 0 <= value <= 100 and not half_width <= value <= 100 - half_width:
        low = _plain(value - half_width, decimals) if value > half_width else "0"
        high = _plain(value + half_width, decimals) if value < 100 - half_width else "100"
        return f"{_plain(value, decimals)} ({low} … {high}){sign}"
    return f"{_plain(value, decimals)} ± {_plain(half_width, decimals)}{sign}"


def _is_known(half_width: float | None) -> TypeGuard[float]:
    return half_width is not None and not math.isnan(half_width)


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def _three_digits(value: float) -> str:
    if value == 0 or math.isinf(value):
        return _plain(value, 0)
    exponent = _exponent(value)
    if exponent < -6:
        return f"{value:.1e}".replace("-", "−")
    if exponent >= 0:
        return _plain(value, max(0, 2 - exponent))
    # Trailing zeros go, but not those of the first two decimals: 0.60 and 0.007.
    shown = _plain(value, 2 - exponent)
    spare = shown[shown.index(".") + 3 :].rstrip("0")
    return shown[: shown.index(".") + 3] + spare


def _integer(value: float) -> str:
    return _plain(value, 0)


def _plain(value: float, decimals: int) -> str:
    """Fixed-point with thousands separated and a minus sign; zero has no sign."""
    shown = f"{value:,.{decimals}f}"
    if float(shown.replace(",", "")) == 0:
        shown = shown.removeprefix("-")
    return shown.replace("-", "−")


def _format_cell(cell: Cell, unit: Unit) -> str:
    if isinstance(cell.value, str):
        return cell.value
    return format_value(cell.value, unit, cell.half_width)


def _format_reference(cell: Cell, unit: Unit) -> str:
    return "" if cell.reference is None else format_value(cell.reference, unit)


def _notes(table: Table) -> list[str]:
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
        caption=text("\n".join(_notes(table))),
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
            texts.append(text(_format_cell(cell, row.unit) + mark, style=style))
            if column.reference_title is not None:
                texts.append(text(_format_reference(cell, row.unit)))
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
                line.append(_format_reference(cell, row.unit))
        lines.append(line)
    grid = "\n".join("| " + " | ".join(_escape(text) for text in line) + " |" for line in lines)
    parts = [f"**{_escape(table.title)}**"] if table.title else []
    return "\n\n".join([*parts, grid, *_notes(table)]) + "\n"


def _markdown_cell(cell: Cell, row: Row) -> str:
    text = _format_cell(cell, row.unit)
    found = verdict(cell, row.better)
    if found is None:
        return text
    return f"**{text}** {found.value}" if found is Verdict.BETTER else f"{text} {found.value}"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write_csv(table: Table, path: str | Path) -> Path:
    """Write one line per cell, with full precision and shares from 0 to 1.

    Columns: row, column, value, half_width, reference, unit, better, verdict; empty where unknown.

    Raises:
        UserError: if the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["row", "column", "value", "half_width", "reference", "unit", "better", "verdict"]
    )
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
                cell.half_width if _is_known(cell.half_width) else "",
                "" if cell.reference is None else cell.reference,
                row.unit,
                row.better or "",
                "" if found is None else found.name.lower(),
            ]
