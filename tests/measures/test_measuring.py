"""Measures from samples, held against the enumeration of every sequence."""

import functools

import numpy as np
import pytest

from seqtutor.measures.controls import TemperedModel
from seqtutor.measures.sampling import draw_samples, has_collapsed, measure_policy, measures_of
from seqtutor.proof import exact
from seqtutor.task import Task
from seqtutor.training.settings import TutorSettings
from tiny_problems import prior, task

TASK = task(3, 4, has_end=True)
PRIOR = prior(3, scale=2.0)
POLICY = TemperedModel(prior(3, seed=11, scale=2.0), 0.8)
NUMBER = 12_000
C = 0.6


@functools.cache
def problem():
    return exact.enumerate_problem(PRIOR, TASK.reward, 4, end=2)


@functools.cache
def measured():
    return measure_policy(POLICY, PRIOR, TASK, number=NUMBER, seed=1, c=C)


@pytest.fixture(scope="module")
def expected():
    """What `exact` finds, and the expected length, for measures a step."""
    table = exact.policy_table(problem(), POLICY)
    found = exact.evaluate(problem(), table, c=C)
    visits = sum(float(v.sum()) for _, v in exact._visits(problem(), table))
    cross = sum(
        float(np.sum(v * problem().log_prior[t])) for t, v in exact._visits(problem(), table)
    )
    return {
        "reward": found.expected_reward,
        "reward_per_step": found.expected_reward / visits,
        "kl": found.kl_to_prior,
        "kl_per_step": found.kl_to_prior / visits,
        "entropy": found.entropy / visits,
        "log_prior": cross / visits,
        "objective": found.objective,
    }


def test_measures_are_those_of_the_enumeration(expected):
    found = measured()
    for name, value in expected.items():
        error = found.standard_errors[name]
        assert 0 < error < 0.05, name
        assert found.values[name] == pytest.approx(value, abs=4 * error), name


def test_the_prior_is_at_no_distance_from_itself():
    found = measure_policy(PRIOR, PRIOR, TASK, number=3000)
    assert found.values["kl"] == found.standard_errors["kl"] == 0.0
    assert "objective" not in found.values


def test_standard_errors_are_the_spread_over_samplings():
    samples = draw_samples(POLICY, PRIOR, TASK, number=NUMBER, seed=2)
    parts = [measures_of(samples[start : start + 200], c=C) for start in range(0, NUMBER, 200)]
    for name in ("reward", "kl_per_step", "log_prior", "objective"):
        spread = np.std([part.values[name] for part in parts], ddof=1)
        claimed = np.mean([part.standard_errors[name] for part in parts])
        assert claimed == pytest.approx(spread, rel=0.3), name


def test_the_number_and_the_seed_make_the_samples():
    told = []
    one = draw_samples(POLICY, PRIOR, TASK, number=5000, seed=1, on_sequences=told.append)
    assert len(one.tokens) == len(one.reward) == 5000
    assert told == [4096, 5000]
    again = draw_samples(POLICY, PRIOR, TASK, number=5000, seed=1)
    other = draw_samples(POLICY, PRIOR, TASK, number=5000, seed=2)
    np.testing.assert_array_equal(one.tokens, again.tokens)
    assert not np.array_equal(one.tokens, other.tokens)


def test_a_reward_in_plain_python_is_measured_too():
    def ends_early(tokens, mask):
        return {"early": 4.0 - mask.sum(axis=1)}

    plain = Task(TASK.vocabulary, 4, ends_early)
    samples = draw_samples(PRIOR, PRIOR, plain, number=300)
    np.testing.assert_allclose(samples.reward, 4 - samples.mask.sum(axis=1))


def test_a_policy_has_collapsed_by_entropy_or_by_sameness():
    settings, prior_values = TutorSettings.of(), {"entropy": 1.2, "distinct": 0.8}
    fine = {"entropy": 0.11, "distinct": 0.41}
    assert not has_collapsed(fine, prior_values, settings)
    assert has_collapsed({**fine, "entropy": 0.09}, prior_values, settings)
    assert has_collapsed({**fine, "distinct": 0.39}, prior_values, settings)
