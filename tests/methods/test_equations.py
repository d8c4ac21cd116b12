"""The equations of the temporal-difference methods, and what holds at their fixed points."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.methods import g, psi
from seqtutor.methods.q import double_q_value
from seqtutor.objectives.temporal_difference import lambda_returns
from seqtutor.proof import exact
from tiny_problems import METHODS, bigram_reward, prior

LOG_PRIOR = np.log([0.5, 0.25, 0.25])
LOGITS = np.log([2.0, 1.0, 1.0])
VALUE = np.array(3.0)
LN2 = np.log(2.0)

# Network (z, v) = (log (2, 1, 1), 3) and prior (½, ¼, ¼), worked out by hand.
BY_HAND = {
    "q": {
        "values": [3, 3 - LN2, 3 - LN2],
        "reward": 1.5 - 2 * LN2,
        "state": 3,
        "policy": [0.5, 0.25, 0.25],
    },
    "psi": {
        "values": [3 - LN2, 3 - 2 * LN2, 3 - 2 * LN2],
        "reward": 1.5 - 2 * LN2,
        "state": 3,
        "policy": [0.5, 0.25, 0.25],
    },
    "g": {
        "values": [3 + LN2, 3, 3],
        "reward": 1.5,
        "state": 3 + np.log(1.5),
        "policy": [2 / 3, 1 / 6, 1 / 6],
    },
    "rl-only": {
        "values": [3, 3 - LN2, 3 - LN2],
        "reward": 1.5,
        "state": 3,
        "policy": [0.5, 0.25, 0.25],
    },
}


every_method = pytest.mark.parametrize("name", BY_HAND)


def test_every_method_with_equations_is_worked_out_by_hand():
    assert {n for n, method in METHODS.items() if method.equations is not None} == set(BY_HAND)


@every_method
def test_the_four_functions_by_hand(name):
    expected, equations = BY_HAND[name], METHODS[name].equations
    values = equations.action_values(jnp.array(LOGITS), jnp.array(VALUE))
    log_prior = jnp.array(LOG_PRIOR)
    np.testing.assert_allclose(values, expected["values"], rtol=1e-6)
    np.testing.assert_allclose(
        equations.reward(jnp.array(1.5), log_prior[1]), expected["reward"], rtol=1e-6
    )
    np.testing.assert_allclose(
        equations.state_value(values, log_prior), expected["state"], rtol=1e-6
    )
    policy = jax.nn.softmax(equations.policy_logits(values, log_prior))
    np.testing.assert_allclose(policy, expected["policy"], rtol=1e-6)


def test_g_and_psi_are_the_same_where_psi_is_log_prior_plus_g():
    values = jnp.array(np.random.default_rng(0).normal(size=(4, 3)))
    log_prior = jnp.broadcast_to(jnp.array(LOG_PRIOR), (4, 3))
    whole = log_prior + values
    np.testing.assert_array_equal(
        g.state_value(values, log_prior), psi.state_value(whole, log_prior)
    )
    np.testing.assert_array_equal(
        g.policy_logits(values, log_prior), psi.policy_logits(whole, log_prior)
    )


@every_method
def test_values_of_hundreds_stay_finite(name):
    """A penalty of −200 in one action must not overflow or lose the others."""
    equations, values = METHODS[name].equations, jnp.array([-200.0, 300.0, 299.0])
    log_prior = jnp.array(LOG_PRIOR)
    state = equations.state_value(values, log_prior)
    assert 298.5 < float(state) < 300.5
    policy = jax.nn.softmax(equations.policy_logits(values, log_prior))
    assert np.isfinite(policy).all()
    assert policy[0] == 0.0


@pytest.fixture(scope="module", params=[None, 2], ids=["no end", "with end"])
def problem(request):
    return exact.enumerate_problem(prior(3, hidden=(8,)), bigram_reward(3, 4), 4, end=request.param)


@pytest.mark.parametrize("discount", [0.6, 1.0])
@pytest.mark.parametrize("trace", [0.0, 0.7, 1.0])
@every_method
def test_at_a_fixed_point_every_target_is_the_taken_value(problem, name, discount, trace):
    """For every sequence, whatever behaviour chose it: y = q, so that no weights are needed."""
    equations = METHODS[name].equations
    solution = exact.fixed_point(problem, equations, c=0.5, discount=discount)
    tokens = problem.sequences
    prefixes = np.zeros(len(tokens), int)
    columns = []
    for t, token in enumerate(tokens.T):
        q = solution.action_values[t][prefixes]
        log_prior = problem.log_prior[t][prefixes]
        picked = np.arange(len(tokens)), token
        columns.append(
            (
                equations.reward(
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
    arrays = (jnp.asarray(array, jnp.float32) for array in (rewards, states, taken))
    targets = lambda_returns(
        *arrays, jnp.asarray(mask.astype(bool)), discount=discount, trace=trace
    )
    np.testing.assert_allclose(np.where(mask, targets, 0), np.where(mask, taken, 0), atol=2e-5)


def test_double_q_takes_the_online_choice_at_the_targets_value():
    target = jnp.array([[1.0, 5.0, 2.0], [4.0, 0.0, -1.0]])
    online = jnp.array([[0.0, 1.0, 9.0], [3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(double_q_value(target, online), [2.0, 4.0])
    np.testing.assert_array_equal(double_q_value(target, target), target.max(-1))
