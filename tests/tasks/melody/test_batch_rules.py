"""The rule about the melodies of a batch together, and rewards of their own."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden_melodies import random_melodies

from seqtutor.errors import UserError
from seqtutor.rewards import Reward, require_causal
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.batch import BatchReward, common_opening
from seqtutor.tasks.melody.rules.extremes import high_low_unique, unique_extremes
from seqtutor.tasks.melody.rules.tonality import tonic
from seqtutor.tasks.melody.settings import BatchRuleSettings, MelodySettings
from seqtutor.tasks.melody.spec import spec


def test_openings_pay_by_the_share_of_the_others_that_have_them():
    tokens = np.zeros((9, 6), int)
    tokens[:5] = [14, 1, 14, 1, 16, 1]
    tokens[5:7] = [16, 1, 14, 1, 16, 1]
    tokens[7], tokens[8] = 20, 22
    tokens[:, 5] = np.arange(9)
    found = common_opening(
        jnp.asarray(tokens), BatchRuleSettings(opening_share=0.25, opening_steps=3)
    )
    expected = np.zeros((9, 6))
    expected[:5, 2] = -math.log(0.5 / 0.25)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    alone = common_opening(jnp.asarray(tokens[:1]), BatchRuleSettings())
    np.testing.assert_array_equal(alone, np.zeros((1, 6)))


def test_where_a_policy_comes_to_rest():
    """The shares that the docstring states gain nothing by any change."""
    weight, share = 2.0, 0.05
    q = np.array([0.4, 0.2, 0.1, 0.05, *[0.25 / 40] * 40])

    def shares(z):
        free = q / z
        return np.where(free > share, share * (free / share) ** (1 / (1 + weight)), free)

    low, high = 0.01, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if shares(middle).sum() > 1 else (low, middle)
    p = shares(low)
    # π ∝ q·exp(w·r), r being what openings of these shares are paid.
    tokens = np.repeat(np.arange(len(p)), np.rint(p * 4000).astype(int))
    tokens = np.repeat(tokens[:, None], 4, axis=1)[:, :1] + np.array([[2, 0, 0, 0]])
    paid = common_opening(jnp.asarray(tokens), BatchRuleSettings(opening_share=share))[:, 3]
    reward = np.array([float(paid[np.argmax(tokens[:, 0] == n + 2)]) for n in range(len(p))])
    best = q * np.exp(weight * reward)
    np.testing.assert_allclose(best / best.sum(), p, rtol=0.05)


def test_the_rule_about_a_batch_counts_in_tuning_and_not_where_policies_are_measured():
    chosen = BatchRuleSettings(common_opening=2.0)
    settings = MelodySettings(batch_rules=chosen, length=16)
    tokens = np.tile([14, 1, 14, 1, 16, 1, 14, 1, 14, 1, 14, 1, 16, 1, 18, 1], (3, 1))
    mask = np.ones(tokens.shape, bool)
    tuned, measured = (
        jax.jit(spec.task(one).reward.__call__)(tokens, mask)
        for one in (settings, spec.settings_for_evaluation(settings))
    )
    assert set(tuned.terms) == {*measured.terms, "common_opening"}
    np.testing.assert_allclose(tuned.terms["common_opening"][:, 3], 2 * math.log(0.05), rtol=1e-5)
    difference = np.asarray(tuned.total - measured.total)
    np.testing.assert_allclose(difference, tuned.terms["common_opening"], atol=1e-4)
    require_causal(Reward(BatchReward(chosen)), melody_vocabulary(), 16)


def test_the_tonic_at_the_start_can_earn_another_reward():
    tokens = jnp.asarray(random_melodies(1, 20, 32)).at[:10, 0].set(14)
    usual = tonic(tokens, MelodyRuleSettings())
    own = tonic(tokens, MelodyRuleSettings(tonic_opening_reward=0.5))
    np.testing.assert_array_equal(usual[:10, 0], 3.0)
    np.testing.assert_array_equal(own[:, 0], usual[:, 0] / 6)
    np.testing.assert_array_equal(usual[:, 1:], own[:, 1:])


def test_a_highest_note_can_earn_another_reward_than_a_lowest():
    tokens = jnp.asarray(random_melodies(2, 40, 16))
    unique = unique_extremes(tokens, MelodyRuleSettings())
    found = high_low_unique(tokens, MelodyRuleSettings(unique_highest_reward=5.0))
    expected = 5.0 * unique.highest + 3.0 * unique.lowest
    np.testing.assert_allclose(found[:, -1], expected)
    assert {0.0, 3.0, 5.0, 8.0} <= set(np.asarray(expected).tolist())


WRONG = [
    {"common_opening": -1.0},
    {"opening_share": 0.0},
    {"opening_share": 1.5},
    {"opening_steps": 0},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        BatchRuleSettings(**wrong)
