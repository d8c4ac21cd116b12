from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from seqtutor.errors import UserError
from seqtutor.methods import g, psi, q, rl_only
from seqtutor.proof import exact
from seqtutor.rewards import Reward
from seqtutor.training.pretrain import token_log_likelihood
from tiny_problems import bigram_reward, prior, random_policy

SHAPES = [(2, 1, None), (2, 6, None), (3, 4, None), (3, 4, 2), (4, 3, 0)]


@pytest.fixture(scope="module")
def problems():
    return {
        (size, length, end): exact.enumerate_problem(
            prior(size, hidden=(8,)), bigram_reward(size, length), length, end=end
        )
        for size, length, end in SHAPES
    }


@pytest.fixture(params=SHAPES, ids=str)
def problem(request, problems):
    return problems[request.param]


def sequences_by_hand(size, length, end):
    """Every distinct sequence: up to and with its first end token, or of full length."""
    for tokens in itertools.product(range(size), repeat=length):
        stop = tokens.index(end) + 1 if end in tokens else length
        if all(token == end for token in tokens[stop:]):
            yield tokens[:stop]


def joint_by_hand(problem, log_policy):
    """log π(τ) of every distinct sequence, and r(τ), one Python loop each."""
    log_probabilities, rewards = [], []
    for tokens in sequences_by_hand(problem.vocabulary_size, problem.length, problem.end):
        prefix, log_probability, reward = 0, 0.0, 0.0
        for t, token in enumerate(tokens):
            log_probability += log_policy[t][prefix, token]
            reward += problem.rewards[t][prefix, token]
            prefix = prefix * problem.vocabulary_size + token
        log_probabilities.append(log_probability)
        rewards.append(reward)
    return np.array(log_probabilities), np.array(rewards)


def test_the_prior_and_the_rewards_are_those_of_the_distinct_sequences(problem):
    """The enumeration's levels against the model and the reward, asked about padded sequences."""
    size, length = problem.vocabulary_size, problem.length
    sequences = list(sequences_by_hand(size, length, problem.end))
    padding = (0 if problem.end is None else problem.end,) * length
    tokens = jnp.array([(*sequence, *padding)[:length] for sequence in sequences], jnp.int32)
    mask = jnp.arange(length) < jnp.array([[len(sequence)] for sequence in sequences])
    taken = eqx.filter_jit(token_log_likelihood)(prior(size, hidden=(8,)), tokens)
    log_prior, rewards = joint_by_hand(problem, problem.log_prior)
    np.testing.assert_allclose(log_prior, np.where(mask, taken, 0).sum(1), atol=1e-5)
    earned = jax.jit(bigram_reward(size, length).__call__)(tokens, mask)
    np.testing.assert_allclose(rewards, earned.total.sum(1), atol=1e-5)


@pytest.mark.parametrize("c", [0.3, 1.0, 4.0])
def test_the_optimum_is_the_tilted_prior(problem, c):
    """π*(τ) = p(τ)·exp(r(τ)/c)/Z, by a sum over whole sequences."""
    solution = exact.optimum(problem, c=c)
    log_prior, rewards = joint_by_hand(problem, problem.log_prior)
    log_partition = logsumexp(log_prior + rewards / c)
    assert logsumexp(log_prior) == pytest.approx(0.0, abs=1e-12)
    assert solution.log_partition == pytest.approx(log_partition, abs=1e-10)
    log_policy, _ = joint_by_hand(problem, solution.log_policy)
    np.testing.assert_allclose(log_policy, log_prior + rewards / c - log_partition, atol=1e-10)
    objective = exact.evaluate(problem, solution.log_policy, c=c).objective
    assert objective == pytest.approx(log_partition, abs=1e-10)


@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from(SHAPES), c=st.floats(0.2, 5))
@settings(max_examples=40, deadline=None)
def test_no_policy_beats_log_z_and_its_gap_is_its_kl(problems, seed, shape, c):
    """log Z − J(π) = KL(π ‖ π*), for any policy."""
    problem = problems[shape]
    policy = random_policy(problem.log_prior, np.random.default_rng(seed))
    best = exact.optimum(problem, c=c)
    gap = best.log_partition - exact.evaluate(problem, policy, c=c).objective
    kl = exact.kl_divergence(problem, policy, best.log_policy)
    assert kl > 0
    assert gap == pytest.approx(kl, abs=1e-9)


def test_expectations_are_sums_over_whole_sequences(problem):
    policy = random_policy(problem.log_prior, np.random.default_rng(0))
    log_policy, rewards = joint_by_hand(problem, policy)
    log_prior, _ = joint_by_hand(problem, problem.log_prior)
    probability = np.exp(log_policy)
    found = exact.evaluate(problem, policy, c=0.7)
    assert found.expected_reward == pytest.approx(probability @ rewards, abs=1e-10)
    assert found.entropy == pytest.approx(-probability @ log_policy, abs=1e-10)
    assert found.kl_to_prior == pytest.approx(probability @ (log_policy - log_prior), abs=1e-10)
    assert found.objective == pytest.approx(
        found.expected_reward / 0.7 - found.kl_to_prior, abs=1e-10
    )


