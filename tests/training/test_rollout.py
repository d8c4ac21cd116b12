from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from seqtutor.proof import exact
from seqtutor.training.rollout import sample, sample_logits
from tiny_problems import bigram_reward, prior

MODEL = prior(3, scale=2.0)
DRAWS = 20_000


@pytest.fixture(scope="module")
def rollout():
    return sample(MODEL, jax.random.key(0), DRAWS, 4, end=2)


def test_the_mask_covers_a_sequence_with_its_end_and_padding_is_the_end_token(rollout):
    tokens, mask = np.asarray(rollout.tokens), np.asarray(rollout.mask)
    ended_before = np.cumsum(tokens == 2, axis=1) - (tokens == 2) > 0
    np.testing.assert_array_equal(mask, ~ended_before)
    assert (tokens[~mask] == 2).all()
    assert {1, 4} <= set(mask.sum(1).tolist())


def test_sequences_come_with_the_models_probabilities(rollout):
    """A chi-square test over every distinct sequence, against teacher forcing."""
    problem = exact.enumerate_problem(MODEL, bigram_reward(3, 4), 4, end=2)
    powers = 3 ** np.arange(3, -1, -1)
    counts = np.bincount(np.asarray(rollout.tokens) @ powers, minlength=81)
    log_probability, prefix = np.zeros(81), np.zeros(81, int)
    for t, token in enumerate(problem.sequences.T):
        alive = problem.alive[t][prefix]
        log_probability += np.where(alive, problem.log_prior[t][prefix, token], 0.0)
        prefix = prefix * 3 + token
    cells = np.unique(problem.sequences @ powers)
    probability = np.zeros(81)
    probability[problem.sequences @ powers] = np.exp(log_probability)
    assert probability[cells].sum() == pytest.approx(1.0)
    assert counts.sum() == counts[cells].sum()
    frequent = cells[probability[cells] * DRAWS > 5]
    observed = np.append(counts[frequent], DRAWS - counts[frequent].sum())
    expected = DRAWS * np.append(probability[frequent], 1 - probability[frequent].sum())
    keep = expected > 5
    observed = np.append(observed[keep], observed[~keep].sum())
    expected = np.append(expected[keep], expected[~keep].sum() + 1e-9)
    keep = expected > 1
    assert (
        chisquare(observed[keep], expected[keep] * observed[keep].sum() / expected[keep].sum())[1]
        > 1e-3
    )


def test_outputs_are_the_log_probabilities_before_each_token(rollout):
    expected = jax.nn.log_softmax(MODEL.unroll(rollout.tokens[:50]))
    np.testing.assert_allclose(rollout.outputs[:50], expected, atol=1e-5)


def test_forced_tokens_come_first_and_the_rest_follows_the_model():
    forced = jnp.array([[0, 1], [2, 0], [1, 2]])
    primed = sample(MODEL, jax.random.key(0), 3, 5, end=2, forced=forced)
    assert primed.tokens[0, :2].tolist() == [0, 1]
    assert primed.tokens[1].tolist() == [2] * 5
    assert primed.tokens[2].tolist() == [1, 2, 2, 2, 2]
    assert primed.mask.sum(1)[1:].tolist() == [1, 2]
    expected = jax.nn.log_softmax(MODEL.unroll(primed.tokens))
    np.testing.assert_allclose(primed.outputs, expected, atol=1e-5)


def test_no_forced_tokens_and_too_many_are_fine():
    free = sample(MODEL, jax.random.key(0), 2, 3)
    none = sample(MODEL, jax.random.key(0), 2, 3, forced=jnp.zeros((2, 0), jnp.int32))
    np.testing.assert_array_equal(free.tokens, none.tokens)
    many = sample(MODEL, jax.random.key(0), 2, 3, forced=jnp.tile(jnp.array([0, 1, 2, 0]), (2, 1)))
    assert many.tokens.tolist() == [[0, 1, 2]] * 2
    assert many.mask.all()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_frequencies_of_sample_logits(temperature):
    logits = jnp.array([1.0, -2.0, 0.0, 3.0, -50.0])
    tokens = sample_logits(
        jnp.broadcast_to(logits, (DRAWS * 10, 5)), jax.random.key(1), temperature
    )
    counts = np.bincount(tokens, minlength=5)
    probability = np.asarray(jax.nn.softmax(logits / temperature), np.float64)[:4]
    assert counts[4] == 0
    assert chisquare(counts[:4], counts.sum() * probability / probability.sum()).pvalue > 1e-3


@pytest.mark.parametrize("allowed", [[0], [37], [1, 17, 36]])
def test_a_token_of_no_probability_is_never_drawn(allowed):
    """Zeros lie before, between and after, where rounding of the running sum could reach them."""
    rng = np.random.default_rng(0)
    logits = np.full((300_000, 38), -np.inf, np.float32)
    logits[:, allowed] = rng.normal(size=(len(logits), len(allowed)))
    tokens = sample_logits(jnp.asarray(logits), jax.random.key(2))
    assert set(np.unique(tokens)) == set(allowed)


def test_one_key_gives_one_batch():
    draws = [sample(MODEL, jax.random.key(seed), 50, 4).tokens for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
