"""Tables on standard output: nothing of them is cut."""

from seqtutor.report.tables import Cell, Column, Row, Table
from seqtutor.runs.terminal import WIDE, print_table

COLUMNS, ROWS = 14, 3
LABEL = "how often something happens"


def test_a_table_that_is_too_wide_comes_in_parts_that_all_have_their_names(capsys):
    table = Table(
        "Many generators",
        tuple(Column(f"generator {column}", f"paper {column}") for column in range(COLUMNS)),
        tuple(
            Row(f"{LABEL} {row}", tuple(Cell(1000.0 * row + column) for column in range(COLUMNS)))
            for row in range(ROWS)
        ),
    )
    print_table(table)
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= WIDE
    for row in range(ROWS):
        assert printed.count(f"{LABEL} {row}") > 1
    for column in range(COLUMNS):
        assert printed.count(f"generator {column} ") == 1
        assert printed.count(f" {2000 + column:,} ") == 1
