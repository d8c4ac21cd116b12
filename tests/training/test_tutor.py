from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from seqtutor.errors import UserError
from seqtutor.methods.settings import NO_EXPLORATION
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.product import ProductModel
from seqtutor.proof import exact
from seqtutor.task import Task
from seqtutor.training import plan as tutor_plan
from seqtutor.training.iteration import collect, iterate
from seqtutor.training.metrics import Metrics, distinct_in_batch, measure
from seqtutor.training.plan import TutorState
from seqtutor.training.settings import TutorSettings, applicable_settings
from seqtutor.training.tutor import Tutor
from tiny_problems import (
    METHODS,
    OFF_POLICY,
    ON_POLICY,
    TOKENS,
    experience_of,
    identical,
    in_float64,
    prior,
    task,
    unroll,
    vocabulary,
)

pytestmark = pytest.mark.short_runs

LENGTH = 4
PRIOR = prior(3, hidden=(12,))
AS_MADE = jax.tree.map(jnp.copy, PRIOR)
LEARNING = {
    "discount": 1.0,
    "trace": 0.8,
    "environments": 32,
    "batch": 32,
    "replay_capacity": 1024,
    "steps": 32 * LENGTH * 300,
    "value_scale": 5.0,
    "learning_rate": 5e-3,
    "learning_rate_final_share": 0.0,
}


def learning(name, **changes):
    """Settings that learn quickly, as far as the method has them."""
    return TutorSettings.of(name, **applicable_settings(name, **LEARNING) | changes)


@dataclass(frozen=True)
class Lesson:
    """A whole run of a tutor on an enumerated problem."""

    tutor: Tutor
    state: TutorState
    metrics: Metrics
    problem: exact.Enumeration

    @property
    def policy(self):
        """The learned policy at every prefix."""
        return exact.policy_table(self.problem, self.tutor.policy(self.state.network))


def lesson(name, *, has_end=False):
    return _lesson(name, has_end)


@cache
def _lesson(name, has_end):
    """Ψ and G face a sharp problem; Q's own fixed point lies far from π* on a soft one."""
    exercise = task(3, LENGTH, has_end=has_end)
    c = 0.5 if name in ("psi", "g") else 2.0
    settings = learning(name, c=c)
    tutor = Tutor(exercise, PRIOR, settings)
    state, metrics = tutor.advance(tutor.initial_state(), tutor.iterations)
    problem = exact.enumerate_problem(PRIOR, exercise.reward, LENGTH, end=exercise.vocabulary.end)
    return Lesson(tutor, state, metrics, problem)


@pytest.mark.parametrize("has_end", [False, True], ids=["no end", "with end"])
@pytest.mark.parametrize("name", ["psi", "g"])
def test_psi_and_g_learn_the_optimum(name, has_end):
    run = lesson(name, has_end=has_end)
    best = exact.optimum(run.problem, c=0.5).log_policy
    assert exact.kl_divergence(run.problem, run.problem.log_prior, best) > 1.0
    assert exact.kl_divergence(run.problem, run.policy, best) < 0.01


@pytest.mark.parametrize("name", ["q", "rl-only"])
def test_q_learns_its_own_fixed_point_which_is_not_the_optimum(name):
    run = lesson(name)
    own = exact.fixed_point(run.problem, METHODS[name].equations, c=2.0).log_policy
    best = exact.optimum(run.problem, c=2.0).log_policy
    to_own, to_best = (exact.kl_divergence(run.problem, run.policy, other) for other in (own, best))
    assert to_own < 0.01
    assert to_best > 2 * to_own


