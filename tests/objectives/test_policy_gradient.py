from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_gradient_batches import DISCOUNTS, SEEDS, a_batch, returns_by_loop
from seqtutor.objectives.policy_gradient import (
    clipped_surrogate,
    generalised_advantages,
    leave_one_out_residuals,
    returns,
    score_function_loss,
)


def test_returns_by_hand():
    """1 + ½·(2 + ½·3), and a sequence that ends after one token."""
    rewards = jnp.array([[1.0, 2.0, 3.0], [4.0, jnp.nan, jnp.nan]])
    mask = jnp.array([[True, True, True], [True, False, False]])
    found = returns(rewards, mask, 0.5)
    np.testing.assert_array_equal(found, [[2.75, 3.5, 3.0], [4.0, 0.0, 0.0]])


def test_the_surrogates_slope_is_the_weight_over_the_number_of_sequences():
    """None through the weights, none past the mask, and longer sequences count no less."""
    rng = np.random.default_rng(1)
    log_policy = jnp.asarray(rng.normal(size=(2, 3)), jnp.float32)
    mask = jnp.array([[True, True, True], [True, False, False]])

    def loss(log_policy):
        return score_function_loss(log_policy, 3.0 * log_policy, mask)

    value, slope = jax.value_and_grad(loss)(log_policy)
    weight = np.where(mask, 3.0 * log_policy, 0.0)
    assert float(value) == pytest.approx(-np.sum(weight * np.asarray(log_policy)) / 2, rel=1e-5)
    np.testing.assert_allclose(slope, -weight / 2, rtol=1e-6)


def ridge_prediction(x, y, at, penalty):
    """Of least squares with a penalty on the slope alone, by its normal equations."""
    left = np.array([[len(x), x.sum()], [x.sum(), x @ x + penalty]])
    level, slope = np.linalg.solve(left, [y.sum(), x @ y])
    return level + slope * at


@given(seed=SEEDS, number=st.sampled_from([2, 3, 7]), ridge=st.sampled_from([0.1, 1.0]))
@settings(max_examples=20, deadline=None)
def test_residuals_are_of_a_regression_on_the_others_alone(seed, number, ridge):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, number, 3))
    found = leave_one_out_residuals(jnp.asarray(y), jnp.asarray(x), ridge)
    for row, step in np.ndindex(number, 3):
        others = np.arange(number) != row
        penalty = ridge * np.var(x[:, step])
        guess = ridge_prediction(x[others, step], y[others, step], x[row, step], penalty)
        assert float(found[row, step]) == pytest.approx(y[row, step] - guess, abs=2e-4)


def test_without_a_predictor_the_others_mean_is_expected():
    y = np.random.default_rng(0).normal(size=(4, 3))
    expected = y - (y.sum(axis=0) - y) / 3
    np.testing.assert_allclose(leave_one_out_residuals(jnp.asarray(y)), expected, atol=1e-5)
    constant = leave_one_out_residuals(jnp.asarray(y), jnp.ones((4, 3)))
    np.testing.assert_allclose(constant, expected, atol=1e-5)


_advantages = jax.jit(generalised_advantages, static_argnames=("discount", "trace"))


def advantages(rewards, values, mask, discount, trace):
    arrays = (jnp.asarray(array, jnp.float32) for array in (rewards, values))
    return np.asarray(_advantages(*arrays, jnp.asarray(mask), discount=discount, trace=trace))


@given(seed=SEEDS, discount=DISCOUNTS, trace=st.sampled_from([0.0, 0.5, 0.95, 1.0]))
@settings(max_examples=30, deadline=None)
def test_advantages_are_discounted_sums_of_one_step_errors(seed, discount, trace):
    """In a double loop; with λ = 1 the return less the value, with λ = 0 one error."""
    rewards, values, _, mask = a_batch(seed)
    found = advantages(rewards, values, mask, discount, trace)
    expected = np.zeros(rewards.shape)
    for row, t in zip(*np.nonzero(mask), strict=True):
        end = int(mask[row].sum())
        for k in range(t, end):
            later = values[row, k + 1] if k + 1 < end else 0.0
            error = rewards[row, k] + discount * later - values[row, k]
            expected[row, t] += (discount * trace) ** (k - t) * error
            if trace == 0.0:
                break
    np.testing.assert_allclose(found[mask], expected[mask], atol=2e-5)
    if trace == 1.0:
        by_return = returns_by_loop(rewards, mask, discount) - values
        np.testing.assert_allclose(found[mask], by_return[mask], atol=2e-5)


def test_nothing_past_the_last_token_reaches_an_advantage():
    rewards, values, _, _ = a_batch(2, batch=2)
    mask = np.array([[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]], bool)
    clean = advantages(rewards, values, mask, 0.9, 0.8)
    spoiled = [np.where(mask, array, np.nan) for array in (rewards, values)]
    np.testing.assert_array_equal(clean[mask], advantages(*spoiled, mask, 0.9, 0.8)[mask])
    np.testing.assert_allclose(clean[0, 2], rewards[0, 2] - values[0, 2], rtol=1e-5)


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope"),
    [
        (1.0, 3.0, 3.0, 3.0),
        (1.1, 3.0, 3.3, 3.3),
        (1.5, 3.0, 3.6, 0.0),  # gone far enough: no more gain, no slope
        (0.5, 3.0, 1.5, 1.5),  # gone the wrong way: all of the way back
        (0.5, -3.0, -2.4, 0.0),
        (1.5, -3.0, -4.5, -4.5),
    ],
)
def test_the_surrogate_is_clipped_where_going_on_would_gain(ratio, advantage, value, slope):
    """ε = .2. The slope in log π is ρA where nothing is clipped."""

    def surrogate(log_ratio):
        return clipped_surrogate(log_ratio, jnp.array([[advantage]]), 0.2)[0, 0]

    found = jax.value_and_grad(surrogate)(jnp.array([[np.log(ratio)]]))
    assert float(found[0]) == pytest.approx(value, rel=1e-5)
    assert float(found[1][0, 0]) == pytest.approx(slope, rel=1e-5)
