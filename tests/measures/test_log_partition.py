"""Bounds on log Z, held against enumerations and against known distributions."""

import functools
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp

from seqtutor.measures.controls import TemperedModel
from seqtutor.measures.intervals import Interval
from seqtutor.measures.log_partition import (
    LogPartition,
    batches_of,
    from_samples,
    joined,
    lower_bound_of_log_mean,
    mixture_log_weights,
    reverse_log_means,
)
from seqtutor.measures.pareto import largest_trusted_k, pareto_k
from seqtutor.measures.sampling import draw, log_probabilities
from seqtutor.proof import exact
from tiny_problems import prior, task

TASK = task(3, 4, has_end=True)
PRIOR = prior(3, scale=2.0)
POLICY = prior(3, seed=11, scale=2.0)
C = 0.6


@functools.cache
def problem():
    return exact.enumerate_problem(PRIOR, TASK.reward, 4, end=2)


@functools.cache
def log_z():
    return exact.optimum(problem(), c=C).log_partition


def drawn(policy, temperature=1.0, number=4000, seed=1):
    return draw(
        policy,
        PRIOR,
        number=number,
        length=4,
        end=2,
        seed=seed,
        temperature=temperature,
        reward=TASK.reward,
    )


@pytest.mark.parametrize("shape", [0.2, 0.6, 0.9])
def test_the_bound_on_a_mean_holds_for_a_few_values_of_any_tail(shape):
    """Of Pareto values, which for a shape above one half have no variance."""
    generator = np.random.default_rng(0)
    values = -shape * np.log(generator.random((400, 50)))
    bounds = [lower_bound_of_log_mean(row, 0.9) for row in values]
    assert np.mean(np.array(bounds) <= -math.log(1 - shape)) >= 0.9
    assert np.median(bounds) > -math.log(1 - shape) - 1.5, "not a bound that says nothing"


def test_the_bound_on_a_mean_comes_close_with_many_values():
    generator = np.random.default_rng(1)
    values = np.log(generator.exponential(size=40_000))
    bound = lower_bound_of_log_mean(values, 0.975)
    mean = math.log(np.exp(values).mean())
    # Student's interval would end 1.96/√n = 0.0098 below.
    assert mean - 0.02 < bound < mean - 0.0098
    assert lower_bound_of_log_mean(values + 300, 0.975) == pytest.approx(bound + 300, abs=1e-4)
    assert lower_bound_of_log_mean(np.full(10, -math.inf), 0.975) == -math.inf


def test_a_sample_of_the_optimum_in_each_batch_makes_the_mean_of_1_over_z_right():
    """With proposals that lie far apart, so that it matters which sample it takes the place of."""
    generator = np.random.default_rng(2)
    log_target = np.array([0.0, 1.0, 2.0, -1.0])
    log_proposals = np.log([[0.7, 0.1, 0.1, 0.1], [0.05, 0.05, 0.2, 0.7]])
    truth = np.exp(log_target).sum()

    def sampled(probabilities, number):
        return generator.choice(4, number, p=probabilities)

    inverses = []
    for _ in range(3000):
        number = 9
        rows = np.stack([sampled(np.exp(one), number) for one in log_proposals])
        star = sampled(np.exp(log_target) / truth, batches_of(number))
        weights = mixture_log_weights(log_target[rows], log_proposals[:, rows])
        optimal = log_target[star], log_proposals[:, star]
        means = reverse_log_means(weights, log_proposals[:, rows], generator, optimal)
        inverses.append(np.exp(-means).mean())
    error = np.std(inverses) / math.sqrt(len(inverses))
    assert np.mean(inverses) == pytest.approx(1 / truth, abs=4 * error)
    assert error < 0.015 / truth


@pytest.mark.parametrize("shape", [0.3, 0.7, 1.2])
def test_the_shape_of_a_tail_is_found(shape):
    values = (np.random.default_rng(3).random(50_000) ** -shape - 1) / shape
    assert pareto_k(np.log(values)) == pytest.approx(shape, abs=0.1)
    assert pareto_k(np.log(values) - 900) == pytest.approx(pareto_k(np.log(values)))


def test_equal_weights_have_no_tail():
    assert math.isnan(pareto_k(np.zeros(1000)))
    assert LogPartition(0.0, 0.0, 0.0, 1000.0, math.nan, 1000).is_trusted
    assert largest_trusted_k(50) == pytest.approx(1 - 1 / np.log10(50))
    assert largest_trusted_k(10**6) == 0.5


