"""GRPO: its advantages, what clipping does, and which divergence its published form follows."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.methods.base import Experience
from seqtutor.methods.grpo import METHOD, divergence_estimate, group_advantages
from seqtutor.models.action_values import ValuedLogits
from seqtutor.training.settings import TutorSettings

LOGITS = jnp.array([0.3, -1.0, 0.8])
LOG_PRIOR = jnp.log(jnp.array([0.5, 0.3, 0.2]))


def kl(log_p, log_q):
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q))


def test_advantages_are_standardised_over_the_group():
    advantages = np.asarray(group_advantages(jnp.array([1.0, 4.0, -2.0, 7.0])))
    assert advantages.mean() == pytest.approx(0.0, abs=1e-6)
    assert advantages.std() == pytest.approx(1.0, rel=1e-5)
    assert list(np.argsort(advantages)) == [2, 0, 1, 3]
    np.testing.assert_array_equal(group_advantages(jnp.full(4, 3.0)), 0.0)


def test_the_published_term_estimates_one_divergence_and_follows_the_other():
    """Its mean over π is KL(π‖p); the mean of its gradient is that of KL(p‖π)."""
    probability = jax.nn.softmax(LOGITS)
    terms = divergence_estimate(LOG_PRIOR - jax.nn.log_softmax(LOGITS))
    expected = kl(jnp.log(probability), LOG_PRIOR)
    np.testing.assert_allclose(probability @ terms, expected, rtol=1e-5)

    def on_samples(logits):
        log_policy = jax.nn.log_softmax(logits)
        return jax.lax.stop_gradient(jnp.exp(log_policy)) @ divergence_estimate(
            LOG_PRIOR - log_policy
        )

    def other_way_round(logits):
        return kl(LOG_PRIOR, jax.nn.log_softmax(logits))

    def this_way_round(logits):
        return kl(jax.nn.log_softmax(logits), LOG_PRIOR)

    found = jax.grad(on_samples)(LOGITS)
    np.testing.assert_allclose(found, jax.grad(other_way_round)(LOGITS), atol=1e-6)
    assert np.abs(found - jax.grad(this_way_round)(LOGITS)).max() > 0.05


def loss_of(online, collector, rewards, **settings):
    """Single-token sequences of every token of the vocabulary, once each."""
    tokens = jnp.arange(3)[:, None]
    mask = jnp.ones((3, 1), bool)
    experience = Experience(tokens, mask, jnp.asarray(rewards)[:, None], LOG_PRIOR[:, None])
    outputs = [
        ValuedLogits(jnp.broadcast_to(logits, (3, 1, 3)), jnp.zeros((3, 1)))
        for logits in (online, collector)
    ]
    return METHOD.loss(*outputs, experience, TutorSettings.of("grpo", c=1.0, **settings))


def test_beyond_the_clip_a_ratio_has_no_gradient():
    """Only the best token has a positive advantage; its ratio is far above 1 + ε."""
    rewards = np.asarray(jax.nn.log_softmax(LOGITS) - LOG_PRIOR) + np.array([0.0, 0.0, 5.0])
    moved = LOGITS + jnp.array([0.0, 0.0, 2.0])
    free = jax.grad(loss_of)(moved, LOGITS, rewards, clip=100.0)
    clipped = jax.grad(loss_of)(moved, LOGITS, rewards, clip=0.01)
    assert float(jnp.abs(free[2])) > 0.01
    np.testing.assert_allclose(clipped, 0.0, atol=1e-6)


def test_at_the_optimum_there_is_nothing_to_gain():
    """Where r/c = log π/p + const, every return is the same."""
    rewards = jax.nn.log_softmax(LOGITS) - LOG_PRIOR + 1.5
    gradient = jax.grad(loss_of)(LOGITS, LOGITS, rewards)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-5)


def test_a_place_for_the_divergence_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match="divergence must be reward or loss"):
        TutorSettings.of("grpo", divergence="both")
