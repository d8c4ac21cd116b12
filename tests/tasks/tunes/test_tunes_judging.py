"""Fresh judges of tunes."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.adversarial.judges import Parts
from seqtutor.errors import UserError
from seqtutor.models.files import load_model
from seqtutor.tasks.tunes.data import JUDGED
from seqtutor.tasks.tunes.judging import JUDGING, judge_estimates
from seqtutor.tasks.tunes.priors import SHIPPED_PRIOR
from seqtutor.tasks.tunes.settings import FormTargets, FormWeights, TuneMeasuring, TunesSettings
from seqtutor.tasks.tunes.spec import spec
from seqtutor.tasks.tunes.task import tunes_task
from seqtutor.types import SequenceBatch
from seqtutor.vocabulary import Vocabulary

LENGTH = 6
TOKENS = Vocabulary(tuple("abcd"))


def tunes(number, tokens, seed):
    """Random tunes of some tokens."""
    drawn = np.random.default_rng(seed).choice(tokens, (number, LENGTH))
    return drawn, np.ones(drawn.shape, bool)


def part(number, seed):
    drawn, mask = tunes(number, [0, 1], seed)
    return SequenceBatch(jnp.asarray(drawn, jnp.int32), jnp.asarray(mask))


REAL = Parts(part(256, 1), part(128, 2), part(128, 3))


def test_judges_tell_other_tunes_and_not_those_of_the_same_distribution():
    other = judge_estimates(*tunes(512, [2, 3], 4), REAL, TOKENS, 1)
    assert other["taken_for_real"].value < 0.05
    assert other["judge_accuracy"].value > 0.95
    same = judge_estimates(*tunes(600, [0, 1], 5), REAL, TOKENS, 1)
    assert same["judge_accuracy"].value == pytest.approx(0.5, abs=0.1)
    few = judge_estimates(*tunes(511, [0, 1], 5), REAL, TOKENS, 1)
    assert all(math.isnan(few[measure.name].value) for measure in JUDGING)


def test_judges_have_rows_where_there_are_tunes_enough():
    prior = load_model(SHIPPED_PRIOR)

    def names(number, judges):
        with spec.measures(TunesSettings(), TuneMeasuring(judges), [prior], number) as groups:
            return {row.name for group in groups for row in group.measures}

    wanted = {measure.name for measure in JUDGING}
    assert wanted <= names(JUDGED, 1)
    assert not wanted & (names(JUDGED - 1, 1) | names(JUDGED, 0))


def test_weights_follow_the_targets_where_they_are_to():
    fixed = tunes_task(TunesSettings()).reward
    assert fixed.targets is None
    assert "meter_6_8" not in fixed.weights, "without a weight"
    following = tunes_task(TunesSettings(adaptation=0.1)).reward
    assert set(following.first_weights().paid) == set(vars(FormTargets()))
    assert set(following.weights) == set(vars(FormWeights()))
    assert spec.preset(None).settings("rloo").adaptation > 0
    with pytest.raises(UserError, match="arch must be between 0 and 1"):
        FormTargets(arch=1.5)
    with pytest.raises(UserError, match="adaptation must be between 0 and 1"):
        TunesSettings(adaptation=-1)


def test_the_targets_of_metres_and_modes_are_shares_of_all_tunes():
    targets = vars(FormTargets())
    for kind in ("meter_", "mode_"):
        own = [share for name, share in targets.items() if name.startswith(kind)]
        assert sum(own) == pytest.approx(1, abs=1e-3)
    out_of_reach = {"faulty_bars", "sequences"}
    assert set(targets) == set(vars(FormWeights())) - out_of_reach
