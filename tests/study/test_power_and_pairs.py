"""How many listeners a study needs, and which pair it asks next."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from simulated_studies import studies

from seqtutor.errors import UserError
from seqtutor.study.adaptive import next_cells, next_pair
from seqtutor.study.bradley_terry import probabilities
from seqtutor.study.inference import infer
from seqtutor.study.power import LEVEL, listeners_needed, power_of
from seqtutor.study.tally import cells_of
from study_adaptive import best, bound, course, pair, place_of, readings_of


def test_the_power_is_that_of_simulated_studies():
    plan = listeners_needed(1.0, 12, models=3, spread=0.4)
    found = []
    for counted in studies(150, plan.listeners, 2, (0.0, 0.5, 1.0), spread=0.4, seed=1):
        inference = infer(counted)
        found.append(inference.test(inference.contrast(2, 0)) < LEVEL / plan.tests)
    # Three standard errors of a share of 150 studies.
    assert np.mean(found) == pytest.approx(plan.power, abs=0.1)


def test_power_rises_with_listeners_trials_and_effect():
    base = power_of(20, 0.5, 20, models=4).power
    assert 0.05 < base < 1
    assert power_of(40, 0.5, 20, models=4).power > base
    assert power_of(20, 0.5, 40, models=4).power > base
    assert power_of(20, 0.8, 20, models=4).power > base
    assert power_of(20, 0.5, 20, models=4, spread=0.8).power < base
    assert power_of(20, -0.5, 20, models=4).power == pytest.approx(base)


@pytest.mark.parametrize("listeners", [200, 500, 900, 5000])
def test_a_study_that_is_large_finds_nearly_always(listeners):
    plan = power_of(listeners, 0.5, 20)
    assert plan.power == pytest.approx(1.0)
    assert "found in over 99 % of such studies" in str(plan)


def test_the_number_is_the_smallest_that_is_enough():
    plan = listeners_needed(0.6, 20, power=0.9, models=4)
    assert plan.power >= 0.9
    assert power_of(plan.listeners - 1, 0.6, 20, models=4).power < 0.9
    assert f"{plan.listeners} listeners with 20 comparisons each" in str(plan)
    assert "65 : 35" in str(plan)


@pytest.mark.parametrize(
    "arguments",
    [{"effect": 0.0}, {"effect": 1e-4}, {"trials": 0}, {"power": 1.0}, {"models": 1}],
)
def test_what_cannot_be_planned_is_one_line(arguments):
    with pytest.raises(UserError):
        listeners_needed(**{"effect": 0.5, "trials": 20, **arguments})


def chosen(strengths, goal="order", each=400.0):
    counts = each * probabilities(np.array([*strengths[1:], 0.0, -0.7]))
    models = len(strengths)
    pair = next_pair(counts, models, np.random.default_rng(0), goal)
    return set(pair)


def test_the_best_model_is_sought_among_those_that_lead():
    """The two that are last are as close, and of no interest."""
    assert chosen((0.0, 0.02, 2.0, 2.4), "best") == {2, 3}
    assert chosen((0.0, 0.02, 2.0, 2.4), "order") == {0, 1}
    # Nothing is open any more: the votes still go somewhere.
    assert len(chosen((0.0, 3.0, 6.0), "best", each=1e6)) == 2


def test_the_pair_is_the_one_that_is_still_open():
    assert chosen((0.0, 0.05, 2.0, 3.0)) == {0, 1}
    assert chosen((0.0, 1.5, 3.0, 3.05)) == {2, 3}
    # Far apart: neighbours tell more of the scale than models of which one wins always.
    assert chosen((0.0, 3.0, 6.0), goal="all") in ({0, 1}, {1, 2})


def test_the_side_that_was_heard_less_often_comes_next():
    counts = 100 * probabilities(np.array([0.02, 2.0, 0.0, -0.7]))
    cells = cells_of(3)
    counts[cells.index((0, 1))] *= 1.1
    assert next_pair(counts, 3, np.random.default_rng(0))[0] == 1


def test_from_the_start_every_pair_is_asked():
    generator = np.random.default_rng(0)
    counts, asked = np.zeros((1, 12, 3)), []
    for _ in range(24):
        place = int(next_cells(counts, 4, generator, "all")[0])
        asked.append(frozenset(cells_of(4)[place]))
        counts[0, place] += 1 / 3
    assert set(asked) == {frozenset(pair) for pair in combinations(range(4), 2)}


@pytest.mark.parametrize("strengths", [(0.0, 0.3, 1.5, 3.0), (0.0, 0.0, 1.0, 2.0)])
def test_the_best_model_is_known_with_sixty_per_cent_of_the_votes(strengths):
    """The difference of the two that lead; other goals and designs are in the benchmark."""
    balanced = best(course(strengths, None, 240, 8))[-1]
    assert best(course(strengths, "best", 144, 8))[-1] <= balanced


def test_two_close_models_need_at_most_sixty_per_cent_of_the_votes():
    strengths = (0.0, 0.3, 1.5, 3.0)
    reading = pair(place_of(0, 1, 4))
    balanced = reading(course(strengths, None, 240, 8))[-1]
    assert reading(course(strengths, "order", 144, 8))[-1] <= balanced


def test_no_choice_of_pairs_beats_balance_where_all_models_are_equal():
    """One named pair needs a third of the votes; the mean and the widest need all of them."""
    equal = (0.0, 0.0, 0.0, 0.0)
    bounds = {name: bound(equal, shares) for name, (_, shares) in readings_of(equal).items()}
    assert bounds["closest"] == pytest.approx(1 / 3, abs=0.01)
    assert bounds["mean"] == pytest.approx(1.0, abs=0.001)
    assert bounds["widest"] == pytest.approx(1.0, abs=0.001)
