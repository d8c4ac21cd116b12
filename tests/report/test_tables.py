"""Every rendering of a table says the same numbers."""

import csv
import io
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.measures.intervals import Interval, mean_interval, share_interval
from seqtutor.report.tables import (
    LEGEND,
    Cell,
    Column,
    Row,
    Table,
    Verdict,
    format_interval,
    format_value,
    render_markdown,
    render_rich,
    verdict,
    verdicts,
    write_csv,
)


def cell(value, half_width=math.nan, reference=None):
    return Cell.of_interval(Interval.around(value, half_width), reference)


TABLE = Table(
    "Two methods",
    (Column("Q", "paper, Q"), Column("Ψ")),
    (
        Row("in key", (cell(0.987, 0.004, 0.9), Cell(0.5)), "share", "higher"),
        Row("repeated", (cell(0.02, 0.001, 0.01), Cell(0.00007)), "share", "lower"),
        Row("lag 1", (cell(-0.163, 0.05, 0.17), Cell(math.nan)), "number", "near zero"),
        Row("steps", (Cell(3e6), Cell("a|b")), "integer"),
    ),
    note="Three seeds.",
)


def parse(text):
    """Value and half width that a reader sees."""
    parts = re.sub(r"[*✓✗≈%, ]", "", text).replace("−", "-").split("±")
    scale = 100 if "%" in text else 1
    return [float(part) / scale for part in parts]


@pytest.mark.parametrize(
    ("value", "unit", "half_width", "shown"),
    [
        (0.633, "share", math.nan, "63.3 %"),
        (0.00007, "share", math.nan, "0.007 %"),
        (0.006, "share", math.nan, "0.60 %"),
        (1.0, "share", math.nan, "100 %"),
        (0.0, "share", 0.0, "0 %"),
        (0.633, "share", 0.0031, "63.30 ± 0.31 %"),
        (0.982, "share", 0.04, "98.2 (94.2 … 100) %"),
        (0.34, "share", 1.41, "34 (0 … 100) %"),
        (0.0004, "share", 0.0011, "0.04 (0 … 0.15) %"),
        (-0.16, "number", math.nan, "−0.16"),
        (-0.16, "number", 0.0123, "−0.160 ± 0.012"),
        (-0.001, "number", 0.12, "0.00 ± 0.12"),
        (1e-9, "number", math.nan, "1.0e−09"),
        (-3.65, "number", math.nan, "−3.65"),
        (100_000, "integer", math.nan, "100,000"),
        (1234.5, "integer", 56.7, "1,234 ± 57"),
        (math.nan, "number", math.nan, "–"),
        (0.5, "number", math.nan, "0.50"),
    ],
)
def test_numbers_are_written_as_a_reader_wants_them(value, unit, half_width, shown):
    assert format_interval(Interval.around(value, half_width), unit) == shown


@pytest.mark.parametrize(
    ("seen", "trials", "shown"),
    [
        (0, 20, "0 (0 … 17) %"),
        (0, 100_000, "0 (0 … 0.0037) %"),
        (20, 20, "100 (83 … 100) %"),
        (3, 3200, "0.094 (0.019 … 0.274) %"),
        (10, 20, "50 ± 23 %"),
        (15_000, 100_000, "15.00 ± 0.22 %"),
    ],
)
def test_an_interval_that_is_not_symmetrical_is_shown_by_its_ends(seen, trials, shown):
    assert format_interval(share_interval(seen / trials, trials), "share") == shown


@given(st.floats(-1e6, 1e6), st.sampled_from(["number", "share"]))
def test_a_number_is_shown_to_two_digits_at_least(value, unit):
    assert parse(format_value(value, unit))[0] == pytest.approx(value, rel=0.051, abs=1e-12)


@given(st.floats(-100, 100), st.floats(1e-4, 50))
def test_an_interval_is_shown_to_two_digits(value, half_width):
    shown_value, shown_half_width = parse(format_interval(Interval.around(value, half_width)))
    assert shown_half_width == pytest.approx(half_width, rel=0.051)
    assert abs(shown_value - value) <= 0.051 * half_width


