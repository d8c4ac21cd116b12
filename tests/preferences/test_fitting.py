"""The posterior of utilities: an optimum, its curvature, and what it covers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from seqtutor.errors import UserError
from seqtutor.preferences import fitting
from seqtutor.preferences.fitting import fit, predict

TRUE = np.array([1.5, -0.8, 0.0, 0.4])
TIE, BIAS = 0.6, 0.5


def votes(number, seed, tie=TIE):
    random = np.random.default_rng(seed)
    differences = random.normal(size=(number, len(TRUE)))
    half = (differences @ TRUE + BIAS) / 2
    chances = np.stack([np.exp(half), np.full(number, tie), np.exp(-half)], axis=1)
    chances /= chances.sum(axis=1, keepdims=True)
    outcome = (random.random((number, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return differences, np.array([1.0, 0.5, 0.0])[outcome]


def test_gradient_and_curvature_are_those_of_the_posterior():
    differences, scores = votes(40, 0)
    design = np.column_stack([differences, np.ones(40)]) / 2
    at, priors = np.array([0.3, -0.2, 0.5, 0.1, 0.4, -0.7]), np.array([2.0, 2, 2, 2, 1, 0.25])
    _, gradient, hessian = fitting._log_posterior(at, design, scores, priors)

    def near(row, size):
        return fitting._log_posterior(at + size * np.eye(6)[row], design, scores, priors)

    for row in range(6):
        up, down = near(row, 1e-5), near(row, -1e-5)
        assert (up[0] - down[0]) / 2e-5 == pytest.approx(gradient[row], abs=1e-6)
        np.testing.assert_allclose((down[1] - up[1]) / 2e-5, hessian[row], atol=1e-6)


def test_many_votes_give_the_weights_the_bias_and_the_ties():
    found = fit(*votes(20_000, 1))
    deviations = np.sqrt(np.diag(found.covariance))
    assert (np.abs(found.weights - TRUE) < 3.5 * deviations).all()
    assert deviations.max() < 0.05
    assert found.bias == pytest.approx(BIAS, abs=0.1)
    assert np.exp(found.log_tie) == pytest.approx(TIE, rel=0.1)


def test_the_covariance_says_how_far_the_weights_are_off():
    """Over simulated studies the errors have the spread of the posterior, jointly."""
    distances = []
    for seed in range(40):
        found = fit(*votes(300, 100 + seed))
        error = found.weights - TRUE
        distances.append(error @ np.linalg.solve(found.covariance, error))
    freedom = len(TRUE)
    assert np.mean(distances) == pytest.approx(freedom, abs=3 * (2 * freedom / 40) ** 0.5)
    assert np.mean(np.array(distances) < chi2.ppf(0.95, freedom)) > 0.85


def test_without_ties_there_is_no_third_outcome():
    differences, scores = votes(300, 2, tie=0.0)
    found = fit(differences, scores)
    assert found.log_tie is None
    chances = predict(found, differences).chances
    assert not chances[:, 1].any()
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)


def test_noise_is_given_no_weight():
    random = np.random.default_rng(3)
    found = fit(random.normal(size=(300, 30)), random.choice([0.0, 0.5, 1.0], 300))
    assert found.precision == fitting.PRECISIONS[-1]
    assert np.abs(found.weights).max() < 0.02


def test_uncertain_differences_are_predicted_with_less_confidence():
    differences, scores = votes(30, 4)
    found = fit(differences, scores)
    sure = replace(found, covariance=np.zeros_like(found.covariance))
    lead, lead_of_sure = (
        chances[:, 0] - chances[:, 2]
        for chances in (predict(one, differences).chances for one in (found, sure))
    )
    assert (np.abs(lead) < np.abs(lead_of_sure)).all()
    np.testing.assert_array_equal(np.sign(lead), np.sign(lead_of_sure))


def test_too_few_votes_are_refused():
    with pytest.raises(UserError, match="at least two votes must prefer a side"):
        fit(np.ones((3, 2)), np.array([0.5, 0.5, 1.0]))
