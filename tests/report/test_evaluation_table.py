"""The table of any task: what its cells, marks, counts and JSON say."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from seqtutor.measure import Estimate, Measure, Published
from seqtutor.measures.intervals import interval_of, mean_interval
from seqtutor.measures.log_partition import LogPartition
from seqtutor.report.evaluation_table import (
    PolicyColumn,
    evaluation_json,
    evaluation_table,
    interval_note,
)
from seqtutor.report.tables import Cell, Verdict, render_markdown, verdicts

ROWS = (
    Measure("valid", "Valid", "higher", "share"),
    Measure("lag", "Lag", "near zero"),
    Measure("entropy", "Entropy"),
    Measure("unknown", "Nobody knows", "higher"),
)
PUBLISHED = Published(
    {"LSTM": {"valid": 0.5, "lag": 0.2}, "Ψ": {"valid": 0.9, "lag": -0.1, "entropy": 2.0}},
    beside={"prior": "LSTM", "psi": "Ψ"},
)


def seed(valid, lag, error=0.001):
    return {
        "valid": Estimate(valid, error, 1000),
        "lag": Estimate(lag, error, 1000),
        "entropy": Estimate(1.5),
        "extra": Estimate(math.nan),
    }


PRIOR = PolicyColumn("prior", [seed(0.6, -0.3)], "Note RNN")
PSI = PolicyColumn("psi", [seed(0.8, 0.05), seed(0.9, 0.04), seed(1.0, 0.06)])
OTHER = PolicyColumn("other", [seed(0.7, 0.0)], settings={"c / γ": "2 / 1"})


def rows_of(table):
    return {row.label: row for row in table.rows}


def test_a_cell_has_the_interval_over_seeds_or_over_sequences():
    cells = rows_of(evaluation_table([PRIOR, PSI], ROWS))["Valid"].cells
    half = interval_of(Estimate(0.6, 0.001, 1000)).half_width
    assert (cells[0].value, cells[0].interval.half_width) == (0.6, pytest.approx(half))
    mean, half = mean_interval([0.8, 0.9, 1.0])
    assert cells[1].interval == pytest.approx((mean, mean - half, mean + half))
    assert rows_of(evaluation_table([PRIOR], ROWS))["Entropy"].cells == (Cell(1.5),)


def test_a_row_without_a_number_is_left_out():
    assert list(rows_of(evaluation_table([PRIOR], ROWS))) == ["Valid", "Lag", "Entropy"]


def test_published_figures_stand_beside_and_mark_cells():
    table = evaluation_table([PRIOR, PSI, OTHER], ROWS, PUBLISHED)
    assert [column.title for column in table.columns] == ["Note RNN", "psi", "other"]
    assert [column.reference_title for column in table.columns] == ["paper", "paper", None]
    assert verdicts(table, 0) == {"Valid": Verdict.BETTER, "Lag": Verdict.WORSE}
    # By size: 0.05 ± 0.025 is nearer to zero than −0.1; 0.9 ± 0.25 is 0.9.
    assert verdicts(table, 1) == {"Valid": Verdict.UNDECIDED, "Lag": Verdict.BETTER}
    assert verdicts(table, 2) == {}
    unmarked = evaluation_table([PRIOR, PSI], ROWS, PUBLISHED, is_marked=False)
    assert verdicts(unmarked, 0) == {}
    assert rows_of(unmarked)["Valid"].cells[0].reference == 0.5
    assert "✓" not in render_markdown(unmarked)


def test_better_rows_are_counted_by_means():
    table = evaluation_table([PRIOR, PSI, OTHER], ROWS, PUBLISHED, counts_better=True)
    beside, best = (
        [cell.value for cell in rows_of(table)[label].cells]
        for label in ("Rows better than the papers'", "Rows better than all of the papers'")
    )
    assert beside == ["1 of 2", "1 of 2", "–"], "an equal mean is not better"
    assert best == ["0 of 2", "1 of 2", "–"]
    assert "last two rows count means" in table.note
    alone = evaluation_table([OTHER], ROWS, PUBLISHED, counts_better=True)
    assert "Rows better than the papers'" not in rows_of(alone)
    assert alone.note == ""


def test_settings_are_rows_of_text():
    cells = rows_of(evaluation_table([PRIOR, OTHER], ROWS))["c / γ"].cells
    assert [cell.value for cell in cells] == ["–", "2 / 1"]


def test_the_note_says_what_the_intervals_are_over():
    one = interval_note([PRIOR, OTHER], 5000, "words", 0.5)
    assert one == (
        "5,000 words a policy at temperature 0.5; "
        "± or (low … high) is the 95 % interval over words of one run."
    )
    several = interval_note([PRIOR, PSI], 5000, "words")
    assert several.endswith("over 3 seeds, of the prior over its words.")
    mixed = interval_note([PRIOR, PSI, OTHER, PolicyColumn("g", PSI.seeds[:2])], 5000, "words")
    assert mixed.endswith("over 2 or 3 seeds, of a single policy over its words.")


def test_columns_of_one_name_are_told_apart():
    columns = [replace(PSI, title="Ψ", variant=f"c {c}") for c in (1, 2)]
    table = evaluation_table(columns, ROWS, PUBLISHED)
    assert [column.title for column in table.columns] == ["Ψ (c 1)", "Ψ (c 2)"]
    assert {column.reference_title for column in table.columns} == {PUBLISHED.heading_beside("psi")}
    assert list(evaluation_json(columns)) == ["psi (c 1)", "psi (c 2)"]


def test_the_json_has_each_seed_with_its_intervals():
    found = json.loads(json.dumps(evaluation_json([PRIOR, PSI])))
    assert [len(seeds) for seeds in found.values()] == [1, 3]
    own = found["prior"][0]
    assert (own["valid"], own["entropy"], own["extra"]) == (0.6, 1.5, None)
    assert own["intervals"].keys() == {"valid", "lag"}
    low, high = own["intervals"]["valid"]
    assert (low + high) / 2 == pytest.approx(0.6)
    assert high - low == pytest.approx(2 * interval_of(Estimate(0.6, 0.001, 1000)).half_width)


def test_json_has_null_for_what_is_not_finite():
    bounds = LogPartition(2.0, -math.inf, math.inf, 3.0, math.nan, 10)
    estimates = {"objective": Estimate(1.0, 0.1, 100), "own": Estimate(math.inf, 1.0, 9)}
    column = PolicyColumn("psi", [estimates], log_partition=bounds)
    found = json.loads(json.dumps(evaluation_json([column]), allow_nan=False))["psi"][0]
    assert found["own"] is None
    assert found["log_partition"]["lower"] is found["log_partition"]["pareto_k"] is None
    assert found["intervals"]["nats_from_optimum"][1] is None
