"""Rows of Table 1 as terms whose weights follow targets."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from golden_melodies import random_melodies

from seqtutor.errors import UserError
from seqtutor.rewards import Reward, require_causal
from seqtutor.tasks.melody.encoding import melody_vocabulary
from seqtutor.tasks.melody.metrics import count_melodies, ratio_parts
from seqtutor.tasks.melody.presets import PRESETS
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.rows import VARIANCES, RowReward, row_parts
from seqtutor.tasks.melody.settings import MelodySettings, RowTargets, RowWeights
from seqtutor.tasks.melody.spec import spec
from seqtutor.tasks.melody.table_1 import PUBLISHED, TABLE_1

RULES = MelodyRuleSettings()
ALL = RowTargets(**dict.fromkeys(VARIANCES, 0.3))


def melodies():
    """Some constant, some with motifs that return, and many at random."""
    tokens = random_melodies(3, 40, 32)
    tokens[:3, 8:16] = tokens[:3, :8] = [14, 16, 18, 14, 16, 18, 14, 16]
    tokens[3] = 20
    return tokens


def test_the_parts_of_a_row_are_those_of_the_table():
    tokens = melodies()
    wanted = ratio_parts(count_melodies(tokens))
    found = row_parts(jnp.asarray(tokens), RULES)
    assert set(found) == set(VARIANCES) == set(vars(RowTargets())) == set(vars(RowWeights()))
    assert set(wanted) - set(found) == {"notes_excessively_repeated"}
    for name, (y, x) in found.items():
        np.testing.assert_allclose(y.sum(axis=1), wanted[name][0], atol=1e-5)
        np.testing.assert_allclose(x.sum(axis=1), wanted[name][1])


def test_the_mean_of_a_term_is_zero_where_the_row_is_at_its_target():
    tokens = melodies()
    parts = ratio_parts(count_melodies(tokens))
    rows = {name: float(parts[name][0].sum() / parts[name][1].sum()) for name in VARIANCES}
    reward = RowReward(tuple(rows.items()), RULES)
    terms = reward(jnp.asarray(tokens), jnp.ones(tokens.shape, bool))
    for term in terms.values():
        assert float(term.sum(axis=1).mean()) == pytest.approx(0, abs=1e-4)
    require_causal(Reward(reward), melody_vocabulary(), 16)


def test_weights_rise_where_a_row_is_below_its_target_and_pay_melodies_that_have_it():
    settings = MelodySettings(
        adaptation=0.1,
        targets=RowTargets(starting_with_tonic=0.9, notes_in_motif=0.7),
        row_weights=RowWeights(notes_in_motif=2.0, leaps_resolved=1.0),
    )
    reward = spec.task(settings).reward
    tokens = jnp.asarray(random_melodies(4, 10, 32)).at[:, 0].set(20).at[:5, 0].set(14)
    mask = jnp.ones(tokens.shape, bool)
    before, weights = reward.followed(tokens, mask, None, reward.first_weights())
    assert reward.first_weights().paid == {"starting_with_tonic": 0.0, "notes_in_motif": 2.0}
    np.testing.assert_array_equal(before.terms["starting_with_tonic"], 0.0)
    assert weights.settled["starting_with_tonic"] > 0
    after, _ = reward.followed(tokens, mask, None, weights)
    found = np.asarray(after.terms["starting_with_tonic"])
    paid = float(weights.paid["starting_with_tonic"])
    np.testing.assert_allclose(found[:5, 0], 0.1 * paid, rtol=1e-4)
    np.testing.assert_allclose(found[5:, 0], -0.9 * paid, rtol=1e-4)
    np.testing.assert_array_equal(found[:, 1:], 0.0)


def test_targets_count_in_tuning_and_not_where_policies_are_measured():
    settings = MelodySettings(adaptation=0.1, targets=ALL)
    assert spec.task(settings).reward.targets is not None
    for other in (spec.settings_for_evaluation(settings), MelodySettings(targets=ALL)):
        assert spec.task(other).reward.targets is None
    with pytest.raises(UserError, match="target leaps_resolved must lie between 0"):
        RowTargets(leaps_resolved=-0.1)
    assert RowTargets(autocorrelation_lag1=-0.1).given == {"autocorrelation_lag1": -0.1}
    with pytest.raises(UserError, match="adaptation must be between 0 and 1"):
        MelodySettings(adaptation=1.5)


def test_near_prior_aims_beyond_the_best_of_the_papers_in_all_rows_but_one():
    given = PRESETS["near-prior"].settings("rloo").targets.given
    best = PUBLISHED.best(TABLE_1)
    for row in TABLE_1:
        if row.name != "notes_excessively_repeated":
            assert row.improves(given[row.name], best[row.name])
