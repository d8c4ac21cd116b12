"""The weights of the score function of REINFORCE and its kin."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings

from policy_gradient_batches import DISCOUNTS, SEEDS, a_batch, returns_by_loop
from seqtutor.methods import merl, reinforce, reinforce_baseline, rloo
from seqtutor.methods.score_function import Generated


@partial(jax.jit, static_argnums=(0, 5, 6))
def _weights(method, rewards, log_policy, log_prior, mask, discount, options):
    return method.weights(Generated(rewards, log_policy, log_prior, mask, discount), options)


def weights(method, rewards, log_policy, log_prior, mask, discount, **options):
    arrays = (jnp.asarray(array, jnp.float32) for array in (rewards, log_policy, log_prior))
    own = method.METHOD.settings(**options)
    return np.asarray(_weights(method, *arrays, jnp.asarray(mask), discount, own))


def others_of(numbers):
    """The mean of the other rows, for each row."""
    return np.array([np.delete(numbers, row, axis=0).mean(axis=0) for row in range(len(numbers))])


@given(seed=SEEDS, discount=DISCOUNTS)
@settings(max_examples=30, deadline=None)
def test_the_weights_against_loops(seed, discount):
    """Each method's weights at the steps that are real; others have no say in the loss."""
    rewards, log_policy, log_prior, mask = a_batch(seed)
    alone = returns_by_loop(rewards, mask, discount)
    with_entropy = returns_by_loop(rewards - 0.7 * log_policy, mask, discount)
    with_divergence = returns_by_loop(rewards - log_policy + log_prior, mask, discount)
    others = others_of(with_divergence)
    step = np.where(mask, rewards - log_policy + log_prior, 0.0)
    whole = with_divergence + np.cumsum(step, axis=1) - step
    cases = [
        (reinforce, alone, {}),
        (reinforce_baseline, alone - alone.mean(axis=0), {}),
        (merl, with_entropy - 0.7, {"entropy_weight": 0.7}),
        (
            merl,
            with_entropy - 0.7 - alone.mean(axis=0),
            {"entropy_weight": 0.7, "baseline": True},
        ),
        (rloo, with_divergence - others, {"baseline": "later return"}),
        (rloo, whole - others_of(whole), {"baseline": "whole return"}),
    ]
    for method, expected, options in cases:
        found = weights(method, rewards, log_policy, log_prior, mask, discount, **options)
        np.testing.assert_allclose(found[mask], expected[mask], atol=2e-5)


def test_a_reward_at_the_end_is_the_weight_of_every_step():
    """Bjare & Meredith's eq. 1: R; and eq. 2 at α = 1: R − Σ log π − 1, summed over time."""
    rewards = np.array([[0.0, 0.0, 5.0]])
    log_policy = np.array([[-0.5, -1.0, -2.0]])
    earned = rewards, log_policy, np.zeros((1, 3)), np.ones((1, 3), bool), 1.0
    np.testing.assert_array_equal(weights(reinforce, *earned), [[5.0, 5.0, 5.0]])
    np.testing.assert_allclose(
        weights(merl, *earned, entropy_weight=1.0), [[7.5, 7.0, 6.0]], rtol=1e-6
    )


@given(seed=SEEDS, discount=DISCOUNTS)
@settings(max_examples=20, deadline=None)
def test_leave_one_out_is_the_baseline_without_its_bias(seed, discount):
    """N/(N − 1)·(G − mean G) of the same rewards; its weights sum to nothing at every step."""
    rewards, log_policy, log_prior, mask = a_batch(seed)
    zeros = np.zeros_like(rewards)
    with_divergence = rewards - log_policy + log_prior
    biased = weights(reinforce_baseline, with_divergence, zeros, zeros, mask, discount)
    found = weights(rloo, rewards, log_policy, log_prior, mask, discount, baseline="later return")
    np.testing.assert_allclose(found, 4 / 3 * biased, atol=2e-5)
    np.testing.assert_allclose(np.sum(found, axis=0), 0.0, atol=2e-5)


def test_a_policy_at_its_optimum_gets_no_leave_one_out_weight():
    """Where r/c − log π/p of every sequence is log Z, there is nothing to learn, in any batch.

    What follows a step then differs from sequence to sequence by what came before it.
    """
    rng = np.random.default_rng(0)
    log_prior, rewards, log_policy = rng.normal(size=(3, 5, 3))
    log_policy[:, -1] += (rewards + log_prior - log_policy).sum(axis=1) - 1.7
    earned = rewards, log_policy, log_prior, np.ones((5, 3), bool), 1.0
    for baseline in ("regression", "whole return"):
        found = weights(rloo, *earned, baseline=baseline)
        np.testing.assert_allclose(found, 0.0, atol=1e-5)
    assert np.abs(weights(rloo, *earned, baseline="later return")).max() > 0.5


def test_a_regression_leaves_no_more_than_either_mean():
    """Whether what came before a step says all about what follows it, or nothing."""
    rng = np.random.default_rng(1)
    log_prior = np.zeros((200, 2))
    first, second = rng.normal(size=(2, 200))
    mask = np.ones((200, 2), bool)
    for share in (0.0, 0.6, 1.0):
        rewards = np.stack([first, second * (1 - share) - share * first], axis=1)
        earned = rewards, log_prior, log_prior, mask, 1.0
        spread = {
            name: np.std(weights(rloo, *earned, baseline=name)[:, 1])
            for name in ("regression", "whole return", "later return")
        }
        assert spread["regression"] < 1.02 * min(spread.values()) + 1e-5
