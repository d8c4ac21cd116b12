"""Weights that follow the means of terms."""

from __future__ import annotations

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from seqtutor.errors import UserError
from seqtutor.proof import exact
from seqtutor.rewards import Reward, compiled
from seqtutor.rewards.targets import DAMPING, MOST_WEIGHT, Targets
from seqtutor.rewards.weighted_sum import weighted_sum
from seqtutor.task import Task
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import prior, vocabulary

LENGTH = 4
AIM = 0.6
PRIOR = prior(3, hidden=(12,))
TOKENS = jnp.array([[0, 1, 1, 2], [2, 1, 1, 1]])
MASK = jnp.ones(TOKENS.shape, bool)


@compiled
def ones(tokens, mask):
    return {"ones": ((tokens == 1) & mask) / LENGTH}


@compiled
def last(tokens, mask):
    del mask
    return {"last": (tokens[:, -1] == 0).astype(jnp.float32)}


@cache
def tuned():
    """A run whose first weight is far too large."""
    task = Task(vocabulary(3), LENGTH, Reward(ones, {"ones": 8.0}, Targets({"ones": AIM}, 0.1)))
    settings = TutorSettings.of(
        "rloo", c=1.0, environments=128, steps=128 * LENGTH * 400, learning_rate=5e-3
    )
    tutor = Tutor(task, PRIOR, settings)
    return tutor, *tutor.advance(tutor.initial_state(), tutor.iterations)


def test_the_policy_has_the_mean_and_the_weight_that_gives_it_at_the_optimum():
    tutor, state, metrics = tuned()
    problem = exact.enumerate_problem(PRIOR, Reward(ones), LENGTH)

    def mean_at(weight):
        log_policy = exact.optimum(problem, c=1 / weight).log_policy
        return exact.evaluate(problem, log_policy, c=1.0).expected_reward

    wanted = brentq(lambda weight: mean_at(weight) - AIM, 0.01, 8)
    policy = exact.policy_table(problem, tutor.policy(state.network))
    assert exact.evaluate(problem, policy, c=1.0).expected_reward == pytest.approx(AIM, abs=0.02)
    assert metrics["weight/ones"][0] > 7
    assert np.mean(metrics["weight/ones"][-50:]) == pytest.approx(wanted, abs=0.2)


def test_a_mean_of_another_scale_comes_to_rest_at_its_target():
    """As of ratios, the target is zero: a tenth of the steps is to be one token."""

    @compiled
    def ratio(tokens, mask):
        return {"ratio": jnp.where(mask, (tokens == 1) - 0.1, 0.0)}

    targets = Targets({"ratio": 0.0}, 0.02, damping=200.0, variances={"ratio": 0.4})
    task = Task(vocabulary(3), LENGTH, Reward(ratio, {"ratio": 0.0}, targets))
    settings = TutorSettings.of(
        "rloo", c=1.0, environments=64, steps=64 * LENGTH * 600, learning_rate=5e-3
    )
    tutor = Tutor(task, PRIOR, settings)
    state, metrics = tutor.advance(tutor.initial_state(), tutor.iterations)
    problem = exact.enumerate_problem(PRIOR, Reward(ratio), LENGTH)
    before, after = (
        exact.evaluate(problem, exact.policy_table(problem, one), c=1.0).expected_reward
        for one in (PRIOR, tutor.policy(state.network))
    )
    assert before > 0.3
    assert after == pytest.approx(0, abs=0.03)
    # It pulls from the first batch on, and what has settled does not go far beyond.
    settled = metrics["weight/ratio"]
    assert settled[0] < 0
    assert settled.min() > 1.5 * settled[-1]


def test_a_weight_moves_towards_the_target_and_stays_in_bounds():
    targets = Targets({"ones": 0.9}, 0.1)
    reward = Reward(ones, {"ones": 2.0}, targets)
    earned, weights = reward.followed(TOKENS, MASK, None, reward.first_weights())
    # The mean over both sequences is 5/8.
    step = 0.1 / 0.09 * (0.9 - 5 / 8)
    assert weights.settled["ones"] == pytest.approx(2 + step, rel=1e-5)
    assert weights.paid["ones"] == pytest.approx(2 + step + DAMPING * step, rel=1e-5)
    own = Targets({"ones": 1.0}, 0.1, damping=5.0, variances={"ones": 0.5})
    moved = own.next_weights(reward.first_weights(), {"ones": jnp.asarray(0.75)})
    assert moved.settled["ones"] == pytest.approx(2 + 0.05, rel=1e-5)
    assert moved.paid["ones"] == pytest.approx(2 + 0.05 + 5 * 0.05, rel=1e-5)
    np.testing.assert_allclose(earned.total, reward(TOKENS, MASK).total)
    again, _ = reward.followed(TOKENS, MASK, None, weights)
    np.testing.assert_allclose(again.total, earned.total * weights.paid["ones"] / 2, rtol=1e-5)
    for _ in range(40):
        _, weights = reward.followed(TOKENS, MASK, None, weights)
    assert weights.settled["ones"] == MOST_WEIGHT
    assert Reward(ones).first_weights().paid == {}
    for wrong in ({"rate": 0.0}, {"damping": 0.0}, {"bound": 0.0}, {"variances": {"ones": 0.0}}):
        with pytest.raises(UserError, match=next(iter(wrong)).removesuffix("s")):
            Targets(**{"means": {"ones": 0.9}, "rate": 0.1, **wrong})


def test_a_sum_passes_targets_on():
    own = Reward(ones, {"ones": 2.0}, Targets({"ones": 0.9}, 0.5))
    both = weighted_sum([own, Reward(last)], [3.0, 0.5])
    assert both.first_weights().paid == {"ones": 6.0}
    earned, weights = both.followed(TOKENS, MASK, None, both.first_weights())
    np.testing.assert_allclose(earned.terms["ones"].sum(axis=1), [3.0, 4.5])
    np.testing.assert_allclose(earned.total, both(TOKENS, MASK).total)
    assert weights.settled["ones"] > 6
    with pytest.raises(UserError, match="only one of the rewards of a sum can have targets"):
        weighted_sum([own, Reward(last, {}, Targets({"last": 0.5}, 0.1))])
