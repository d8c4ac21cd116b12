"""Prioritised replay in the loop and in the losses of the methods that learn from a replay."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.models.action_values import ValuedLogits
from seqtutor.proof import exact
from seqtutor.rewards import as_reward
from seqtutor.training.replay import draw_prioritised
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import METHODS, OFF_POLICY, ON_POLICY, experience_of, prior, task

LENGTHS = np.array([5, 3, 1, 1])
LENGTH = 4


def outputs_and_experience():
    rng = np.random.default_rng(0)
    shape = (4, 5, 3)
    mask = np.arange(5) < LENGTHS[:, None]

    def outputs():
        logits, value = rng.normal(size=shape), rng.normal(size=shape[:2])
        return ValuedLogits(jnp.asarray(logits, jnp.float32), jnp.asarray(value, jnp.float32))

    both = outputs(), outputs()
    return both, experience_of(
        jnp.asarray(rng.integers(0, 3, shape[:2]), jnp.int32),
        jnp.asarray(mask),
        jnp.asarray(np.where(mask, 3 * rng.normal(size=shape[:2]), 0.0), jnp.float32),
        jax.nn.log_softmax(jnp.asarray(rng.normal(size=shape), jnp.float32)),
    )


def settings_of(name):
    return TutorSettings.of(name, huber_threshold=1e6, priority_exponent=0.6)


@pytest.mark.parametrize("name", OFF_POLICY)
def test_a_loss_weighs_each_sequence_and_priorities_are_the_sizes_of_its_errors(name):
    both, experience = outputs_and_experience()
    settings, method = settings_of(name), METHODS[name]

    def loss(weights):
        weighted = replace(experience, weights=jnp.asarray(weights, jnp.float32))
        return float(method.loss(*both, weighted, settings))

    plain = float(method.loss(*both, experience, settings))
    assert loss([1, 1, 1, 1]) == pytest.approx(plain)
    alone = [loss(row) for row in np.eye(4)]
    assert sum(alone) == pytest.approx(plain)
    assert loss([0.5, 0, 2, 1]) == pytest.approx(0.5 * alone[0] + 2 * alone[2] + alone[3], rel=1e-5)
    sizes = np.abs(method.error_sizes(*both, experience, settings))
    # Of one step, half the square of the error is the loss, in a mean over steps or sequences.
    counted = 4 if name == "path" else LENGTHS.sum()
    np.testing.assert_allclose(sizes[2:] ** 2 / 2, counted * np.array(alone[2:]), rtol=1e-4)
    # Of several, the mean size lies below the root of the mean square, unless all are equal.
    steps = 1 if name == "path" else LENGTHS[:2]
    roots = np.sqrt(2 * counted * np.array(alone[:2]) / steps)
    assert (sizes[:2] <= roots * (1 + 1e-5)).all()
    assert (sizes[:2] > 0).all()


def a_tutor(name="psi", **changes):
    settings = TutorSettings.of(
        name,
        c=0.5,
        discount=1.0,
        environments=32,
        batch=32,
        replay_capacity=1024,
        steps=32 * LENGTH * 300,
        value_scale=5.0,
        learning_rate=5e-3,
        learning_rate_final_share=0.0,
        **changes,
    )
    return Tutor(task(3, LENGTH), prior(3, hidden=(12,)), settings)


def test_with_priorities_psi_learns_the_optimum_too():
    tutor = a_tutor(priority_exponent=0.6)
    state, _ = tutor.advance(tutor.initial_state(), tutor.iterations)
    problem = exact.enumerate_problem(tutor.prior, as_reward(tutor.task.reward), LENGTH)
    best = exact.optimum(problem, c=0.5).log_policy
    found = exact.policy_table(problem, tutor.policy(state.network))
    assert exact.kl_divergence(problem, problem.log_prior, best) > 1.0
    assert exact.kl_divergence(problem, found, best) < 0.01
    priorities = np.asarray(state.replay.priorities)
    assert (priorities > 0).all()
    assert len(np.unique(priorities)) > 50, "they are those of the errors"


def test_weights_make_up_for_more_and_more_of_the_unequal_chances():
    tutor = a_tutor(priority_exponent=1.0, importance_exponent=0.4)
    replay = tutor.initial_state().replay
    replay = replace(
        replay,
        priorities=jnp.where(jnp.arange(1024) % 2, 1.0, 4.0),
        filled=jnp.asarray(1024, jnp.int32),
    )
    for progress, compensation in ((0.0, 0.4), (0.5, 0.7), (1.0, 1.0)):
        rows, experience = draw_prioritised(
            replay, jax.random.key(0), tutor.prioritised, jnp.asarray(progress)
        )
        weights = np.asarray(experience.weights)
        assert {0, 1} == set(np.asarray(rows) % 2)
        expected = np.where(np.asarray(rows) % 2, 1.0, 4.0**-compensation)
        np.testing.assert_allclose(weights, expected, rtol=1e-5)


def test_only_methods_with_a_replay_have_priorities():
    for name in ON_POLICY:
        with pytest.raises(
            UserError, match=rf"priority_exponent is a setting of q, .*, not of {name}$"
        ):
            TutorSettings.of(name, priority_exponent=0.6)
    with pytest.raises(UserError, match="priority_exponent must be at least 0"):
        TutorSettings.of("psi", priority_exponent=-0.1)
    with pytest.raises(UserError, match="importance_exponent must be between"):
        TutorSettings.of("psi", importance_exponent=1.1)
