from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.objectives.temporal_difference import (
    huber,
    lambda_returns,
    masked_mean,
    of_action,
)


def naive_returns(rewards, state_values, taken_values, mask, discount, trace):
    """The sum of λ-weighted corrections, written forwards, one step and one sequence at a time.

    y_t = r_t + γ·V_{t+1} + Σ_{k≥1} (γλ)^k·δ_{t+k},   δ_s = r_s + γ·V_{s+1} − q_s.
    """
    targets = np.zeros(rewards.shape)
    for row in range(len(rewards)):
        length = int(mask[row].sum())

        def one_step(t, row=row, length=length):
            later = state_values[row, t + 1] if t + 1 < length else 0.0
            return rewards[row, t] + discount * later

        for t in range(length):
            targets[row, t] = one_step(t)
            for k in range(1, length - t):
                error = one_step(t + k) - taken_values[row, t + k]
                targets[row, t] += (discount * trace) ** k * error
    return targets


@given(
    seed=st.integers(0, 2**32 - 1),
    discount=st.sampled_from([0.0, 0.6, 1.0]),
    trace=st.sampled_from([0.0, 0.7, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_returns_against_a_naive_double_loop(seed, discount, trace):
    rng = np.random.default_rng(seed)
    rewards, states, taken = rng.normal(size=(3, 4, 6))
    mask = np.arange(6) < rng.integers(1, 7, size=(4, 1))
    found = returns(rewards, states, taken, mask, discount, trace)
    expected = naive_returns(rewards, states, taken, mask, discount, trace)
    np.testing.assert_allclose(np.where(mask, found, 0.0), expected, atol=1e-5)


_returns = jax.jit(lambda_returns, static_argnames=("discount", "trace"))


def returns(rewards, states, taken, mask, discount, trace):
    arrays = (jnp.asarray(array, jnp.float32) for array in (rewards, states, taken))
    return _returns(*arrays, jnp.asarray(mask), discount=discount, trace=trace)


def test_no_trace_is_the_one_step_target():
    rng = np.random.default_rng(1)
    rewards, states, taken = rng.normal(size=(3, 2, 4))
    found = returns(rewards, states, taken, np.ones((2, 4), bool), 0.7, 0.0)
    later = np.append(states[:, 1:], np.zeros((2, 1)), axis=1)
    np.testing.assert_allclose(found, rewards + 0.7 * later, atol=1e-6)


def test_a_full_trace_without_discount_telescopes_to_path_consistency():
    """λ = γ = 1: y_t = Σ r − Σ_{s>t} log π(a_s|s), for q = V + log π: PCL's whole-path target."""
    rng = np.random.default_rng(2)
    rewards, states, log_policy = rng.normal(size=(3, 2, 5))
    found = returns(rewards, states, states + log_policy, np.ones((2, 5), bool), 1.0, 1.0)
    remaining = np.cumsum(rewards[:, ::-1], 1)[:, ::-1]
    later = np.cumsum(log_policy[:, ::-1], 1)[:, ::-1] - log_policy
    np.testing.assert_allclose(found, remaining - later, atol=1e-5)


def test_nothing_past_the_last_token_reaches_a_target():
    rng = np.random.default_rng(3)
    rewards, states, taken = rng.normal(size=(3, 2, 6))
    mask = np.array([[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]], bool)
    clean = returns(rewards, states, taken, mask, 0.9, 0.8)
    spoiled = [np.where(mask, array, np.nan) for array in (rewards, states, taken)]
    dirty = returns(*spoiled, mask, 0.9, 0.8)
    np.testing.assert_array_equal(np.asarray(clean)[mask], np.asarray(dirty)[mask])
    np.testing.assert_allclose(clean[0, 2], rewards[0, 2], rtol=1e-6)
    np.testing.assert_allclose(clean[1, 0], rewards[1, 0], rtol=1e-6)


def test_of_action_picks_the_taken_number():
    numbers = jnp.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(
        of_action(numbers, jnp.array([[0, 2], [1, 1]])), [[0.0, 5.0], [7.0, 10.0]]
    )


def test_huber_is_quadratic_then_linear_with_a_bounded_slope():
    errors = jnp.array([-30.0, -2.0, 0.0, 1.0, 2.0, 50.0])
    np.testing.assert_allclose(huber(errors, 2.0), [58.0, 2.0, 0.0, 0.5, 2.0, 98.0])
    slope = jax.vmap(jax.grad(lambda e: huber(e, 2.0)))(errors)
    np.testing.assert_allclose(slope, [-2.0, -2.0, 0.0, 1.0, 2.0, 2.0])


def test_means_run_over_real_steps_alone():
    numbers = jnp.array([[1.0, 2.0], [6.0, jnp.nan]])
    mask = jnp.array([[True, True], [True, False]])
    assert float(masked_mean(numbers, mask)) == 3.0
    assert float(masked_mean(numbers, jnp.zeros_like(mask))) == 0.0
