from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from seqtutor.methods.settings import Exploration
from seqtutor.training.rollout import epsilon, explore

LOGITS = jnp.log(jnp.array([0.6, 0.25, 0.1, 0.05]))
DRAWS = 200_000


def frequencies(settings, epsilon_now):
    logits = jnp.broadcast_to(LOGITS, (DRAWS, 4))
    tokens = explore(logits, jax.random.key(0), settings, jnp.array(epsilon_now))
    return np.bincount(tokens, minlength=4)


@pytest.mark.parametrize("epsilon_now", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_boltzmann_with_epsilon_mixes_the_policy_with_uniform(epsilon_now, temperature):
    policy = np.asarray(jax.nn.softmax(LOGITS / temperature), np.float64)
    expected = (1 - epsilon_now) * policy / policy.sum() + epsilon_now / 4
    counts = frequencies(Exploration(temperature=temperature), epsilon_now)
    assert chisquare(counts, DRAWS * expected).pvalue > 1e-3


def test_greedy_with_epsilon_mixes_the_best_token_with_uniform():
    counts = frequencies(Exploration(behaviour="greedy"), 0.2)
    assert chisquare(counts, DRAWS * np.array([0.85, 0.05, 0.05, 0.05])).pvalue > 1e-3


def test_no_epsilon_means_none_at_all():
    assert frequencies(Exploration(behaviour="greedy"), 0.0).tolist() == [DRAWS, 0, 0, 0]


def test_epsilon_falls_on_a_line_and_stays():
    settings = Exploration(epsilon_start=1.0, epsilon_end=0.2, epsilon_decay_share=0.5)
    found = [float(epsilon(settings, jnp.array(p))) for p in (0.0, 0.25, 0.5, 0.75, 1.0)]
    np.testing.assert_allclose(found, [1.0, 0.6, 0.2, 0.2, 0.2], atol=1e-6)


def test_without_a_decay_epsilon_is_at_its_end_after_the_first_collection():
    settings = Exploration(epsilon_start=1.0, epsilon_end=0.2, epsilon_decay_share=0.0)
    assert float(epsilon(settings, jnp.array(1e-6))) == pytest.approx(0.2)
