"""Rules about the melodies of a batch together."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden_melodies import random_melodies

from seqtutor.errors import UserError
from seqtutor.rewards import Reward, require_causal
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.autocorrelation import autocorrelations
from seqtutor.tasks.melody.rules.batch import BatchReward, common_opening, mean_autocorrelation
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


def test_the_mean_autocorrelation_is_pulled_to_zero():
    """The derivative of −½ Σ m² where a melody has an infinitesimally larger share of the batch."""
    tokens = random_melodies(1, 12, 16)
    rules = MelodyRuleSettings()
    found = np.asarray(mean_autocorrelation(jnp.asarray(tokens), rules))
    own = np.stack([autocorrelations(jnp.asarray(tokens), (lag,))[0] for lag in (1, 2, 3)])
    own = np.nan_to_num(own)
    for row in range(12):
        others = np.delete(own, row, axis=1).mean(axis=1)
        np.testing.assert_allclose(found[row], -(others * own[:, row]).sum(axis=0), atol=1e-5)
    later = replace(rules, autocorrelation_first_step=9)
    judged = np.asarray(mean_autocorrelation(jnp.asarray(tokens), later))
    np.testing.assert_array_equal(judged[:, :8], 0.0)
    np.testing.assert_array_equal(judged[:, 8:], found[:, 8:])


def test_rules_about_a_batch_count_in_tuning_and_not_where_policies_are_measured():
    chosen = BatchRuleSettings(common_opening=2.0, mean_autocorrelation=5.0)
    settings = MelodySettings(batch_rules=chosen, length=8)
    tokens = np.tile([14, 1, 14, 1, 16, 1, 14, 1], (3, 1))
    mask = np.ones(tokens.shape, bool)
    tuned, measured = (
        jax.jit(spec.task(one).reward.__call__)(tokens, mask)
        for one in (settings, spec.settings_for_evaluation(settings))
    )
    of_batch = {"common_opening", "mean_autocorrelation"}
    assert set(tuned.terms) == {*measured.terms, *of_batch}
    np.testing.assert_allclose(tuned.terms["common_opening"][:, 3], 2 * math.log(0.05), rtol=1e-5)
    difference = np.asarray(tuned.total - measured.total)
    added = sum(np.asarray(tuned.terms[name]) for name in of_batch)
    np.testing.assert_allclose(difference, added, atol=1e-4)
    function = BatchReward(chosen, settings.rules)
    require_causal(Reward(function), melody_vocabulary(), 8)


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
    {"mean_autocorrelation": -1.0},
    {"opening_share": 0.0},
    {"opening_share": 1.5},
    {"opening_steps": 0},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        BatchRuleSettings(**wrong)
