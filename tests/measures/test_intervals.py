"""Intervals, held against Student's t, the normal law and simulations of known truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from seqtutor.measures.intervals import (
    Interval,
    bootstrap_interval,
    bootstrap_means,
    difference,
    mean_interval,
    seeds_and_samples_interval,
)

NUMBERS = st.floats(-1e3, 1e3)


def bootstrapped(means, errors, resamples=20_000, seed=0):
    means, errors = np.asarray(means, float), np.asarray(errors, float)
    generator = np.random.default_rng(seed)
    drawn = bootstrap_means(means[:, None], errors[:, None], resamples, generator)[:, 0]
    return bootstrap_interval(float(means.mean()), drawn, len(means))


@given(arrays(np.float64, st.integers(2, 12), elements=NUMBERS))
def test_without_noise_of_samples_it_is_students_t(values):
    found = seeds_and_samples_interval(values, np.zeros(len(values)))
    mean, half = mean_interval(values)
    assert found.value == pytest.approx(mean)
    assert found.half_width == pytest.approx(half, abs=1e-9)


def test_students_t_is_that_of_scipy():
    values = [3.1, 2.7, 3.9, 3.3]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert seeds_and_samples_interval(values, [math.nan] * 4)[1:] == pytest.approx((low, high))


def test_one_seed_has_the_normal_interval_of_its_samples():
    expected = (5.0, 5.0 - 1.959964 * 0.3, 5.0 + 1.959964 * 0.3)
    assert seeds_and_samples_interval([5.0], [0.3]) == pytest.approx(expected)
    assert bootstrapped([5.0], [0.3]) == pytest.approx(expected, rel=0.02)


def test_one_seed_of_unknown_error_has_no_interval():
    for found in (seeds_and_samples_interval([5.0], [math.nan]), bootstrapped([5.0], [math.nan])):
        assert found.value == 5.0
        assert math.isnan(found.low)
        assert math.isnan(found.high)
        assert not found.excludes_zero


def test_what_is_known_exactly_has_an_interval_without_width():
    assert seeds_and_samples_interval([0.0], [0.0]) == bootstrapped([0.0], [0.0]) == (0, 0, 0)


def test_seeds_that_agree_by_chance_are_not_beyond_doubt():
    found = seeds_and_samples_interval([1.0, 1.0, 1.0], [0.1, 0.1, 0.1])
    assert found.half_width == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(3))


@pytest.mark.parametrize("errors", [0.0, 0.5, 5.0])
def test_the_bootstrap_of_a_plain_mean_is_the_closed_form(errors):
    means = np.array([1.0, 2.5, 0.3, 1.9, 1.1])
    found, expected = (
        bootstrapped(means, np.full(5, errors)),
        seeds_and_samples_interval(means, np.full(5, errors)),
    )
    assert found == pytest.approx(expected, abs=0.03 * expected.half_width)


def test_measures_of_a_seed_stay_together():
    means = np.array([[1.0, -1.0], [2.0, -2.0], [4.0, -4.0]])
    drawn = bootstrap_means(means, np.full_like(means, np.nan), 500, np.random.default_rng(0))
    np.testing.assert_allclose(drawn[:, 0], -drawn[:, 1])
    assert drawn[:, 0].std() > 0


@pytest.mark.parametrize(("between", "within"), [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
def test_it_covers_the_truth_as_often_as_it_says(between, within):
    """5 seeds with a spread of their own, each measured with a known error, 4,000 times."""
    rng = np.random.default_rng(6)
    truth, covered = 3.0, 0
    for _ in range(4000):
        means = truth + between * rng.standard_normal(5) + within * rng.standard_normal(5)
        found = seeds_and_samples_interval(means, np.full(5, within))
        covered += found.low <= truth <= found.high
    # It is too wide, never too narrow, where the seeds themselves do not differ.
    assert 0.94 < covered / 4000 < (0.96 if within == 0 else 1.0)


def test_a_difference_is_that_of_independent_values():
    found = difference(Interval(5.0, 2.0, 8.0), Interval(1.0, -3.0, 5.0))
    assert found == (4.0, -1.0, 9.0)
    assert not found.excludes_zero
    assert difference(Interval(5.0, 4.5, 5.5), Interval(1.0, 0.5, 1.5)).excludes_zero
    assert Interval(-1.0, -2.0, -0.1).excludes_zero
