"""The methods' losses against enumerated gradients, and which sequences each update sees."""

from __future__ import annotations

import itertools
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.models.action_values import ActionValueNetwork, ValuedLogits
from seqtutor.proof import exact
from seqtutor.training.iteration import rows_to_learn
from seqtutor.training.replay import add, empty_replay, take
from seqtutor.training.settings import TutorSettings, applicable_settings
from seqtutor.training.tutor import Tutor
from tiny_problems import (
    METHODS,
    ON_POLICY,
    bigram_reward,
    experience_of,
    identical,
    in_float64,
    prior,
    task,
)

C = 2.0
ALPHA = 0.7
LENGTH = 2
END = 2

# What a method's loss descends, as weights of the prior and of the entropy beside E[r]/c.
OBJECTIVES = {
    "reinforce": (0.0, 0.0),
    "reinforce-baseline": (0.0, 0.0),
    "merl": (0.0, ALPHA),
    "rloo": (1.0, 1.0),
    "ppo": (1.0, 1.0),
    "path": (1.0, 1.0),
}


def settings_of(name, **changes):
    if name == "merl":
        changes["entropy_weight"] = ALPHA
    if name == "ppo":
        changes |= {"trace": 1.0, "value_weight": 0.0}
    squared = applicable_settings(name, huber_threshold=1e6)
    return TutorSettings.of(name, **{"c": C, "discount": 1.0} | squared | changes)


@cache
def problem():
    """Seven sequences of one or two tokens, the last of which ends them."""
    return exact.enumerate_problem(prior(3, hidden=(4,)), bigram_reward(3, LENGTH), LENGTH, end=END)


@cache
def policy():
    """A model far from the prior, in float64."""
    with jax.enable_x64(True):
        return in_float64(prior(3, seed=8, hidden=(4,)).as_policy_start(LENGTH))


@cache
def probabilities():
    """Of every sequence under the policy."""
    with jax.enable_x64(True):
        table = exact.policy_table(problem(), policy())
    found = np.exp(exact.distinct_sequences(problem()).along(table).sum(axis=1))
    return found / found.sum()


def every_sequence():
    """The whole problem as experience, in float64; call with 64 bits enabled."""
    whole, sequences = problem(), exact.distinct_sequences(problem())
    log_prior = [level[sequences.prefixes[:, t]] for t, level in enumerate(whole.log_prior)]
    return experience_of(
        jnp.asarray(sequences.tokens),
        jnp.asarray(sequences.mask),
        jnp.asarray(sequences.along(whole.rewards)),
        jnp.asarray(np.stack(log_prior, axis=1)),
    )


def network_of(model, *, value=0.0):
    """Values are the same in every state, so that no gradient of theirs reaches the model."""
    network = ActionValueNetwork(model, 1.0)
    return eqx.tree_at(
        lambda n: (n.value_weight, n.value_bias),
        network,
        (jnp.zeros(model.feature_size), jnp.asarray(value)),
    )


def flat(gradient):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)])


@cache
def true_gradient(name):
    kappa, alpha = OBJECTIVES[name]
    return flat(
        exact.objective_gradient(problem(), policy(), c=C, prior_weight=kappa, entropy_weight=alpha)
    )


def estimates(name, batches, *, value=0.0, **changes):
    """Minus the gradient of the loss in the model, for every row of sequence numbers."""
    settings = settings_of(name, **changes)
    with jax.enable_x64(True):
        whole = every_sequence()

        def loss(model, rows):
            experience = jax.tree.map(lambda array: array[rows], whole)
            online, slow = (
                network_of(one, value=value).unroll(experience.tokens) for one in (model, policy())
            )
            return METHODS[name].loss(online, slow, experience, settings)

        # A sequence's share of the loss depends on the others of its batch, hence a map over these.
        gradient = jax.jit(jax.vmap(jax.grad(loss), in_axes=(None, 0)))(
            policy(), jnp.asarray(batches)
        )
        leaves = [np.asarray(leaf).reshape(len(batches), -1) for leaf in jax.tree.leaves(gradient)]
    return -np.concatenate(leaves, axis=1)


