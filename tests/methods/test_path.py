from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.methods import psi
from seqtutor.methods.path import (
    batch_partition_errors,
    learned_partition_errors,
    log_weights,
)
from seqtutor.proof import exact
from tiny_problems import bigram_reward, prior, random_policy


@pytest.fixture(scope="module", params=[None, 2], ids=["no end", "with end"])
def problem(request):
    return exact.enumerate_problem(prior(3, hidden=(8,)), bigram_reward(3, 4), 4, end=request.param)


def weights_of_all(problem, log_policy, *, c, discount=1.0):
    """The log weight of every sequence, in float64."""
    sequences = exact.distinct_sequences(problem)
    with jax.enable_x64(True):
        rewards, policy, log_prior = (
            jnp.asarray(sequences.along(levels))
            for levels in (problem.rewards, log_policy, problem.log_prior)
        )
        return np.asarray(
            log_weights(rewards / c, policy, log_prior, jnp.asarray(sequences.mask), discount)
        )


def test_weights_by_hand():
    """r/c + log p − log π is 1, 2 and 3; half as much counts a step later, nothing past the end."""
    rewards = jnp.array([[0.5, 1.0, 1.5], [0.5, jnp.nan, jnp.nan]])
    log_policy = jnp.array([[-1.0, -1.0, -2.0], [-1.0, jnp.nan, jnp.nan]])
    log_prior = jnp.array([[-0.5, 0.0, -0.5], [-0.5, jnp.nan, jnp.nan]])
    mask = jnp.array([[True, True, True], [True, False, False]])
    found = log_weights(rewards, log_policy, log_prior, mask, 0.5)
    np.testing.assert_allclose(found, [1.0 + 2.0 / 2 + 3.0 / 4, 1.0])


@pytest.mark.parametrize("c", [0.3, 2.0])
def test_at_the_optimum_the_weight_of_every_sequence_is_log_z(problem, c):
    best = exact.optimum(problem, c=c)
    weights = weights_of_all(problem, best.log_policy, c=c)
    np.testing.assert_allclose(weights, best.log_partition, atol=1e-10)


@pytest.mark.parametrize("discount", [0.5, 0.8])
def test_with_a_discount_the_same_holds_at_the_fixed_point_of_psi(problem, discount):
    """And only there: π* itself is no longer consistent."""
    own = exact.fixed_point(problem, psi.EQUATIONS, c=0.5, discount=discount)
    weights = weights_of_all(problem, own.log_policy, c=0.5, discount=discount)
    np.testing.assert_allclose(weights, own.log_partition, atol=1e-10)
    best = exact.optimum(problem, c=0.5).log_policy
    assert np.ptp(weights_of_all(problem, best, c=0.5, discount=discount)) > 0.1


def test_away_from_the_optimum_the_mean_weight_is_the_objective(problem):
    """E_π[w] = E[r]/c − KL(π‖p), and its spread tells that π is not π*."""
    policy = random_policy(problem.log_prior, np.random.default_rng(0))
    weights = weights_of_all(problem, policy, c=0.5)
    probability = np.exp(exact.distinct_sequences(problem).along(policy).sum(axis=1))
    assert probability.sum() == pytest.approx(1.0)
    objective = exact.evaluate(problem, policy, c=0.5).objective
    assert probability @ weights == pytest.approx(objective, abs=1e-10)
    assert np.ptp(weights) > 1.0


def test_a_learned_log_z_is_what_the_weights_miss_it_by():
    weights = jnp.array([1.0, 4.0])
    np.testing.assert_array_equal(learned_partition_errors(weights, jnp.full(2, 3.0)), [2.0, -1.0])


def test_log_z_of_the_batch_makes_the_loss_half_the_variance_and_so_its_gradient():
    """Although no gradient goes through the mean: the errors sum to nothing."""
    weights = jnp.asarray(np.random.default_rng(0).normal(size=7), jnp.float32)

    def half_mean_square(weights):
        return 0.5 * jnp.mean(batch_partition_errors(weights) ** 2)

    value, slope = jax.value_and_grad(half_mean_square)(weights)
    expected, expected_slope = jax.value_and_grad(lambda w: 0.5 * jnp.var(w))(weights)
    assert float(value) == pytest.approx(float(expected), rel=1e-6)
    np.testing.assert_allclose(slope, expected_slope, atol=1e-6)
    np.testing.assert_allclose(jnp.sum(batch_partition_errors(weights)), 0.0, atol=1e-5)
    # Each sequence's slope is that of its own error alone.
    jacobian = jax.jacobian(batch_partition_errors)(weights)
    np.testing.assert_array_equal(jacobian, -np.eye(7))
