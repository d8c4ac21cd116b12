"""The paper's tests against scipy and statsmodels, and p over listeners."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kruskal, kstest, mannwhitneyu
from statsmodels.stats.multitest import multipletests

import study_statistics as statistics
from planted_defects import simulated_votes
from seqtutor.study.rank_tests import holm, kruskal_wallis, mann_whitney, ratings_of
from seqtutor.study.simulated import Population

MODELS = ("prior", "q", "psi")


def votes_of(population, listeners=10, comparisons=12, seed=0):
    drawn = [population.listener(number, MODELS, seed) for number in range(listeners)]
    return simulated_votes(drawn, MODELS, comparisons, catch=2, seed=seed)


def test_statistics_and_p_are_those_of_scipy():
    votes = votes_of(Population({"psi": 0.8}))
    generator = np.random.default_rng(0)
    ratings = {model: [] for model in MODELS}
    for vote in votes:
        if vote.kind == "comparison":
            ratings[vote.left].append(-vote.rating)
            ratings[vote.right].append(vote.rating)
    expected = kruskal(*ratings.values())
    found = kruskal_wallis(votes, MODELS, generator)
    assert (found.H, found.p, found.df) == pytest.approx((*expected, 2))
    raw = []
    for one in mann_whitney(votes, MODELS, generator):
        expected = mannwhitneyu(ratings[one.first], ratings[one.second])
        assert (one.U, one.p) == pytest.approx(tuple(expected))
        assert one.effect == pytest.approx(2 * one.U / 80**2 - 1)
        raw.append(one.p)
    corrected = [one.p_holm for one in mann_whitney(votes, MODELS, generator)]
    assert corrected == pytest.approx(multipletests(raw, method="holm")[1])


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_that_of_statsmodels(seed):
    p = np.random.default_rng(seed).random(7) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_over_listeners_p_is_uniform_where_the_papers_is_not():
    """Listeners have tastes of their own, and no model is better."""
    found = []
    for seed in range(120):
        votes = votes_of(Population(spread=0.8), seed=seed)
        found.append(kruskal_wallis(votes, MODELS, np.random.default_rng(seed)))
    over_listeners = [one.p_listeners for one in found]
    assert kstest(over_listeners, "uniform").pvalue > 0.01
    assert np.mean([one.p < 0.05 for one in found]) > 0.2


def test_a_clear_preference_is_found():
    votes = votes_of(Population({"psi": 1.5}))
    generator = np.random.default_rng(0)
    assert kruskal_wallis(votes, MODELS, generator).p_listeners < 0.01
    first, second, third = mann_whitney(votes, MODELS, generator)
    assert first.p_listeners > 0.05
    assert second.p_listeners < 0.05
    assert third.effect < -0.3


def test_equal_ratings_have_no_test():
    votes = [vote for vote in votes_of(Population()) if vote.rating == 0]
    found = kruskal_wallis(votes, MODELS, np.random.default_rng(0))
    assert (found.H, found.p, found.p_listeners) == (0.0, 1.0, 1.0)
    assert all(one.p == 1.0 for one in mann_whitney(votes, MODELS, np.random.default_rng(0)))


def test_ratings_of_a_comparison_are_opposite():
    ratings = ratings_of(votes_of(Population({"psi": 1})), MODELS)
    assert sum(one.sum() for one in ratings) == 0


def test_the_papers_statistic_is_not_of_its_wins():
    """Jaques et al. (2017): H = 109.480 with 92 comparisons of each of four models."""
    wins = (15, 70, 60, 39)
    scores = [np.repeat((1.0, 0.0), (won, 92 - won)) for won in wins]
    squares = sum((won - 46) ** 2 for won in wins)
    assert statistics.win_statistic(squares, 92, 4) == pytest.approx(kruskal(*scores).statistic)
    # Deviations that add up to zero have an even sum of squares.
    closest = min(abs(statistics.win_statistic(one, 92, 4) - 109.480) for one in range(0, 9000, 2))
    assert closest > 0.03
    assert 184 not in statistics.totals_of(109.480, 92, 4)
