from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.objectives.temporal_difference import (
    METHODS,
    PSI,
    RL_ONLY,
    G,
    Q,
    double_q_value,
    huber,
    lambda_returns,
    of_action,
)
from seqtutor.proof import exact
from tiny_problems import bigram_reward, prior

LOG_PRIOR = np.log([0.5, 0.25, 0.25])
LOGITS = np.log([2.0, 1.0, 1.0])
VALUE = np.array(3.0)
LN2 = np.log(2.0)

# Network (z, v) = (log (2, 1, 1), 3) and prior (½, ¼, ¼), worked out by hand.
BY_HAND = {
    Q: {
        "values": [3, 3 - LN2, 3 - LN2],
        "reward": 1.5 - 2 * LN2,
        "state": 3,
        "policy": [0.5, 0.25, 0.25],
    },
    PSI: {
        "values": [3 - LN2, 3 - 2 * LN2, 3 - 2 * LN2],
        "reward": 1.5 - 2 * LN2,
        "state": 3,
        "policy": [0.5, 0.25, 0.25],
    },
    G: {
        "values": [3 + LN2, 3, 3],
        "reward": 1.5,
        "state": 3 + np.log(1.5),
        "policy": [2 / 3, 1 / 6, 1 / 6],
    },
    RL_ONLY: {
        "values": [3, 3 - LN2, 3 - LN2],
        "reward": 1.5,
        "state": 3,
        "policy": [0.5, 0.25, 0.25],
    },
}


@pytest.mark.parametrize("method", BY_HAND, ids=lambda m: m.name)
def test_the_four_functions_by_hand(method):
    expected = BY_HAND[method]
    values = method.action_values(jnp.array(LOGITS), jnp.array(VALUE))
    log_prior = jnp.array(LOG_PRIOR)
    np.testing.assert_allclose(values, expected["values"], rtol=1e-6)
    np.testing.assert_allclose(
        method.reward(jnp.array(1.5), log_prior[1]), expected["reward"], rtol=1e-6
    )
    np.testing.assert_allclose(method.state_value(values, log_prior), expected["state"], rtol=1e-6)
    policy = jax.nn.softmax(method.policy_logits(values, log_prior))
    np.testing.assert_allclose(policy, expected["policy"], rtol=1e-6)


def test_g_and_psi_are_the_same_where_psi_is_log_prior_plus_g():
    values = jnp.array(np.random.default_rng(0).normal(size=(4, 3)))
    log_prior = jnp.broadcast_to(jnp.array(LOG_PRIOR), (4, 3))
    psi = log_prior + values
    np.testing.assert_array_equal(G.state_value(values, log_prior), PSI.state_value(psi, log_prior))
    np.testing.assert_array_equal(
        G.policy_logits(values, log_prior), PSI.policy_logits(psi, log_prior)
    )


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.name)
def test_values_of_hundreds_stay_finite(method):
    """A penalty of −200 in one action must not overflow or lose the others."""
    values = jnp.array([-200.0, 300.0, 299.0])
    log_prior = jnp.array(LOG_PRIOR)
    state = method.state_value(values, log_prior)
    assert 298.5 < float(state) < 300.5
    policy = jax.nn.softmax(method.policy_logits(values, log_prior))
    assert np.isfinite(policy).all()
    assert policy[0] == 0.0


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


@pytest.fixture(scope="module", params=[None, 2], ids=["no end", "with end"])
def problem(request):
    return exact.enumerate_problem(prior(3, hidden=(8,)), bigram_reward(3, 4), 4, end=request.param)


@pytest.mark.parametrize("discount", [0.6, 1.0])
@pytest.mark.parametrize("trace", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("method", [PSI, G, Q, RL_ONLY], ids=lambda m: m.name)
def test_at_a_fixed_point_every_target_is_the_taken_value(problem, method, discount, trace):
    """For every sequence, whatever behaviour chose it: y = q, so that no weights are needed."""
    solution = exact.fixed_point(problem, method, c=0.5, discount=discount)
    tokens = problem.sequences
    prefixes = np.zeros(len(tokens), int)
    columns = []
    for t, token in enumerate(tokens.T):
        q = solution.action_values[t][prefixes]
        log_prior = problem.log_prior[t][prefixes]
        picked = np.arange(len(tokens)), token
        columns.append(
            (
                method.reward(
                    jnp.asarray(problem.rewards[t][prefixes, token] / 0.5),
                    jnp.asarray(log_prior[picked]),
                ),
                solution.state_values[t][prefixes],
                q[picked],
                problem.alive[t][prefixes],
            )
        )
        prefixes = prefixes * 3 + token
    rewards, states, taken, mask = (np.stack(column, 1) for column in zip(*columns, strict=True))
    targets = returns(rewards, states, taken, mask.astype(bool), discount, trace)
    np.testing.assert_allclose(np.where(mask, targets, 0), np.where(mask, taken, 0), atol=2e-5)


def test_double_q_takes_the_online_choice_at_the_targets_value():
    target = jnp.array([[1.0, 5.0, 2.0], [4.0, 0.0, -1.0]])
    online = jnp.array([[0.0, 1.0, 9.0], [3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(double_q_value(target, online), [2.0, 4.0])
    np.testing.assert_array_equal(double_q_value(target, target), target.max(-1))


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
