"""Measures from samples, held against the enumeration of every sequence."""

import functools

import numpy as np
import pytest

from seqtutor.measure import Estimate, Measure
from seqtutor.measures.controls import TemperedModel
from seqtutor.measures.policy import (
    comparison_estimates,
    evaluate,
    has_collapsed,
    policy_estimates,
    policy_measures,
    reward_measures,
)
from seqtutor.measures.sampling import draw
from seqtutor.proof import exact
from seqtutor.rewards import Reward
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


def drawn(policy=POLICY, number=NUMBER, seed=1, reward=TASK.reward):
    return draw(policy, PRIOR, number=number, length=4, end=2, seed=seed, reward=reward)


@functools.cache
def measured():
    return comparison_estimates(drawn(), C)


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
        error = found[name].standard_error
        assert 0 < error < 0.05, name
        assert found[name].value == pytest.approx(value, abs=4 * error), name


def test_the_measures_of_every_policy_are_the_same_numbers():
    compared, found = measured(), policy_estimates(drawn())
    assert list(found) == ["entropy", "kl", "log_prior", "distinct", "reward", "term_bigram"]
    names = {"entropy": "entropy", "kl": "kl_per_step", "log_prior": "log_prior"}
    for name, other in {**names, "distinct": "distinct", "reward": "reward"}.items():
        assert found[name].value == pytest.approx(compared[other].value), name
        if name != "distinct":
            error = compared[other].standard_error
            assert found[name].standard_error == pytest.approx(error), name
    rows = (*policy_measures("words"), *reward_measures(["bigram"], "word"))
    assert [row.name for row in rows] == [*found, "objective"]
    assert "Distinct words" in [row.title for row in rows]


def test_the_prior_is_at_no_distance_from_itself():
    found = comparison_estimates(drawn(PRIOR, number=3000))
    assert found["kl"].value == found["kl"].standard_error == 0.0
    assert "objective" not in found


def test_standard_errors_are_the_spread_over_samplings():
    samples = drawn(seed=2)
    parts = [comparison_estimates(samples[at : at + 200], C) for at in range(0, NUMBER, 200)]
    for name in ("reward", "kl_per_step", "log_prior", "objective"):
        spread = np.std([part[name].value for part in parts], ddof=1)
        claimed = np.mean([part[name].standard_error for part in parts])
        assert claimed == pytest.approx(spread, rel=0.3), name


def test_a_policy_is_evaluated_by_the_measures_of_its_task_too():
    length = Measure("length", "Length", of_tokens=lambda tokens, mask: mask.sum(axis=1))
    told = []
    found = evaluate(
        POLICY,
        PRIOR,
        TASK.vocabulary,
        [length],
        number=5000,
        length=4,
        temperature=0.5,
        on_sequences=told.append,
    )
    assert told == [4096, 5000]
    assert found.number == len(found.samples) == 5000
    assert list(found.estimates) == ["length", "entropy", "kl", "log_prior", "distinct"]
    assert found.estimates["length"].value == pytest.approx(found.samples.mask.sum() / 5000)
    warm = evaluate(POLICY, PRIOR, TASK.vocabulary, number=5000, length=4)
    assert found.estimates["entropy"].value < warm.estimates["entropy"].value


def test_a_reward_in_plain_python_is_measured_too():
    def ends_early(tokens, mask):
        return {"early": 4.0 - mask.sum(axis=1)}

    samples = drawn(PRIOR, number=300, reward=Reward(ends_early))
    np.testing.assert_allclose(samples.reward, 4 - samples.mask.sum(axis=1))


def test_a_policy_has_collapsed_by_entropy_or_by_sameness():
    def estimates(entropy, distinct):
        return {"entropy": Estimate(entropy), "distinct": Estimate(distinct)}

    settings, prior_values = TutorSettings.of("psi"), estimates(1.2, 0.8)
    assert not has_collapsed(estimates(0.11, 0.41), prior_values, settings)
    assert has_collapsed(estimates(0.09, 0.41), prior_values, settings)
    assert has_collapsed(estimates(0.11, 0.39), prior_values, settings)
