"""Agreement between listeners, and differences of taste."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest
from simulated_studies import studies

from seqtutor.study.agreement import agreement, heterogeneity
from seqtutor.study.inference import infer
from seqtutor.study.tally import tally
from seqtutor.study.votes import Vote

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": observers A–D, twelve units.
PUBLISHED = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


def vote(listener, unit, rating, turned=False):
    sides = [("psi", (f"a{unit}",)), ("q", (f"b{unit}",))]
    (left, left_clips), (right, right_clips) = reversed(sides) if turned else sides
    rating = -rating if turned else rating
    return Vote(listener, left, right, left_clips, right_clips, rating, unit)


def test_alpha_of_the_same_clips_is_the_published_ordinal_one():
    votes = [
        vote(f"l{row}", unit, value - 3, turned=(row + unit) % 2 == 0)
        for row, values in enumerate(PUBLISHED)
        for unit, value in enumerate(values)
        if value is not None
    ]
    found = agreement(votes)
    assert (found.unit, found.units) == ("clips", 11), "the last was rated by one observer alone"
    assert found.alpha.estimate == pytest.approx(0.815, abs=5e-4)
    assert found.alpha.low < 0.815 < found.alpha.high <= 1


def test_listeners_of_one_mind_agree_and_random_ones_do_not():
    ratings = np.random.default_rng(0).integers(-2, 3, 30)
    same = [vote(f"l{n}", unit, int(r)) for n in range(5) for unit, r in enumerate(ratings)]
    assert agreement(same).alpha.estimate == pytest.approx(1.0)
    chance = np.random.default_rng(1)
    other = [replace(one, rating=int(chance.integers(-2, 3))) for one in same]
    found = agreement(other).alpha
    assert found.low < 0 < found.high
    assert abs(found.estimate) < 0.15


def test_one_pair_of_models_is_too_little_for_an_alpha():
    votes = [vote(f"l{n}", 100 * n + place, 1 - place % 2) for n in range(4) for place in range(6)]
    found = agreement(votes)
    assert (found.unit, found.units) == ("models", 1)
    assert np.isnan(found.alpha.estimate)


def test_where_no_two_listeners_heard_the_same_clips_models_are_compared():
    votes = [vote(f"l{n}", 100 * n + place, 1 - place % 2) for n in range(4) for place in range(6)]
    assert agreement(votes).unit == "models"


def test_listeners_who_are_alike_have_a_uniform_p():
    generator = np.random.default_rng(0)
    found = [
        heterogeneity(infer(one), generator)
        for one in studies(60, 12, 2, (0.0, 0.5, 1.0), seed=1)
    ]  # fmt: skip
    assert kstest([one.p for one in found], "uniform").pvalue > 0.01
    assert kstest([one.p_direction for one in found], "uniform").pvalue > 0.01
    assert np.mean([one.spread for one in found]) < 0.25


def test_two_groups_are_found_with_their_direction():
    one, other = (
        studies(1, 10, 4, strengths, seed=seed)[0]
        for seed, strengths in enumerate([(0.0, 1.5, -1.5), (0.0, -1.5, 1.5)])
    )
    both = replace(
        one,
        listeners=tuple(f"l{n}" for n in range(20)),
        counts=np.concatenate([one.counts, other.counts]),
    )
    found = heterogeneity(infer(both), np.random.default_rng(0))
    assert found.p_direction < 0.01
    assert found.spread_along > 1.0
    assert abs(found.direction @ np.array([0.0, 1.0, -1.0])) == pytest.approx(2**0.5, abs=0.1)
    leanings = np.sign(found.leanings)
    assert abs(leanings[:10].sum()) >= 8
    assert abs(leanings[:10].sum() - leanings[10:].sum()) >= 16


def test_the_spread_of_tastes_is_estimated():
    generator = np.random.default_rng(0)
    found = [
        heterogeneity(infer(one), generator).spread ** 2
        for one in studies(20, 30, 3, (0.0, 0.5, 1.0), spread=0.5, seed=3)
    ]
    assert np.mean(found) ** 0.5 == pytest.approx(0.45, abs=0.08)


def test_practice_and_catch_trials_do_not_count():
    votes = [vote("l0", unit, 1) for unit in range(4)]
    others = [replace(one, kind=kind) for one in votes for kind in ("practice", "catch")]
    assert tally([*votes, *others], ("psi", "q")).total.sum() == 4
