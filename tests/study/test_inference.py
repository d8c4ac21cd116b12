"""Intervals and tests over listeners."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, kstest
from simulated_studies import studies

from seqtutor.study.bradley_terry import fit
from seqtutor.study.inference import infer
from seqtutor.study.tally import Tally

STRENGTHS, POSITION = (0.0, 0.5, 1.5), 0.3


@pytest.mark.parametrize(("listeners", "spread"), [(6, 0.0), (12, 0.6)])
def test_intervals_cover_as_often_as_they_say(listeners, spread):
    """Of 120 studies within what chance allows; `benchmarks/study_statistics.py` has more."""
    everyone = studies(1, 20_000, 2, STRENGTHS, POSITION, spread=spread, seed=9)[0]
    truth = fit(everyone.total, 3).parameters
    covered = []
    for counted in studies(120, listeners, 3, STRENGTHS, POSITION, spread=spread, seed=1):
        inference = infer(counted)
        ends = [inference.interval(contrast) for contrast in np.eye(4)]
        covered.append([e.low <= t <= e.high for e, t in zip(ends, truth, strict=True)])
    low, high = binom.ppf((0.0005, 0.9995), 120, 0.95) / 120
    assert (np.mean(covered, axis=0) >= low).all()
    assert (np.mean(covered, axis=0) <= high).all()


def test_p_values_are_uniform_where_models_do_not_differ():
    found = [infer(one) for one in studies(150, 10, 3, (0.0, 0.0, 0.0), spread=0.6, seed=2)]
    pairs = [one.test(one.contrast(2, 1)) for one in found]
    whole = [one.no_difference().p for one in found]
    for p in (pairs, whole):
        assert kstest(p, "uniform").pvalue > 0.01
        assert np.mean(np.array(p) < 0.05) < 0.1


def test_an_interval_does_not_depend_on_which_model_is_first():
    counted = studies(1, 12, 3, STRENGTHS, seed=3)[0]
    order = [1, 2, 0]
    cells = [(i, j) for i in range(3) for j in range(3) if i != j]
    places = [cells.index((order[i], order[j])) for i, j in cells]
    turned = Tally(("m1", "m2", "m0"), counted.listeners, counted.counts[:, places])
    one, other = infer(counted), infer(turned)
    expected = one.interval(one.contrast(2, 1))
    found = other.interval(other.contrast(1, 0))
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (expected.estimate, expected.low, expected.high), abs=1e-5
    )


def test_votes_of_many_listeners_tell_more_than_the_same_votes_of_few():
    """Ten copies of each listener's votes add no information on other listeners."""
    counted = studies(1, 8, 3, STRENGTHS, spread=0.8, seed=4)[0]
    repeated = Tally(counted.models, counted.listeners, 10 * counted.counts)
    one, other = infer(counted), infer(repeated)
    widths = [i.interval(i.contrast(1, 0)) for i in (one, other)]
    assert widths[1].high - widths[1].low == pytest.approx(widths[0].high - widths[0].low, rel=0.15)
    assert other.design_effect > 5 * one.design_effect


def test_a_model_that_wins_always_is_bounded_below_only():
    counted = studies(1, 8, 3, (0.0, 0.5, 30.0), seed=5)[0]
    inference = infer(counted)
    best, close = inference.interval(np.eye(4)[1]), inference.interval(np.eye(4)[0])
    assert best.high == math.inf
    assert best.is_one_sided
    assert 1.0 < best.low < best.estimate < 30
    assert not close.is_one_sided
    turned = inference.interval(-np.eye(4)[1])
    assert turned.low == -math.inf
    assert turned.high == pytest.approx(-best.low, abs=1e-6)


def test_the_open_interval_covers_a_strong_preference():
    """With log-odds of 5, half of such small studies see no loss at all."""
    truth, found = 5.0, []
    for counted in studies(40, 5, 2, (0.0, truth), seed=6):
        inference = infer(counted)
        found.append(inference.interval(inference.contrast(1, 0)))
    assert 0.2 < np.mean([one.is_one_sided for one in found]) < 1
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.9


def test_a_single_listener_tells_an_estimate_and_no_error():
    counted = studies(1, 1, 6, STRENGTHS, seed=7)[0]
    inference = infer(counted)
    assert inference.no_difference() is None
    contrast = inference.contrast(1, 0)
    found = inference.interval(contrast)
    assert math.isfinite(found.estimate)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(inference.test(contrast))


def test_listeners_who_answered_little_count_for_less():
    counted = studies(1, 10, 4, STRENGTHS, seed=8)[0]
    counts = counted.counts.copy()
    counts[5:] = 0
    counts[5:, 0, 0] = 1
    few = Tally(counted.models, counted.listeners, counts)
    assert infer(counted).degrees == pytest.approx(9)
    assert 4 <= infer(few).degrees < 5.5
