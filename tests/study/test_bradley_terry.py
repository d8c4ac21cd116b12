"""The fit of Davidson's model against other programs, exact cases and its symmetries."""

from __future__ import annotations

import choix
import numpy as np
import pytest
from scipy.optimize import minimize
from simulated_studies import studies

from seqtutor.study.bradley_terry import (
    design,
    fit,
    is_bounded,
    probabilities,
    profile,
    unbounded_ends,
)
from seqtutor.study.tally import cells_of

TRUTH = np.array([0.5, -1.0, 2.0, 0.3, -0.7])


def random_counts(models, seed, most=9):
    shape = (len(cells_of(models)), 3)
    return np.random.default_rng(seed).integers(1, most, shape).astype(float)


def test_exact_counts_give_the_parameters_back():
    fitted = fit(1e9 * probabilities(TRUTH), 4)
    assert fitted.parameters == pytest.approx(TRUTH, abs=1e-6)
    assert fitted.strengths == pytest.approx([0.0, 0.5, -1.0, 2.0], abs=1e-6)


def test_the_odds_of_a_side_are_the_difference_with_the_position():
    chance = probabilities(TRUTH)
    left, right = cells_of(4)[7]
    theta = np.array([0.0, *TRUTH[:3]])
    odds = np.log(chance[7, 0] / chance[7, 2])
    assert odds == pytest.approx(theta[left] - theta[right] + TRUTH[3])


def test_without_ties_and_sides_it_is_the_fit_of_choix():
    """choix knows neither; each pair is on both sides alike, and the prior weighs little."""
    wins = {(0, 1): 300, (1, 0): 700, (0, 2): 400, (2, 0): 500, (1, 2): 900, (2, 1): 350}
    counts = np.array(
        [[wins[pair], 0.0, wins[pair[::-1]]] for pair in cells_of(3)]
    )  # Both orders count the same votes.
    data = [pair for pair, number in wins.items() for _ in range(2 * number)]
    expected = choix.ilsr_pairwise(3, data, alpha=0.0)
    assert fit(counts, 3).strengths == pytest.approx(expected - expected[0], abs=2e-3)


@pytest.mark.parametrize(("models", "seed"), [(2, 0), (3, 1), (4, 2)])
def test_it_maximises_the_likelihood_times_jeffreys_prior(models, seed):
    counts, x = random_counts(models, seed), design(models)

    def minus(parameters):
        chance = probabilities(parameters)
        mean = np.einsum("co,cop->cp", chance, x)
        cast = counts.sum(axis=1)
        information = np.einsum("c,co,cop,coq->pq", cast, chance, x, x)
        information -= np.einsum("c,cp,cq->pq", cast, mean, mean)
        return -(counts * np.log(chance)).sum() - np.linalg.slogdet(information)[1] / 2

    fitted = fit(counts, models).parameters
    found = minimize(minus, np.zeros(models + 1), method="BFGS", options={"gtol": 1e-6})
    assert fitted == pytest.approx(found.x, abs=1e-4)
    place = models - 2
    values = profile(counts, models, np.eye(models + 1)[place], fitted[place] + np.array([0, 0.4]))
    assert values[0] == pytest.approx(-found.fun, abs=1e-6)
    assert values[1] < values[0]


def test_the_order_of_models_does_not_matter():
    counts, order = random_counts(4, 5), [2, 0, 3, 1]
    cells = cells_of(4)
    turned = np.array([counts[cells.index((order[i], order[j]))] for i, j in cells])
    strengths, other = fit(counts, 4).strengths, fit(turned, 4).strengths
    assert strengths[order] - strengths[order[0]] == pytest.approx(other, abs=1e-7)


def test_other_sides_turn_the_position_alone():
    counts, cells = random_counts(3, 6), cells_of(3)
    mirrored = np.array([counts[cells.index((j, i))][::-1] for i, j in cells])
    fitted, other = fit(counts, 3), fit(mirrored, 3)
    assert other.position == pytest.approx(-fitted.position, abs=1e-7)
    assert other.strengths == pytest.approx(fitted.strengths, abs=1e-7)


def test_jeffreys_prior_takes_the_bias_of_few_votes_away():
    truth = (0.0, 1.5)
    counts = np.array([one.total for one in studies(4000, 1, 10, truth, seed=1)])
    estimates = fit(counts, 2, tolerance=1e-5).parameters[:, 0]
    error = estimates.std() / len(estimates) ** 0.5
    assert abs(estimates.mean() - 1.5) < 4 * error + 0.02
    # Plain maximum likelihood: the same without the prior, where it exists.
    assert np.isfinite(estimates).all()


def test_a_model_that_wins_always_has_a_finite_estimate_and_no_upper_end():
    counts = random_counts(3, 7)
    for place, (left, right) in enumerate(cells_of(3)):
        if 2 in (left, right):
            counts[place] = [8, 0, 0] if left == 2 else [0, 0, 8]
    assert not is_bounded(counts, 3)
    ends = unbounded_ends(counts, 3, np.eye(4))
    assert ends.tolist() == [[False, False], [False, True], [False, False], [False, False]]
    assert 2 < fit(counts, 3).parameters[1] < 30
    one_loss = counts.copy()
    one_loss[cells_of(3).index((2, 0))] = [7, 0, 1]
    assert is_bounded(one_loss, 3)


def test_models_that_never_met_are_not_compared():
    counts = np.zeros((12, 3))
    for place, (left, right) in enumerate(cells_of(4)):
        if {left, right} in ({0, 1}, {2, 3}):
            counts[place] = [3, 2, 4]
    ends = unbounded_ends(counts, 4, np.eye(5))
    assert ends.tolist() == [[False] * 2, [True] * 2, [True] * 2, [False] * 2, [False] * 2]
    assert np.isfinite(fit(counts, 4).parameters).all()
