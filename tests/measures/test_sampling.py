"""What is summed over samples, held against the distributions themselves."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.measures.controls import TemperedModel
from seqtutor.measures.estimates import ratio_estimate
from seqtutor.measures.policy import policy_estimates
from seqtutor.measures.sampling import draw, draw_batches, join_samples
from seqtutor.rewards import Reward
from tiny_problems import bigram_reward, prior, unroll

SIZE, LENGTH, END = 4, 5, 3
PRIOR = prior(SIZE, scale=6.0)
POLICY = prior(SIZE, seed=11, scale=6.0)
TEMPERATURES = (0.5, 1.0, 1.7)


def drawn(policy=POLICY, number=3000, **others):
    return draw(policy, PRIOR, number=number, length=LENGTH, end=END, **others)


def log_probabilities(model, samples, temperature=1.0):
    logits = np.asarray(unroll(model, samples.tokens), np.float64) / temperature
    return np.asarray(jax.nn.log_softmax(logits), np.float64)


def summed(per_step, mask):
    return np.where(mask, per_step, 0.0).sum(axis=1)


def of_tokens(log_probabilities, samples):
    return np.take_along_axis(log_probabilities, samples.tokens[..., None], axis=-1)[..., 0]


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_kl_and_entropy_are_those_of_the_distribution_that_was_sampled(temperature):
    """And so they add up to the cross-entropy with the prior, exactly over the vocabulary."""
    samples = drawn(temperature=temperature)
    log_policy = log_probabilities(POLICY, samples, temperature)
    log_prior = log_probabilities(PRIOR, samples)
    probability = np.exp(log_policy)

    def exact(per_token):
        return summed((probability * per_token).sum(axis=-1), samples.mask)

    cross_entropy = exact(-log_prior)
    np.testing.assert_allclose(samples.entropy, exact(-log_policy), atol=1e-4)
    np.testing.assert_allclose(samples.kl, exact(log_policy - log_prior), atol=1e-4)
    np.testing.assert_allclose(samples.kl + samples.entropy, cross_entropy, atol=1e-4)
    np.testing.assert_allclose(-samples.expected_log_prior, cross_entropy, atol=1e-4)
    own = {"log_policy": log_policy, "log_prior": log_prior}
    for name, model in own.items():
        expected = summed(of_tokens(model, samples), samples.mask)
        np.testing.assert_allclose(getattr(samples, name), expected, atol=1e-4)
    means = policy_estimates(samples)
    total = means["kl"].value + means["entropy"].value + means["log_prior"].value
    assert total == pytest.approx(0, abs=1e-6)
    # Of the sampled tokens it is the same in expectation.
    sampled = ratio_estimate(samples.log_prior, samples.steps)
    error = np.hypot(sampled.standard_error, means["log_prior"].standard_error)
    assert means["log_prior"].value == pytest.approx(sampled.value, abs=4 * error)


def test_a_temperature_is_that_of_a_tempered_model():
    cold = policy_estimates(drawn(temperature=0.5))
    tempered = policy_estimates(drawn(TemperedModel(POLICY, 0.5), seed=1))
    for name in ("kl", "entropy", "log_prior"):
        error = np.hypot(cold[name].standard_error, tempered[name].standard_error)
        assert cold[name].value == pytest.approx(tempered[name].value, abs=4 * error)
    assert cold["entropy"].value < 0.9 * policy_estimates(drawn())["entropy"].value


def test_the_prior_is_at_no_distance_from_itself_but_at_another_temperature():
    assert (drawn(PRIOR).kl == 0).all()
    assert drawn(PRIOR, temperature=0.5).kl.mean() > 0.05
    assert drawn(PRIOR, temperature=0.5).kl.min() > -1e-5


def test_steps_after_the_end_do_not_count():
    samples = drawn()
    np.testing.assert_array_equal(samples.steps, samples.mask.sum(axis=1))
    for row, mask in zip(samples.tokens, samples.mask, strict=True):
        ended = np.flatnonzero(row == END)
        length = LENGTH if len(ended) == 0 else ended[0] + 1
        assert mask.sum() == length
    assert 1 <= samples.steps.min() < LENGTH


def test_forced_tokens_are_there_and_cost_nothing():
    forced = np.array([[0, 1]])
    samples = drawn(forced=forced, number=50)
    assert (samples.tokens[:, :2] == forced).all()
    np.testing.assert_array_equal(samples.steps, samples.mask.sum(axis=1) - 2)
    later = samples.mask & (np.arange(LENGTH) >= 2)
    log_policy = log_probabilities(POLICY, samples)
    np.testing.assert_allclose(
        samples.log_policy, summed(of_tokens(log_policy, samples), later), atol=1e-4
    )
    each = np.stack([np.arange(50) % 3, np.zeros(50, int)], axis=1)
    several = drawn(forced=each, number=50, batch=20)
    np.testing.assert_array_equal(several.tokens[:, :2], each)


def test_batches_are_the_draw_and_the_seed_decides():
    one = drawn(number=50, batch=20, seed=4)
    parts = list(draw_batches(POLICY, PRIOR, number=50, length=LENGTH, end=END, seed=4, batch=20))
    assert [len(part) for part in parts] == [20, 20, 10]
    np.testing.assert_array_equal(join_samples(parts).tokens, one.tokens)
    np.testing.assert_array_equal(one[20:40].kl, parts[1].kl)
    assert not np.array_equal(one.tokens, drawn(number=50, batch=20, seed=5).tokens)
    # Two batches are not the same sequences again.
    assert not np.array_equal(parts[0].tokens, parts[1].tokens)


def test_it_says_after_each_batch_how_many_there_are():
    told = []
    drawn(number=50, batch=20, on_sequences=told.append)
    assert told == [20, 40, 50]


def test_rewards_and_their_weighted_terms_are_summed_over_the_sequence():
    bigram = bigram_reward(SIZE, LENGTH)
    reward = Reward(bigram.function, {"bigram": 0.5})
    samples = drawn(reward=reward, number=200)
    earned = np.asarray(bigram(*map(jnp.asarray, (samples.tokens, samples.mask))).total)
    earned = earned.sum(axis=1)
    np.testing.assert_allclose(samples.reward, earned / 2, atol=1e-5)
    assert list(samples.terms) == ["bigram"]
    np.testing.assert_allclose(samples.terms["bigram"], samples.reward, atol=1e-5)
    assert drawn(number=10).reward is None