def expected_estimate(name, size, **options):
    """The mean over every batch of `size` sequences that the policy can generate."""
    rows = range(len(probabilities()))
    batches = np.array(list(itertools.product(rows, repeat=size)))
    weights = probabilities()[batches].prod(axis=1)
    return weights @ estimates(name, batches, **options)


def cosine(one, other):
    return one @ other / (np.linalg.norm(one) * np.linalg.norm(other))


@pytest.mark.parametrize(
    ("name", "size", "share", "options"),
    [
        ("reinforce", 1, 1.0, {}),
        ("merl", 1, 1.0, {}),
        ("rloo", 2, 1.0, {}),
        ("rloo", 4, 1.0, {}),
        ("reinforce-baseline", 2, 1 / 2, {}),
        ("reinforce-baseline", 4, 3 / 4, {}),
        ("path", 1, 1.0, {}),
        ("path", 1, 1.0, {"value": -3.0}),
        ("path", 3, 2 / 3, {"log_partition": "batch"}),
    ],
    ids=str,
)
def test_over_all_batches_the_mean_estimate_is_the_true_gradient(name, size, share, options):
    """To the last digits, in float64: no bias but the baselines' factor 1 − 1/N.

    For path consistency on the policy's own sequences log Z is a baseline: any constant will do.
    """
    found = expected_estimate(name, size, **options)
    np.testing.assert_allclose(found, share * true_gradient(name), atol=1e-9)
    assert np.linalg.norm(found) > 0.1


def test_the_objectives_have_gradients_of_their_own():
    """So that agreement with one is disagreement with another."""
    names = ("reinforce", "merl", "rloo")
    for one, other in itertools.combinations(names, 2):
        assert cosine(true_gradient(one), true_gradient(other)) < 0.99


@pytest.mark.parametrize("value", [0.0, 2.0])
def test_the_first_step_of_ppo_follows_the_gradient(value):
    """On a large batch, whatever the values are a baseline says."""
    rows = np.random.default_rng(0).choice(len(probabilities()), 20_000, p=probabilities())
    (found,) = estimates("ppo", rows[None], value=value)
    assert cosine(found, true_gradient("ppo")) > 0.99