def test_a_policy_that_never_tries_a_token_has_finite_expectations(problems):
    problem = problems[3, 4, 2]
    with np.errstate(divide="ignore"):
        policy = [np.log(np.broadcast_to([0.25, 0.75, 0.0], p.shape)) for p in problem.log_prior]
    found = exact.evaluate(problem, policy, c=1.0)
    per_step = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert found.entropy == pytest.approx(4 * per_step)
    assert np.isfinite(found.kl_to_prior)
    assert exact.kl_divergence(problem, problem.log_prior, policy) == np.inf


@pytest.mark.parametrize("method", [psi, g], ids=lambda m: m.METHOD.name)
def test_psi_and_g_have_the_optimum_as_their_fixed_point(problem, method):
    best = exact.optimum(problem, c=0.5)
    solution = exact.fixed_point(problem, method.EQUATIONS, c=0.5)
    assert exact.kl_divergence(problem, solution.log_policy, best.log_policy) < 1e-12
    assert solution.log_partition == pytest.approx(best.log_partition, abs=1e-10)
    for t, alive in enumerate(problem.alive):
        offset = problem.log_prior[t] if method is g else 0.0
        np.testing.assert_allclose(
            (solution.action_values[t] + offset)[alive], best.action_values[t][alive], atol=1e-10
        )


@pytest.mark.parametrize("method", [q, rl_only], ids=lambda m: m.METHOD.name)
@pytest.mark.parametrize("shape", [(2, 6, None), (3, 4, None), (3, 4, 2)], ids=str)
def test_q_has_another_fixed_point(problems, method, shape):
    problem = problems[shape]
    best = exact.optimum(problem, c=0.5)
    solution = exact.fixed_point(problem, method.EQUATIONS, c=0.5)
    assert exact.kl_divergence(problem, solution.log_policy, best.log_policy) > 1e-4


def test_a_discount_moves_the_fixed_point_and_psi_and_g_still_agree(problems):
    problem = problems[3, 4, None]
    best = exact.optimum(problem, c=0.5)
    one, other = (
        exact.fixed_point(problem, method.EQUATIONS, c=0.5, discount=0.8) for method in (psi, g)
    )
    assert exact.kl_divergence(problem, one.log_policy, best.log_policy) > 1e-3
    assert abs(exact.kl_divergence(problem, one.log_policy, other.log_policy)) < 1e-12


@pytest.mark.parametrize("method", [q, psi, g, rl_only], ids=lambda m: m.METHOD.name)
@pytest.mark.parametrize("discount", [0.0, 0.6, 1.0])
def test_fixed_points_solve_the_bellman_equation(problems, method, discount):
    """q(s, a) = r(s, a) + γ·V(s'), in one Python loop over states, with 0 past an end."""
    problem = problems[3, 4, 2]
    solution = exact.fixed_point(problem, method.EQUATIONS, c=0.5, discount=discount)
    for t, alive in enumerate(problem.alive):
        for prefix in np.flatnonzero(alive):
            for token in range(3):
                reward = problem.rewards[t][prefix, token] / 0.5
                if method in (q, psi):
                    reward += problem.log_prior[t][prefix, token]
                later = 0.0
                if t + 1 < problem.length and token != problem.end:
                    values = solution.action_values[t + 1][3 * prefix + token]
                    log_prior = problem.log_prior[t + 1][3 * prefix + token]
                    later = {
                        "q": values.max(),
                        "rl-only": values.max(),
                        "psi": np.log(np.exp(values).sum()),
                        "g": np.log(np.exp(log_prior + values).sum()),
                    }[method.METHOD.name]
                found = solution.action_values[t][prefix, token]
                assert found == pytest.approx(reward + discount * later, abs=1e-9)


def test_a_reward_that_sees_the_future_is_refused():
    reward = Reward(lambda tokens, mask: {"next": np.roll(tokens, -1, axis=1) * 1.0})
    with pytest.raises(UserError, match="step 0 earns depends on later tokens"):
        exact.enumerate_problem(prior(2, hidden=(4,)), reward, 3)


def test_terms_paid_at_the_end_and_counts_over_padding_are_causal():
    """What follows an end token is padding, also for a reward that looks past its mask."""
    reward = Reward(lambda tokens, mask: {"zeros": (tokens == 0).sum(1), "length": mask.sum(1)})
    problem = exact.enumerate_problem(prior(2, hidden=(4,)), reward, 3, end=1)
    np.testing.assert_array_equal(problem.rewards[0], [[0, 1]])
    np.testing.assert_array_equal(problem.rewards[1][0], [0, 3])
    np.testing.assert_array_equal(problem.rewards[2][0], [6, 5])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_reward_that_is_no_number_is_refused(value):
    reward = Reward(lambda tokens, mask: {"bad": np.where(tokens == 1, value, 0.0)})
    with pytest.raises(UserError, match="not finite"):
        exact.enumerate_problem(prior(2, hidden=(4,)), reward, 2)


def test_too_large_a_problem_is_refused():
    with pytest.raises(UserError, match="1,048,576 sequences"):
        exact.enumerate_problem(prior(2, hidden=(4,)), bigram_reward(2, 20), 20)


def test_the_oracle_leaves_the_precision_of_the_process_alone(problems):
    exact.fixed_point(problems[3, 4, 2], psi.EQUATIONS, c=0.5)
    assert jnp.zeros(1).dtype == jnp.float32