@pytest.mark.parametrize("name", [*ON_POLICY, *OFF_POLICY])
def test_the_first_policy_is_the_prior(name):
    """In the tables, and in the first record, which is taken before any update."""
    run = lesson(name)
    first = exact.policy_table(run.problem, run.tutor.policy(run.tutor.initial_state().network))
    for found, expected in zip(first, run.problem.log_prior, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    kl = np.asarray(run.metrics["kl"])
    assert abs(kl[0]) < 1e-6
    assert (kl[1:] > 0).all()


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    run = lesson("psi", has_end=True)
    state, metrics = run.tutor.advance(run.tutor.initial_state(), run.tutor.iterations)
    assert identical(state, run.state)
    assert identical(metrics, run.metrics)
    other = Tutor(run.tutor.task, PRIOR, replace(run.tutor.settings, seed=1)).initial_state()
    other_state, other_metrics = run.tutor.advance(other, run.tutor.iterations)
    assert not np.array_equal(other_metrics["reward"], metrics["reward"])
    assert not identical(other_state.network, state.network)


def test_the_prior_is_left_alone_and_the_target_moves():
    run = lesson("psi", has_end=True)
    assert identical(PRIOR, AS_MADE)
    assert not identical(run.state.target, run.tutor.initial_state().target)
    assert not identical(run.state.target, run.state.network)
    assert int(run.state.iteration) == run.tutor.iterations == 300
    assert int(run.state.replay.filled) == run.tutor.replay_capacity


def test_the_replay_holds_what_the_reward_and_the_prior_say_of_its_sequences():
    run = lesson("psi", has_end=True)
    stored = run.state.replay.stored
    earned = jax.jit(run.tutor.task.reward.__call__)(stored.tokens, stored.mask)
    np.testing.assert_allclose(stored.rewards, earned.total, atol=1e-6)
    log_prior = jax.nn.log_softmax(unroll(PRIOR, stored.tokens))
    taken = np.take_along_axis(np.asarray(log_prior), np.asarray(stored.tokens)[..., None], axis=-1)
    np.testing.assert_allclose(stored.log_prior, taken[..., 0], atol=1e-5)
    assert stored.whole_log_prior is None
    whole = lesson("g", has_end=True).state.replay.stored
    log_prior = jax.nn.log_softmax(unroll(PRIOR, whole.tokens))
    np.testing.assert_allclose(whole.whole_log_prior, log_prior, atol=1e-5)


def test_g_learns_the_same_where_the_prior_is_asked_again(monkeypatch):
    """Within rounding, and with a replay that holds nothing of the vocabulary's size."""
    settings = learning("g", steps=32 * LENGTH * 8, priority_exponent=0.6, updates=4)
    tutor = Tutor(task(3, LENGTH, has_end=True), PRIOR, settings)

    def run():
        # A program of its own: equal tutors share theirs.
        return jax.jit(lambda state: iterate(tutor, PRIOR, None, state, jnp.asarray(8)))(
            tutor.initial_state()
        )

    kept, kept_metrics = run()
    assert kept.replay.stored.whole_log_prior is not None
    monkeypatch.setattr(tutor_plan, "MOST_PRIOR_BYTES", 4 * 3 * LENGTH - 1)
    asked, asked_metrics = run()
    assert asked.replay.stored.whole_log_prior is None
    np.testing.assert_array_equal(asked.replay.stored.tokens, kept.replay.stored.tokens)
    for one, other in zip(
        jax.tree.leaves((asked.network, asked_metrics)),
        jax.tree.leaves((kept.network, kept_metrics)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [*ON_POLICY, *OFF_POLICY])
def test_a_loss_reads_the_whole_prior_only_where_the_method_says_so(name):
    whole = an_experience()
    less = replace(whole, whole_log_prior=None)
    settings = TutorSettings.of(name)
    outputs = [a_network(seed).unroll(whole.tokens) for seed in (0, 1)]
    loss = METHODS[name].loss(*outputs, whole, settings)
    if METHODS[name].needs_whole_prior:
        other = replace(whole, whole_log_prior=whole.whole_log_prior[::-1])
        assert float(METHODS[name].loss(*outputs, other, settings)) != float(loss)
    else:
        assert float(METHODS[name].loss(*outputs, less, settings)) == float(loss)


def test_a_replay_of_a_large_vocabulary_is_small():
    """The published folk tokens: 100 steps of 3,216 tokens, 512 sequences."""
    for name in ("psi", "g", "path"):
        settings = TutorSettings.of(name, environments=64, replay_capacity=512)
        large = Task(vocabulary(3216), 100, task(3, LENGTH).reward)
        tutor = Tutor(large, prior(3216, hidden=(4,)), settings)
        replay = eqx.filter_eval_shape(tutor.initial_state).replay
        size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(replay))
        assert size < 512 * 100 * 20


def test_a_tuned_product_can_be_the_prior_of_g():
    """The product of a prior and a factor is a prior like any other."""
    product = ProductModel(PRIOR, prior(3, seed=1, hidden=(4,)).as_policy_start(LENGTH))
    tutor = Tutor(task(3, LENGTH), product, learning("g"))
    policy = tutor.policy(tutor.initial_state().network)
    found, expected = (jax.nn.softmax(unroll(model, TOKENS)) for model in (policy, product))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_muon_moves_a_matrix_in_all_its_directions():
    """The singular values of its step are about the same, those of the gradient far apart."""
    tutor = Tutor(task(3, LENGTH), PRIOR, learning("psi", optimiser="muon"))
    network = tutor.initial_state().network
    zeros = jax.tree.map(jnp.zeros_like, network)
    where = lambda n: n.model.layers[0].recurrent  # noqa: E731
    shape = where(network).shape
    steep = jnp.outer(jnp.arange(1.0, shape[0] + 1), jnp.ones(shape[1])) + 0.1 * jax.random.normal(
        jax.random.key(0), shape
    )
    gradient = eqx.tree_at(where, zeros, steep)
    optimiser = tutor.optimiser()

    @jax.jit
    def first_step(network, gradient):
        return optimiser.update(gradient, optimiser.init(network), network)[0]

    sizes = np.linalg.svd(np.asarray(where(first_step(network, gradient))), compute_uv=False)
    spread = np.linalg.svd(np.asarray(steep), compute_uv=False)
    assert spread[0] > 20 * spread[-1]
    assert sizes[0] < 3 * sizes[-1]


def test_the_logged_kl_is_the_true_one():
    """Exact KL at visited states, a Monte-Carlo estimate and the enumeration agree."""
    settings = learning("g", environments=4096, exploration=NO_EXPLORATION, replay_capacity=4096)
    exercise = task(3, LENGTH)
    tutor = Tutor(exercise, PRIOR, settings)
    network = ActionValueNetwork(prior(3, seed=8, hidden=(12,), scale=6.0), 5.0)
    found = jax.jit(lambda net, key: collect(tutor, PRIOR, net, key, jnp.zeros(())))(
        network, jax.random.key(0)
    )
    earned = exercise.reward(found.tokens, found.mask)
    logged = {name: float(value) for name, value in measure(found, earned).items()}
    taken = jnp.take_along_axis(
        found.log_policy - found.log_prior, found.tokens[..., None], axis=-1
    )[..., 0]
    estimate = np.asarray(taken.mean(axis=1))
    error = estimate.std() / np.sqrt(len(estimate))
    assert logged["kl"] > 10 * error
    assert abs(estimate.mean() - logged["kl"]) < 4 * error
    problem = exact.enumerate_problem(PRIOR, exercise.reward, LENGTH)
    table = exact.policy_table(problem, ProductModel(PRIOR, network.model))
    truth = exact.evaluate(problem, table, c=0.5)
    assert logged["kl"] == pytest.approx(truth.kl_to_prior / LENGTH, rel=0.05)
    assert logged["entropy"] == pytest.approx(truth.entropy / LENGTH, rel=0.05)
    assert logged["reward"] == pytest.approx(truth.expected_reward / LENGTH, abs=0.05)
    assert logged["reward"] == pytest.approx(logged["reward/bigram"])


def a_network(seed, value_scale=2.0):
    network = ActionValueNetwork(prior(3, seed=seed, hidden=(4,), scale=1.0), value_scale)
    weight = jax.random.normal(jax.random.key(seed), network.value_weight.shape)
    return eqx.tree_at(lambda n: n.value_weight, network, weight)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_that_share_of_the_values_gradient_reaches_the_body(share):
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, 3, size=(4, 5)), jnp.int32)

    def gradients(body_share, read):
        start = a_network(0)
        network = ActionValueNetwork(start.model, start.value_scale, body_share)
        network = eqx.tree_at(lambda n: n.value_weight, network, start.value_weight)
        return eqx.filter_grad(lambda n: jnp.sum(read(n.unroll(tokens)) ** 2))(network)

    def body(gradient):
        return np.asarray(gradient.model.layers[0].recurrent)

    value_alone, whole = (gradients(s, lambda output: output.value) for s in (share, 1.0))
    assert np.abs(body(whole)).max() > 0.1
    np.testing.assert_allclose(body(value_alone), share * body(whole), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(value_alone.value_weight, whole.value_weight, rtol=1e-5)
    logits_alone, whole = (gradients(s, lambda output: output.logits) for s in (share, 1.0))
    np.testing.assert_allclose(body(logits_alone), body(whole), rtol=1e-5)


def an_experience():
    rng = np.random.default_rng(0)
    mask = np.arange(5) < np.array([[5], [3], [1]])
    log_prior = rng.normal(size=(3, 5, 3))
    log_prior -= logsumexp(log_prior, axis=-1, keepdims=True)
    return experience_of(
        jnp.asarray(rng.integers(0, 3, size=(3, 5)), jnp.int32),
        jnp.asarray(mask),
        jnp.asarray(np.where(mask, rng.normal(size=(3, 5)), 0.0), jnp.float32),
        jnp.asarray(log_prior, jnp.float32),
    )


LOSS_SETTINGS = {"discount": 0.9, "trace": 0.7, "huber_threshold": 1.0, "c": 0.4}


def loss_by_hand(network, target, experience, name, double_q):
    """The loss with one Python loop over steps and NumPy's own formulas for each method."""

    def values_of(net):
        output = net.unroll(experience.tokens)
        z, v = np.asarray(output.logits, float), np.asarray(output.value, float)[..., None]
        if name == "psi":
            return v + z - logsumexp(z, axis=-1, keepdims=True)
        return v + z - (0 if name == "g" else z.max(-1, keepdims=True))

    online, fixed = values_of(network), values_of(target)
    log_prior = np.asarray(experience.whole_log_prior, float)
    losses = []
    for row, tokens in enumerate(np.asarray(experience.tokens)):
        later = 0.0
        for t in reversed(range(int(experience.mask[row].sum()))):
            token, q = tokens[t], fixed[row, t]
            reward = float(experience.rewards[row, t]) / 0.4
            reward += log_prior[row, t, token] if name in ("q", "psi") else 0.0
            y = reward + 0.9 * later
            error = abs(online[row, t, token] - y)
            losses.append(error**2 / 2 if error < 1 else error - 0.5)
            if double_q:
                value = q[online[row, t].argmax()]
            elif name == "psi":
                value = logsumexp(q)
            elif name == "g":
                value = logsumexp(q + log_prior[row, t])
            else:
                value = q.max()
            later = value + 0.7 * (y - q[token])
    return np.mean(losses)


CASES = [("q", True), ("psi", False), ("g", False), ("rl-only", False)]


@pytest.mark.parametrize(("name", "double_q"), CASES)
def test_the_loss_is_the_formula_and_its_gradient_the_derivative_in_the_online_network(
    name, double_q
):
    """In float64: the loss by hand, a finite difference along a random direction, no gradient in
    the target network, and nothing from past the mask.

    The targets depend on the online network only through double-Q's choice, which is constant in
    a neighbourhood, so that the finite difference sees no more than the gradient should.
    """
    double = {"double_q": True} if double_q else {}
    settings = TutorSettings.of(name, **LOSS_SETTINGS, **double)
    with jax.enable_x64(True):
        network, target, experience = in_float64((a_network(0), a_network(1), an_experience()))
        loss_and_gradients = jax.jit(
            jax.value_and_grad(
                lambda online, target, experience: METHODS[name].loss(
                    online.unroll(experience.tokens),
                    target.unroll(experience.tokens),
                    experience,
                    settings,
                ),
                (0, 1),
            )
        )
        loss, (gradient, to_target) = loss_and_gradients(network, target, experience)
        by_hand = loss_by_hand(network, target, experience, name, double_q)
        assert float(loss) == pytest.approx(by_hand, rel=1e-9)
        assert all(not np.any(leaf) for leaf in jax.tree.leaves(to_target))

        rng = np.random.default_rng(0)
        direction = jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape)), network)

        def moved(step):
            elsewhere = jax.tree.map(lambda a, d: a + step * d, network, direction)
            return float(loss_and_gradients(elsewhere, target, experience)[0])

        slopes = jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, direction)
        slope = float(sum(jax.tree.leaves(slopes)))
        assert abs(slope) > 1e-3
        assert slope == pytest.approx((moved(1e-5) - moved(-1e-5)) / 2e-5, rel=1e-6)

        spoiled = eqx.tree_at(
            lambda e: (e.tokens, e.rewards),
            experience,
            (
                jnp.where(experience.mask, experience.tokens, 2),
                jnp.where(experience.mask, experience.rewards, 1e6),
            ),
        )
        assert identical(
            loss_and_gradients(network, target, spoiled), (loss, (gradient, to_target))
        )


def test_the_share_of_distinct_sequences():
    rows = [[0, 1, 2], [2, 1, 0], [0, 1, 2], [0, 1, 1], [2, 1, 0]]
    assert float(distinct_in_batch(jnp.array(rows))) == pytest.approx(3 / 5)
    assert float(distinct_in_batch(jnp.zeros((4, 2), jnp.int32))) == pytest.approx(1 / 4)


def test_a_prior_of_another_size_is_the_users_error():
    with pytest.raises(UserError, match="the prior knows 4 tokens and the task 3"):
        Tutor(task(3, LENGTH), prior(4), TutorSettings.of())