@pytest.mark.parametrize(
    ("given", "better", "expected"),
    [
        (cell(0.9, 0.05, 0.8), "higher", Verdict.BETTER),
        (cell(0.9, 0.05, 0.8), "lower", Verdict.WORSE),
        (cell(0.9, 0.2, 0.8), "higher", Verdict.UNDECIDED),
        (Cell(0.1, 0.09, 0.3, 0.25), "higher", Verdict.UNDECIDED),
        (Cell(0.1, 0.09, 0.3, 0.08), "higher", Verdict.BETTER),
        (cell(-0.1, reference=0.11), "near zero", Verdict.BETTER),
        (cell(-0.1, 0.05, 0.11), "near zero", Verdict.UNDECIDED),
        (cell(-0.12, reference=0.11), "near zero", Verdict.WORSE),
        (cell(0.5, reference=0.5), "higher", Verdict.UNDECIDED),
        (cell(0.5, reference=0.4), None, None),
        (Cell(0.5), "higher", None),
        (Cell("text", reference=0.4), "higher", None),
        (cell(math.nan, reference=0.4), "higher", None),
    ],
)
def test_verdicts(given, better, expected):
    assert verdict(given, better) is expected


def test_verdicts_of_a_column():
    assert verdicts(TABLE, 0) == {
        "in key": Verdict.BETTER,
        "repeated": Verdict.WORSE,
        "lag 1": Verdict.UNDECIDED,
    }
    assert verdicts(TABLE, 1) == {}


def test_markdown_cells_read_back_as_the_numbers():
    lines = [line for line in render_markdown(TABLE).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert cells[0] == ["", "Q", "paper, Q", "Ψ"]
    assert cells[1] == [":--", "--:", "--:", "--:"]
    assert {len(line) for line in cells} == {4}
    by_label = {line[0]: line[1:] for line in cells[2:]}
    assert by_label["in key"][0] == "**98.70 ± 0.40 %** ✓"
    assert parse(by_label["in key"][0]) == pytest.approx([0.987, 0.004])
    assert parse(by_label["in key"][1]) == [0.9]
    assert by_label["repeated"][0].endswith("✗")
    assert parse(by_label["repeated"][2]) == pytest.approx([0.00007])
    assert by_label["lag 1"][0].endswith("≈")
    assert by_label["steps"] == ["3,000,000", "", "a\\|b"]
    assert "Three seeds." in render_markdown(TABLE)
    assert LEGEND in render_markdown(TABLE)


def test_no_legend_without_verdicts():
    table = Table("", (Column("x"),), (Row("a", (Cell(1.0),)),))
    assert render_markdown(table) == "|  | x |\n| :-- | --: |\n| a | 1.00 |\n"


def test_terminal_and_markdown_say_the_same():
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=140).print(render_rich(TABLE))
    markdown = render_markdown(TABLE).replace("*", "").replace("\\|", "|")
    for row in TABLE.rows:
        line = next(line for line in out.getvalue().splitlines() if row.label in line)
        source = next(line for line in markdown.splitlines() if f"| {row.label} |" in line)
        assert line.split() == source.strip("| ").replace(" | ", " ").split()
    assert "better than the reference" in out.getvalue()


def test_csv_keeps_full_precision(tmp_path):
    path = write_csv(TABLE, tmp_path / "t.csv")
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(TABLE.rows) * len(TABLE.columns)
    first = lines[0]
    assert (first["row"], first["column"], first["verdict"]) == ("in key", "Q", "better")
    numbers = [float(first[k]) for k in ("value", "half_width", "low", "high", "reference")]
    assert numbers == pytest.approx([0.987, 0.004, 0.983, 0.991, 0.9])
    assert lines[1]["half_width"] == lines[1]["reference"] == lines[1]["verdict"] == ""


def test_rows_must_fit_the_columns():
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table("", (Column("a"), Column("b")), (Row("r", (Cell(1.0),)),))


def test_interval_over_seeds_is_student_s():
    # Student's t for 2 degrees of freedom at 97.5 %: 4.30265.
    mean, half_width = mean_interval([1.0, 2.0, 3.0])
    assert mean == pytest.approx(2.0)
    assert half_width == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)
    assert Cell.from_seeds([1.0, 2.0, 3.0], reference=5.0) == cell(mean, half_width, 5.0)
    assert Cell.from_seeds([1.5]) == Cell(1.5)


def test_interval_covers_the_mean_as_often_as_it_says():
    samples = np.random.default_rng(0).normal(size=(4, 20_000))
    mean, half_width = mean_interval(samples)
    assert np.mean(np.abs(mean) <= half_width) == pytest.approx(0.95, abs=0.01)
