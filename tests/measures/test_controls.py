"""Controls, held against order statistics and the enumeration of every sequence."""

import functools
import math

import jax
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.measures.controls import (
    RescaledModel,
    TemperedModel,
    best_of_n,
    best_of_n_kl_bound,
    untrained,
)
from seqtutor.measures.sampling import draw
from seqtutor.models.product import ProductModel
from seqtutor.proof import exact
from seqtutor.training.rollout import sample
from tiny_problems import TOKENS, identical, prior, step_by_step, task, unroll

MODEL = prior(3, scale=2.0)
TASK = task(3, 4, has_end=True)
SIZES = (2, 5, 16)


@pytest.mark.parametrize("temperature", [0.4, 1.7])
def test_a_tempered_model_has_the_prior_to_a_power(temperature):
    tempered = TemperedModel(MODEL, temperature)
    power = np.exp(jax.nn.log_softmax(unroll(MODEL, TOKENS)) / temperature)
    expected = power / power.sum(axis=-1, keepdims=True)
    for logits in (unroll(tempered, TOKENS), step_by_step(tempered, TOKENS)):
        np.testing.assert_allclose(jax.nn.softmax(logits), expected, atol=1e-5)


def test_a_tempered_model_generates_as_the_model_does_at_that_temperature():
    key = jax.random.key(3)
    one = sample(TemperedModel(MODEL, 0.5), key, 500, 5, end=2).tokens
    other = sample(MODEL, key, 500, 5, 0.5, end=2).tokens
    assert np.mean(np.asarray(one) == np.asarray(other)) > 0.999


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 3.0])
def test_a_rescaled_g_is_the_prior_times_the_power_of_its_factor(share):
    """π ∝ p·exp(G·c₀/c) with s = c₀/c, from the tuned policy π ∝ p·exp(G) alone."""
    other = prior(3, seed=9, scale=2.0)
    tuned = ProductModel(MODEL, other)
    weights = np.exp(jax.nn.log_softmax(unroll(MODEL, TOKENS)) + share * unroll(other, TOKENS))
    expected = weights / weights.sum(axis=-1, keepdims=True)
    rescaled = RescaledModel(MODEL, tuned, share)
    for logits in (unroll(rescaled, TOKENS), step_by_step(rescaled, TOKENS)):
        np.testing.assert_allclose(jax.nn.softmax(logits), expected, atol=1e-5)


def test_the_divergence_of_a_tempered_model_is_exact_at_every_step():
    problem = exact.enumerate_problem(MODEL, TASK.reward, 4, end=2)
    tempered = TemperedModel(MODEL, 0.5)
    expected = exact.kl_divergence(
        problem, exact.policy_table(problem, tempered), problem.log_prior
    )
    kl = draw(tempered, MODEL, number=12_000, length=4, end=2).kl
    assert kl.min() >= -1e-6
    assert kl.mean() == pytest.approx(expected, abs=float(4 * kl.std() / math.sqrt(len(kl))))


@functools.cache
def chosen():
    return best_of_n(MODEL, TASK, SIZES, number=6000, seed=4)


@functools.cache
def reward_levels():
    """Each different reward of a sequence, with its probability under the prior, ascending."""
    problem = exact.enumerate_problem(MODEL, TASK.reward, 4, end=2)
    rewards, log_probability = {}, {}
    for cell, row in enumerate(problem.sequences):
        reward = logp = 0.0
        for t, token in enumerate(row):
            prefix = cell // 3 ** (4 - t)
            if problem.alive[t][prefix]:
                reward += problem.rewards[t][prefix, token]
                logp += problem.log_prior[t][prefix, token]
        rewards[tuple(row)], log_probability[tuple(row)] = reward, logp
    order = sorted(rewards, key=lambda row: rewards[row])
    values = np.array([rewards[row] for row in order])
    return values, np.exp([log_probability[row] for row in order])


@pytest.mark.parametrize("size", SIZES)
def test_the_best_of_n_earns_what_order_statistics_say(size):
    values, probability = reward_levels()
    cumulative = np.concatenate([[0.0], np.cumsum(probability)])
    policy = np.diff(cumulative**size)
    assert policy.sum() == pytest.approx(1.0, abs=1e-5)
    reward = chosen()[size].reward
    error = float(reward.std()) / math.sqrt(len(reward))
    assert reward.mean() == pytest.approx(values @ policy, abs=4 * error)
    # All rewards differ here, so that this is the divergence itself, and the bound must hold.
    divergence = float(np.sum(policy * np.log(policy / probability)))
    assert 0 < divergence <= best_of_n_kl_bound(size)
    np.testing.assert_allclose(chosen()[size].kl, best_of_n_kl_bound(size))


@pytest.mark.parametrize("size", SIZES)
def test_the_best_of_n_has_its_exact_law(size):
    """P(τ) = F(r)^n − F(r−)^n of the distribution F of the prior's rewards, all different here."""
    values, probability = reward_levels()
    cumulative = np.concatenate([[0.0], np.cumsum(probability)])
    law = np.diff(cumulative**size)
    place = np.abs(chosen()[size].reward[:, None] - values).argmin(axis=1)
    shares = np.bincount(place, minlength=len(values)) / len(place)
    error = np.sqrt(law * (1 - law) / len(place))
    assert (np.abs(shares - law) <= 4.5 * error + 1e-4).all()


def test_the_best_of_n_of_a_policy_begins_as_it_is_told():
    forced = np.array([[0], [1], [0]], np.int32)
    found = best_of_n(MODEL, TASK, (4,), number=3, forced=forced)[4]
    np.testing.assert_array_equal(found.tokens[:, :1], forced)
    assert found.tokens.shape == (3, 4)


def test_a_larger_n_chooses_among_the_same_samples_and_more():
    small, middle, large = (chosen()[size].reward for size in SIZES)
    assert (small <= middle).all()
    assert (middle <= large).all()
    assert (small < large).any()
    assert len(large) == 6000


def test_the_bound_is_zero_for_one_sample_and_grows():
    bounds = [best_of_n_kl_bound(n) for n in (1, 2, 4, 64)]
    assert bounds[0] == 0
    assert bounds == sorted(bounds)
    assert bounds[2] == pytest.approx(math.log(4) - 0.75)


def test_what_the_best_of_n_does_at_a_step_is_not_known():
    assert np.isnan(chosen()[5].entropy).all()
    assert np.isnan(chosen()[5].log_policy).all()
    assert (chosen()[5].log_prior < 0).all()


def test_an_untrained_model_has_the_sizes_and_nothing_of_what_was_learned():
    learned = prior(5, hidden=(6, 4)).as_policy_start(7)
    one, same, other = (untrained(learned, seed) for seed in (1, 1, 2))
    assert identical(one, same)
    assert not identical(one, other)
    assert one.config == learned.config | {"positions": 0}
    with pytest.raises(UserError, match="'tempered' has no settings"):
        untrained(TemperedModel(learned, 2.0), 0)