@pytest.mark.parametrize("name", METHODS)
def test_a_loss_reads_nothing_past_the_end_and_moves_no_target(name):
    """Rewards, priors and outputs past the end are noise; the target's outputs are constants."""
    rng = np.random.default_rng(0)
    shape = (4, 5, 3)
    mask = jnp.arange(5) < jnp.array([[5], [3], [1], [4]])

    def outputs():
        logits, value = rng.normal(size=shape), rng.normal(size=shape[:2])
        return ValuedLogits(jnp.asarray(logits, jnp.float32), jnp.asarray(value, jnp.float32))

    online, target = outputs(), outputs()
    experience = experience_of(
        jnp.asarray(rng.integers(0, 3, shape[:2]), jnp.int32),
        mask,
        jnp.asarray(np.where(mask, rng.normal(size=shape[:2]), 0.0), jnp.float32),
        jax.nn.log_softmax(jnp.asarray(rng.normal(size=shape), jnp.float32)),
    )
    settings = settings_of(name)
    loss = jax.jit(
        jax.value_and_grad(lambda both, experience: METHODS[name].loss(*both, experience, settings))
    )
    clean = loss((online, target), experience)

    def spoil(array):
        inside = mask if array.ndim == 2 else mask[..., None]
        return jnp.where(inside, array, array[::-1, ::-1] + 1)

    def spoil_tokens(array):
        return jnp.where(mask, array, (array + 1) % 3)

    spoiled = experience_of(
        spoil_tokens(experience.tokens),
        mask,
        spoil(experience.rewards),
        spoil(experience.whole_log_prior),
    )
    dirty = loss(jax.tree.map(spoil, (online, target)), spoiled)
    np.testing.assert_allclose(clean[0], dirty[0], rtol=1e-6)
    for one, other in zip(jax.tree.leaves(clean[1]), jax.tree.leaves(dirty[1]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    to_online, to_target = clean[1]
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(to_target))
    assert np.any(to_online.logits)


def a_tutor(name, **changes):
    return Tutor(task(3, LENGTH), prior(3, hidden=(4,)), TutorSettings.of(name, **changes))


@pytest.mark.parametrize(
    ("environments", "batch", "updates"), [(12, 4, 7), (12, 12, 2), (10, 7, 5), (9, 2, 3)]
)
def test_ppo_passes_through_the_collection_again_and_again(environments, batch, updates):
    """Every sequence once a pass, each pass in an order of its own."""
    tutor = a_tutor("ppo", environments=environments, batch=batch, updates=updates)
    rows = rows_to_learn(tutor, empty_replay(environments, LENGTH), jax.random.key(0))
    assert rows.shape == (updates, batch)
    drawn = np.asarray(rows).ravel()
    passes = [drawn[at : at + environments] for at in range(0, len(drawn), environments)]
    for one in passes:
        assert len(set(one.tolist())) == len(one)
    if len(passes) > 1:
        assert passes[0][: len(passes[1])].tolist() != passes[1].tolist()


@pytest.mark.parametrize("name", sorted(set(ON_POLICY) - {"ppo", "grpo"}))
def test_the_policy_gradients_see_every_sequence_of_a_collection_once(name):
    """In one update, and none of an older collection."""
    tutor = a_tutor(name, environments=6)
    assert (tutor.updates, tutor.batch) == (1, 6)
    replay = empty_replay(tutor.replay_capacity, LENGTH, 3)
    rng = np.random.default_rng(0)
    for _ in range(3):
        newest = experience_of(
            jnp.asarray(rng.integers(0, 3, (6, LENGTH)), jnp.int32),
            jnp.ones((6, LENGTH), bool),
            jnp.asarray(rng.normal(size=(6, LENGTH)), jnp.float32),
            jnp.asarray(rng.normal(size=(6, LENGTH, 3)), jnp.float32),
        )
        replay = add(replay, newest)
    (rows,) = rows_to_learn(tutor, replay, jax.random.key(0))
    assert sorted(rows.tolist()) == list(range(6))
    assert identical(take(replay, rows), take(replay, jnp.arange(6)))
    assert identical(take(replay, jnp.arange(6)), newest)


@pytest.mark.parametrize("name", ["psi", "path"])
def test_off_policy_methods_draw_from_all_that_is_stored(name):
    tutor = a_tutor(name, environments=8, batch=500, updates=2, replay_capacity=32)
    replay = replace_filled(empty_replay(32, LENGTH), 16)
    rows = np.asarray(rows_to_learn(tutor, replay, jax.random.key(0)))
    assert rows.shape == (2, 500)
    assert set(rows.ravel().tolist()) == set(range(16))
    assert not np.array_equal(rows[0], rows[1])


def replace_filled(replay, filled):
    return eqx.tree_at(lambda r: r.filled, replay, jnp.asarray(filled, jnp.int32))


def test_ppos_values_come_to_rest_at_the_returns():
    """The slope of the value's loss vanishes at V + A of the collector, worked out by a loop."""
    settings = settings_of("ppo").with_changes(value_weight=0.5, trace=0.9)
    with jax.enable_x64(True):
        experience = every_sequence()
        collector = network_of(policy(), value=0.4).unroll(experience.tokens)
        log_policy = np.asarray(jax.nn.log_softmax(collector.logits))
    at_rest = np.full(experience.mask.shape, 0.4)
    rewards = np.asarray(experience.rewards)
    log_prior = np.asarray(experience.log_prior)
    for row, tokens in enumerate(np.asarray(experience.tokens)):
        later = correction = 0.0
        for t in reversed(range(int(experience.mask[row].sum()))):
            log_ratio = log_policy[row, t, tokens[t]] - log_prior[row, t]
            correction = rewards[row, t] / C - log_ratio + later - 0.4 + 0.9 * correction
            at_rest[row, t], later = 0.4 + correction, 0.4
    with jax.enable_x64(True):

        @jax.jit
        @jax.grad
        def slope(value):
            online = ValuedLogits(collector.logits, value)
            return METHODS["ppo"].loss(online, collector, experience, settings)

        np.testing.assert_allclose(slope(jnp.asarray(at_rest)), 0.0, atol=1e-12)
        elsewhere = np.asarray(slope(jnp.asarray(at_rest + 0.1)))
    assert (elsewhere[experience.mask] > 1e-4).all()
    assert not elsewhere[~np.asarray(experience.mask)].any()
