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


@given(seed=SEEDS, discount=DISCOUNTS)
@settings(max_examples=30, deadline=None)
def test_the_weights_against_loops(seed, discount):
    """Each method's weights at the steps that are real; others have no say in the loss."""
    rewards, log_policy, log_prior, mask = a_batch(seed)
    alone = returns_by_loop(rewards, mask, discount)
    with_entropy = returns_by_loop(rewards - 0.7 * log_policy, mask, discount)
    with_divergence = returns_by_loop(rewards - log_policy + log_prior, mask, discount)
    others = np.array(
        [np.delete(with_divergence, row, axis=0).mean(axis=0) for row in range(len(rewards))]
    )
    cases = [
        (reinforce, alone, {}),
        (reinforce_baseline, alone - alone.mean(axis=0), {}),
        (merl, with_entropy - 0.7, {"entropy_weight": 0.7}),
        (
            merl,
            with_entropy - 0.7 - alone.mean(axis=0),
            {"entropy_weight": 0.7, "baseline": True},
        ),
        (rloo, with_divergence - others, {}),
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
    found = weights(rloo, rewards, log_policy, log_prior, mask, discount)
    np.testing.assert_allclose(found, 4 / 3 * biased, atol=2e-5)
    np.testing.assert_allclose(np.sum(found, axis=0), 0.0, atol=2e-5)


def test_a_policy_at_its_optimum_gets_no_leave_one_out_weight():
    """Where r/c − log π/p of every sequence is log Z, there is nothing to learn, in any batch."""
    rng = np.random.default_rng(0)
    rewards, log_prior = rng.normal(size=(2, 5, 3))
    log_policy = log_prior + rewards
    log_policy[:, 0] -= 1.7
    mask = np.ones((5, 3), bool)
    found = weights(rloo, rewards, log_policy, log_prior, mask, 1.0)
    np.testing.assert_allclose(found, 0.0, atol=1e-5)