def test_the_probabilities_of_foreign_sequences_are_those_of_the_model():
    samples = drawn(POLICY, temperature=0.7, number=5000)
    np.testing.assert_allclose(
        log_probabilities(POLICY, samples, 0.7), samples.log_policy, atol=1e-5
    )
    np.testing.assert_allclose(log_probabilities(PRIOR, samples), samples.log_prior, atol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_samples_of_models_bound_the_partition_of_the_enumeration(temperature):
    own, of_prior = drawn(POLICY, temperature), drawn(PRIOR, seed=2)
    log_policy = log_probabilities(POLICY, of_prior, temperature)
    found = from_samples(own, of_prior, log_policy, C)
    assert found.lower < log_z() < found.upper
    assert found.upper - found.lower < 0.5
    assert found.estimate == pytest.approx(log_z(), abs=0.1)
    assert found.is_trusted
    table = exact.policy_table(problem(), TemperedModel(POLICY, temperature))
    objective = exact.evaluate(problem(), table, c=C).objective
    kl = exact.kl_divergence(problem(), table, exact.optimum(problem(), c=C).log_policy)
    distance = found.above(Interval.around(objective, 0.0))
    assert distance.low < kl < distance.high


def test_a_policy_of_two_sequences_does_not_hide_the_rest():
    """The prior's half of the samples finds what a collapsed policy never generates."""
    own, of_prior = drawn(POLICY, 0.01), drawn(PRIOR, seed=2)
    assert len(np.unique(own.tokens, axis=0)) == 2
    found = from_samples(own, of_prior, log_probabilities(POLICY, of_prior, 0.01), C)
    assert found.lower < log_z() < found.upper


def test_one_weight_that_is_nearly_all_is_seen():
    generator = np.random.default_rng(4)
    weights = generator.normal(size=(2, 1000))
    weights[0, 17] = 40.0
    uniform = np.zeros((2, 2, 1000))
    means = reverse_log_means(weights, uniform, generator)
    estimate = logsumexp(weights) - math.log(weights.size)
    # In every batch it counts as one of that batch's samples, not as one of all.
    assert -lower_bound_of_log_mean(-means, 0.975) > estimate + 2
    assert pareto_k(weights.reshape(-1)) > largest_trusted_k(2000)


def test_the_bounds_of_several_policies_are_joined():
    good = LogPartition(5.0, 4.9, 5.2, 900.0, 0.2, 1000)
    poor = LogPartition(4.0, 3.0, 4.1, 2.0, 1.1, 1000)
    assert joined([poor, good]) == good
    high = LogPartition(6.0, 5.5, 6.1, 10.0, 0.9, 1000)
    both = joined([good, high])
    assert (both.lower, both.upper, both.estimate) == (5.5, 6.1, 5.5)
    assert both.effective_size == 900
    refuted = joined([good, high], [6.3])
    assert (refuted.lower, refuted.upper, refuted.estimate) == (6.3, math.inf, 6.3)
    assert good.is_trusted
    assert not refuted.is_trusted
    assert refuted.above(Interval.around(5.0, 0.1)).high == math.inf
    assert LogPartition.of_estimates(good.estimates) == good


def test_a_distance_has_the_uncertainty_of_both_values_and_is_not_negative():
    bounds = LogPartition(5.0, 4.7, 5.4, 900.0, 0.2, 1000)
    assert bounds.above(Interval.around(3.0, 0.0)) == pytest.approx((2.0, 1.7, 2.4))
    assert bounds.above(Interval.around(3.0, 0.4)) == pytest.approx((2.0, 1.5, 2 + math.sqrt(0.32)))
    assert bounds.above(Interval.around(5.1, 0.0)) == pytest.approx((0.0, 0.0, 0.3))


def test_both_bounds_hold_on_enumerable_problems():
    """The benchmark, with few draws; its table is in the documentation."""
    path = Path(__file__).parents[2] / "benchmarks" / "optimum_coverage.py"
    spec = importlib.util.spec_from_file_location("optimum_coverage", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    found = benchmark.coverage(5, draws=10, number=400, seed=0)
    assert {kind for _, kind in found} == {"exact", "resampled"}
    for name, row in found.items():
        assert min(row["lower"], row["upper"]) >= 0.93, name
    for kind in ("exact", "resampled"):
        near = found["near π*", kind]
        assert near["below"] + near["above"] < 0.8, "and they are not far apart"
