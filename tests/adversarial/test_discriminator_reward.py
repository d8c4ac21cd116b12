"""The discriminator as a reward: its terms and shapes, and that it can change in the loop."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.adversarial import discriminator_reward
from seqtutor.adversarial.discriminator import (
    ConstantDiscriminator,
    ConvolutionalDiscriminator,
    RandomDiscriminator,
)
from seqtutor.adversarial.files import SavedDiscriminator, save_discriminator
from seqtutor.adversarial.reward import RolloutParameters, complete, game_reward
from seqtutor.adversarial.settings import GameSettings
from seqtutor.errors import UserError
from seqtutor.methods import reinforce
from seqtutor.methods.base import Experience
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.proof import exact
from seqtutor.rewards import Reward, compiled, learned
from seqtutor.task import Task
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor, _advance
from seqtutor.vocabulary import Vocabulary
from tiny_problems import prior, vocabulary

SIZE, LENGTH, END = 3, 4, 2
TOKENS = jnp.array([[0, 1, 1, 0], [1, 0, 2, 2], [2, 2, 2, 2], [1, 1, 0, 2]])
MASK = jnp.arange(LENGTH) < jnp.array([[4], [3], [1], [4]])


def discriminator(seed=0):
    return ConvolutionalDiscriminator(
        SIZE, embedding_size=4, widths=(1, 2), filters=(4, 4), dropout=0.0, key=jax.random.key(seed)
    )


def fixed(reward):
    """The reward of that discriminator, which no longer takes parameters."""
    return Reward(compiled(partial(reward.function, discriminator())), reward.weights)


def policy():
    return prior(SIZE, seed=8, hidden=(4,))


def parameters(settings, seed=0):
    if settings.shape == "rollouts":
        return RolloutParameters(discriminator(seed), policy(), jax.random.key(1))
    return discriminator(seed)


def settings_of(term, shape):
    return GameSettings(term=term, shape=shape)


OF_LOGIT = {
    "probability": lambda x: 1 / (1 + np.exp(-x)),
    "logit": lambda x: x,
    "log-probability": lambda x: -np.log1p(np.exp(-x)),
}


@cache
def earned(term, shape):
    settings = settings_of(term, shape)
    pay = jax.jit(game_reward(settings, END).__call__)
    return pay(TOKENS, MASK, parameters(settings))


@pytest.mark.parametrize("term", OF_LOGIT)
@pytest.mark.parametrize("shape", ["end", "prefix", "rollouts"])
def test_every_shape_pays_a_sequence_the_same_in_sum(term, shape):
    """The judgement of the whole, however it is spread over the steps."""
    expected = OF_LOGIT[term](np.asarray(discriminator().logits(TOKENS, MASK)))
    found = earned(term, shape)
    assert list(found.terms) == [term]
    np.testing.assert_allclose(found.total.sum(axis=1), expected, rtol=1e-5, atol=1e-6)
    assert not np.any(np.asarray(found.total)[~np.asarray(MASK)])


def test_at_the_end_nothing_is_paid_before_it():
    paid = np.asarray(earned("probability", "end").total)
    last = np.asarray(MASK).sum(axis=1) - 1
    assert (np.count_nonzero(paid, axis=1) == 1).all()
    assert (paid[np.arange(4), last] > 0).all()


def test_prefixes_pay_each_token_what_it_adds():
    found = np.asarray(earned("log-probability", "prefix").total)
    logits = np.asarray(discriminator().prefix_logits(TOKENS))
    values = OF_LOGIT["log-probability"](logits)
    expected = np.diff(values, axis=1, prepend=0.0)
    np.testing.assert_allclose(found[MASK], expected[np.asarray(MASK)], atol=1e-6)


def test_completions_keep_what_is_given_and_come_from_the_policy():
    """Given two tokens of four, the rest is distributed as the model says."""
    number = 4000
    given = jnp.tile(jnp.array([[1, 0, 0, 0]]), (number, 1))
    tokens, mask = jax.jit(complete, static_argnums=4)(
        policy(), given, jnp.asarray(2), jax.random.key(0), END
    )
    assert (tokens[:, :2] == jnp.array([1, 0])).all()
    probabilities = jax.nn.softmax(policy().unroll(jnp.array([[1, 0, 0, 0]])))[0, 2]
    found = np.bincount(np.asarray(tokens)[:, 2], minlength=SIZE) / number
    error = np.sqrt(probabilities * (1 - probabilities) / number)
    assert (np.abs(found - probabilities) < 4 * error).all()
    ended = np.asarray(tokens)[:, 2] == END
    assert (~np.asarray(mask)[ended, 3]).all()
    assert np.asarray(mask)[~ended, 3].all()


def test_rollouts_are_the_mean_of_all_completions():
    """With many of them, the value of the prefix under the policy, which can be enumerated."""
    settings = GameSettings(term="probability", shape="rollouts", rollouts=3000)
    reward = game_reward(settings, END)
    found = jax.jit(reward.__call__)(TOKENS[:1], MASK[:1], parameters(settings)).total[0]
    whole = GameSettings(term="probability", shape="end")
    problem = exact.enumerate_problem(
        policy(),
        fixed(game_reward(whole, END)),
        LENGTH,
        end=END,
    )
    sequences = exact.distinct_sequences(problem)
    chances = np.exp(sequences.along(problem.log_prior).sum(axis=1))
    worth = sequences.along(problem.rewards).sum(axis=1)
    values = []
    for t in range(1, LENGTH + 1):
        goes_on = (sequences.tokens[:, :t] == np.asarray(TOKENS[0, :t])).all(axis=1)
        values.append((chances * worth)[goes_on].sum() / chances[goes_on].sum())
    np.testing.assert_allclose(found, np.diff(values, prepend=0.0), atol=0.02)


@cache
def gradients(shape):
    """REINFORCE's step on a large batch of the policy's own, and the enumerated gradient."""
    settings = (
        GameSettings(term="probability", shape=shape, rollouts=4)
        if (shape == "rollouts")
        else settings_of("probability", shape)
    )
    whole = game_reward(settings_of("probability", "end"), END)
    problem = exact.enumerate_problem(policy(), fixed(whole), LENGTH, end=END)
    truth = exact.objective_gradient(problem, policy(), c=1.0, prior_weight=0.0, entropy_weight=0.0)
    sequences = exact.distinct_sequences(problem)
    chances = np.exp(sequences.along(problem.log_prior).sum(axis=1))
    rows = np.random.default_rng(0).choice(len(chances), 20_000, p=chances / chances.sum())
    tokens, mask = jnp.asarray(sequences.tokens[rows]), jnp.asarray(sequences.mask[rows])
    reward = game_reward(settings, END)

    @jax.jit
    def estimate(model):
        paid = reward(tokens, mask, parameters(settings)).total
        experience = Experience(tokens, mask, paid, jnp.zeros(tokens.shape))

        def loss(model):
            output = ActionValueNetwork(model, 1.0).unroll(tokens)
            tutoring = TutorSettings.of("reinforce", c=1.0)
            return reinforce.METHOD.loss(output, output, experience, tutoring)

        return jax.grad(loss)(model)

    return tuple(
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
        for tree in (jax.tree.map(jnp.negative, estimate(policy())), truth)
    )


@pytest.mark.parametrize("shape", ["end", "prefix", "rollouts"])
def test_reinforce_follows_the_true_gradient_of_the_expected_judgement(shape):
    """Whatever the shape: what is taken off before a token does not depend on it."""
    estimate, truth = gradients(shape)
    cosine = estimate @ truth / np.linalg.norm(estimate) / np.linalg.norm(truth)
    assert cosine > 0.99
    assert np.linalg.norm(estimate) == pytest.approx(np.linalg.norm(truth), rel=0.1)


def a_tutor(judge, **changes):
    settings = GameSettings(term="logit", shape="prefix")
    task = Task(vocabulary(SIZE, has_end=True), LENGTH, game_reward(settings, END))
    tutoring = TutorSettings.of(
        "psi", environments=8, batch=8, replay_capacity=16, updates=1, **changes
    )
    return Tutor(task, policy(), tutoring, judge)


def test_another_discriminator_pays_otherwise_in_the_same_compiled_program():
    first, second = a_tutor(discriminator(0)), a_tutor(discriminator(1))
    compiled_before = _advance._cache_size()
    states = [tutor.advance(tutor.initial_state(), 2)[0] for tutor in (first, second)]
    assert _advance._cache_size() == compiled_before + 1
    np.testing.assert_array_equal(*(state.replay.stored.tokens[:8] for state in states))
    for tutor, state in zip((first, second), states, strict=True):
        stored = state.replay.stored
        expected = tutor.task.reward(stored.tokens, stored.mask, tutor.reward_parameters)
        np.testing.assert_allclose(stored.rewards, expected.total, atol=1e-5)
    assert not np.allclose(*(state.replay.stored.rewards for state in states))


def test_parameters_are_no_part_of_what_makes_two_tutors_one():
    """And they are not kept by the compiled program."""
    one, other = a_tutor(discriminator(0)), a_tutor(discriminator(1))
    other = replace(other, prior=one.prior)
    assert one == other
    assert hash(one) == hash(other)
    assert one.compiled_part().reward_parameters is None


@pytest.mark.parametrize("judge", [ConstantDiscriminator(), RandomDiscriminator(jnp.asarray(0))])
def test_controls_pay_in_the_same_way(judge):
    reward = game_reward(settings_of("probability", "prefix"), END)
    total = np.asarray(reward(TOKENS, MASK, judge).total.sum(axis=1))
    np.testing.assert_allclose(total, jax.nn.sigmoid(judge.logits(TOKENS, MASK)), rtol=1e-5)


def test_a_learned_reward_without_parameters_is_refused():
    with pytest.raises(UserError, match="no parameters yet"):
        a_tutor(None).advance(a_tutor(None).initial_state(), 1)


def test_a_learned_reward_takes_its_parameters_with_a_call():
    reward = Reward(
        learned(lambda weight, tokens, mask: {"ones": weight * (tokens == 1)}), {"ones": 2.0}
    )
    assert reward.is_learned
    found = reward(TOKENS, MASK, 3.0).total
    np.testing.assert_array_equal(found, 6.0 * ((TOKENS == 1) & MASK))


@pytest.mark.parametrize(("shape", "steps"), [("end", 1), ("prefix", 4)])
def test_a_trained_discriminator_is_a_reward_for_any_task(tmp_path, shape, steps):
    own = vocabulary(SIZE, has_end=True)
    save_discriminator(SavedDiscriminator(discriminator(3), own), tmp_path / "discriminator")
    task = Task(own, LENGTH, discriminator_reward(tmp_path, shape=shape, weight=2.0))
    found = jax.jit(task.reward.__call__)(TOKENS, MASK)
    assert list(found.terms) == ["discriminator"]
    expected = 2.0 * np.asarray(discriminator(3).logits(TOKENS, MASK))
    np.testing.assert_allclose(found.total.sum(axis=1), expected, rtol=1e-5)
    assert np.count_nonzero(found.total[0]) == steps
    other = Vocabulary("xyz")
    with pytest.raises(UserError, match="another vocabulary"):
        Task(other, LENGTH, discriminator_reward(tmp_path))
    with pytest.raises(UserError, match="not a model folder"):
        discriminator_reward(tmp_path / "none")
