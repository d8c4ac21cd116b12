"""Tables and curves of goals: what is shown is what was recorded."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from seqtutor.measures.intervals import mean_interval
from seqtutor.report.tables import verdict
from seqtutor.tasks.molecule.goal_report import (
    AREA_LABEL,
    CALLS_LABEL,
    LABELS,
    SHORT_LABELS,
    goal_curves,
    goal_table,
)
from seqtutor.tasks.molecule.goals import BUDGET, GOALS
from seqtutor.tasks.molecule.oracle import area_under_best, mean_of_best


def values(seed, calls):
    return np.random.default_rng(seed).random(calls)


def rows_of(table):
    return {row.label: row for row in table.rows}


def test_cells_are_means_over_seeds_cut_at_the_budget():
    seeds = [values(0, 250), values(1, 180)]
    rows = rows_of(goal_table(GOALS["celecoxib"], "psi", seeds, 200))
    seeds = [seeds[0][:200], seeds[1]]
    for number, label in LABELS.items():
        mean, half = mean_interval([mean_of_best(one, number) for one in seeds])
        cell, best = rows[label].cells
        assert cell.interval == pytest.approx((mean, mean - half, mean + half))
        assert best.value == 1
    area = rows[AREA_LABEL].cells[0]
    assert area.value == pytest.approx(np.mean([area_under_best(one, 200) for one in seeds]))
    assert area.reference is None, "another budget than REINVENT's"
    assert rows[CALLS_LABEL].cells[0].value == 190


def test_the_published_area_stands_beside_the_same_budget_alone():
    for name, goal in GOALS.items():
        table = goal_table(goal, "psi", [values(0, 100)], BUDGET)
        area = rows_of(table)[AREA_LABEL]
        known = {"qed": 0.941, "celecoxib": 0.713, "isomers": 0.642}.get(name)
        assert area.cells[0].reference == known
        assert table.columns[0].reference_title == (None if known is None else "REINVENT")
        assert (verdict(area.cells[0], area.better) is None) == (known is None)
        assert goal.best.source in table.note
        assert ("without bound" in table.note) == (name == "penalized-logp")
    unlimited = goal_table(GOALS["qed"], "psi", [values(0, 100)], None)
    assert AREA_LABEL not in rows_of(unlimited)


def test_curves_go_on_to_the_budget_with_their_last_value():
    seeds = [values(2, 130), values(3, 330)]
    figure = goal_curves(GOALS["qed"], seeds, 400)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    (legend,) = figure.legends
    renderer = FigureCanvasAgg(figure).get_renderer()
    ends = legend.get_window_extent(renderer)
    assert 0 <= ends.x0 < ends.x1 <= figure.bbox.width, "it fits into the figure"
    for number, label in SHORT_LABELS.items():
        line = lines[label]
        assert line.get_xdata().tolist() == [100, 200, 300, 400]
        expected = np.mean(
            [
                [mean_of_best(one[:calls], number) for calls in (100, 200, 300, 400)]
                for one in seeds
            ],
            axis=0,
        )
        np.testing.assert_allclose(line.get_ydata(), expected)
    with pytest.raises(ValueError, match="no calls"):
        goal_curves(GOALS["qed"], [np.zeros(0)], 100)
