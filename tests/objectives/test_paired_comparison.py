"""The likelihood of a vote: its limits and symmetries."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from seqtutor.objectives.paired_comparison import outcome_log_probabilities, vote_log_likelihood

DIFFERENCES = jnp.array([-40.0, -2.0, 0.0, 0.7, 40.0])


@pytest.mark.parametrize("log_tie", [None, -0.4])
def test_the_outcomes_are_all_that_can_happen_and_sides_are_exchangeable(log_tie):
    logs = outcome_log_probabilities(DIFFERENCES, log_tie, 0.3)
    np.testing.assert_allclose(jnp.exp(logs).sum(axis=-1), 1.0, rtol=1e-6)
    mirrored = outcome_log_probabilities(-DIFFERENCES, log_tie, -0.3)
    np.testing.assert_allclose(logs, mirrored[:, ::-1], atol=1e-6)


def test_without_ties_it_is_the_logistic_function_and_a_tie_is_half_a_vote_for_each():
    left = vote_log_likelihood(jnp.ones(5), DIFFERENCES, None, 0.3)
    np.testing.assert_allclose(jnp.exp(left), expit(np.asarray(DIFFERENCES) + 0.3), rtol=1e-5)
    right = vote_log_likelihood(jnp.zeros(5), DIFFERENCES, None, 0.3)
    tie = vote_log_likelihood(jnp.full(5, 0.5), DIFFERENCES, None, 0.3)
    np.testing.assert_allclose(tie, (left + right) / 2, rtol=1e-6)


def test_at_equal_utilities_a_tie_is_nu_times_as_likely_as_a_side():
    logs = outcome_log_probabilities(jnp.zeros(1), float(np.log(0.7)), 0.0)[0]
    np.testing.assert_allclose(jnp.exp(logs[1] - logs[0]), 0.7, rtol=1e-6)


def test_a_tie_pulls_utilities_together():
    slope = jax.vmap(jax.grad(lambda d: vote_log_likelihood(jnp.array([0.5]), d[None], 0.0)[0]))
    np.testing.assert_array_equal(np.sign(slope(jnp.array([-3.0, 0.0, 3.0]))), [1.0, 0.0, -1.0])


def test_the_expected_score_has_the_gradient_of_all_outcomes():
    """Each outcome by its chance at other utilities, as `proof.problems.votes_on` relies on."""
    chances = jnp.exp(outcome_log_probabilities(DIFFERENCES + 0.8, -0.4, 0.3))

    def by_outcome(differences):
        logs = outcome_log_probabilities(differences, -0.4, 0.3)
        return jnp.sum(chances * logs)

    def by_score(differences):
        scores = chances[:, 0] + chances[:, 1] / 2
        return jnp.sum(vote_log_likelihood(scores, differences, -0.4, 0.3))

    np.testing.assert_allclose(
        jax.grad(by_score)(DIFFERENCES), jax.grad(by_outcome)(DIFFERENCES), atol=1e-6
    )
