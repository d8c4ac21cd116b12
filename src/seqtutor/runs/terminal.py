"""Results on standard output: tables and counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from seqtutor.report.tables import Table

WIDE = 200
"""Columns for output that goes to a file or another program, where nothing need be cut."""
_UNBOUNDED = 1 << 20
"""Columns, to ask a table how wide it would like to be: of a console it never asks for more."""


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun: "1 melody", "1,000 melodies"."""
    return f"{number:,} {one if number == 1 else many}"


def print_table(table: Table) -> None:
    """Print a table; one that is wider than the terminal is printed in several parts."""
    from rich.console import Console

    console = Console()
    _print_parts(console if console.is_terminal else Console(width=WIDE), table)


def _print_parts(console: Console, table: Table) -> None:
    from seqtutor.report.tables import render_rich

    rendered = render_rich(table)
    columns = len(table.columns)
    wanted = console.measure(rendered, options=console.options.update(max_width=_UNBOUNDED))
    if columns == 1 or wanted.maximum <= console.width:
        console.print(rendered)
        return
    for part in (slice(None, columns // 2), slice(columns // 2, None)):
        rows = tuple(replace(row, cells=row.cells[part]) for row in table.rows)
        _print_parts(console, replace(table, columns=table.columns[part], rows=rows))
