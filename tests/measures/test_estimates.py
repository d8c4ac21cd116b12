"""Estimates from one number per sequence, and measures that a user defines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from seqtutor.errors import UserError
from seqtutor.measure import Estimate, Measure, MeasureGroup, Published, gain, rows_of
from seqtutor.measures.estimates import (
    estimates_of,
    mean_estimate,
    mean_share_estimate,
    ratio_estimate,
    share_estimate,
)
from seqtutor.measures.intervals import interval_of, interval_over_seeds
from seqtutor.rewards import string_reward
from seqtutor.task import Task
from seqtutor.vocabulary import Vocabulary

VOCABULARY = Vocabulary("ab.", end_token=".")
TONES = Vocabulary("ab")
TOKENS = np.array([[0, 1, 2, 2], [0, 0, 0, 2], [1, 2, 2, 2]])
MASK = np.array([[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 0, 0]], bool)


def estimates(*measures):
    return estimates_of(measures, TOKENS, MASK, VOCABULARY)


def test_the_mean_is_over_values_that_are_defined():
    found = mean_estimate([1.0, math.nan, 2.0, 6.0])
    assert found.value == 3.0
    assert found.standard_error == pytest.approx(np.std([1, 2, 6], ddof=1) / math.sqrt(3))
    assert found.count == 3
    assert math.isnan(mean_estimate([math.nan]).value)
    for values in ([4.0], [4.0, 4.0, 4.0]):
        equal = mean_estimate(values)
        assert (equal.value, math.isnan(equal.standard_error)) == (4.0, True)


def test_a_ratio_of_equal_denominators_is_a_mean():
    values = np.array([1.0, 5.0, 3.0])
    mean, ratio = mean_estimate(values), ratio_estimate(4 * values, [4, 4, 4])
    assert (ratio.value, ratio.count) == (mean.value, mean.count)
    assert ratio.standard_error == pytest.approx(mean.standard_error)
    assert math.isnan(ratio_estimate([0, 0], [0, 0]).value)


def test_the_error_of_a_ratio_is_the_spread_of_repeated_samples():
    generator = np.random.default_rng(0)
    steps = generator.integers(1, 9, size=(400, 60))
    sums = generator.normal(size=steps.shape) * np.sqrt(steps) + 0.3 * steps
    found = [ratio_estimate(*one) for one in zip(sums, steps, strict=True)]
    spread = np.std([one.value for one in found], ddof=1)
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.1)


def test_a_share_of_sequences_is_worth_as_many_trials_as_there_are():
    for values in ([1, 0, 0, 1, 0], [0, 0, 0, 0, math.nan, 0], [1, 1, 1, 1, 1], [0.3] * 5):
        assert mean_share_estimate(values).trials == 5
    assert math.isnan(mean_share_estimate([0.5, 1.5, 0.2]).trials), "that is not a share"
    assert math.isnan(mean_share_estimate([math.nan]).value)


def test_a_share_of_steps_is_worth_as_many_trials_as_are_independent():
    generator = np.random.default_rng(0)
    independent = generator.binomial(20, 0.3, 5000)
    assert share_estimate(independent, np.full(5000, 20)).trials == pytest.approx(100_000, rel=0.1)
    whole = 20 * generator.binomial(1, 0.3, 5000)
    assert share_estimate(whole, np.full(5000, 20)).trials == pytest.approx(5000)
    # Nobody knows from events that were not seen whether they would have come alone.
    assert share_estimate(np.zeros(50), np.full(50, 20)).trials == pytest.approx(50)
    lengths = np.arange(1, 11)
    assert share_estimate(np.zeros(10), lengths).trials == pytest.approx(55**2 / 385)


RATES = (0.0003, 0.003, 0.03, 0.2, 0.5)
COVERAGE = {
    "sequences": lambda p, size, g: (g.random(size) < p, np.ones(size)),
    "steps": lambda p, size, g: (g.binomial(32, p, size), np.full(size, 32)),
    "steps of a rate of their own": lambda p, size, g: (
        g.binomial(32, g.beta(2 * p, 2 - 2 * p, size)),
        np.full(size, 32),
    ),
    "bursts": lambda p, size, g: (
        (g.random(size) < 2 * p) * g.integers(1, 32, size),
        np.full(size, 32),
    ),
    "shares": lambda p, size, g: (g.beta(2 * p, 2 - 2 * p, size), np.ones(size)),
}


@pytest.mark.parametrize("kind", COVERAGE)
@pytest.mark.parametrize("size", [20, 100, 400])
def test_the_interval_of_a_share_contains_it_at_every_rate_and_size(kind, size):
    """1,000 samples each; `benchmarks/interval_coverage.py` has more kinds, and real melodies."""
    generator = np.random.default_rng(3)
    for rate in RATES:
        events, trials = COVERAGE[kind](rate, (1000, size), generator)
        found = [interval_of(share_estimate(*one)) for one in zip(events, trials, strict=True)]
        assert np.mean([one.low <= rate <= one.high for one in found]) > 0.93, rate
        assert all(one.low < one.high for one in found)


def test_seeds_that_all_saw_nothing_have_the_interval_of_all_their_sequences():
    seeds = [mean_share_estimate(np.zeros(100)) for _ in range(3)]
    assert interval_over_seeds(seeds) == interval_of(mean_share_estimate(np.zeros(300)))
    differing = [mean_share_estimate(np.arange(100) < number) for number in (10, 40, 60)]
    plain = [Estimate(one.value) for one in differing]
    assert interval_over_seeds(differing) == interval_over_seeds(plain), "seeds differ by more"


def test_a_measure_is_a_function_of_tokens_or_of_strings():
    length = Measure("length", "Length", of_tokens=lambda tokens, mask: mask.sum(axis=1))
    has_b = Measure("has_b", "With b", unit="share", of_strings=lambda s: ["b" in one for one in s])
    written = []
    spelled = Measure(
        "spelled", "Spelled", of_strings=lambda s: written.extend(s) or [len(one) for one in s]
    )
    found = estimates(length, has_b, spelled, Measure("elsewhere", "Computed elsewhere"))
    assert list(found) == ["length", "has_b", "spelled"]
    assert found["length"].value == 3
    assert found["has_b"].value == pytest.approx(2 / 3)
    assert found["has_b"].trials == 3
    assert written == ["ab", "aaa", "b"]
    assert found["spelled"].value == 2


def test_strings_are_those_that_a_string_reward_sees():
    words = Vocabulary(("do", "re", "end"), end_token="end")
    seen = {"measure": [], "group": [], "reward": []}

    def note(name):
        return lambda strings: seen[name].extend(strings) or [1.0 for _ in strings]

    group = MeasureGroup(
        (Measure("joined", "Joined"),),
        of_strings=lambda strings: {"joined": mean_estimate(note("group")(strings))},
        join="".join,
    )
    row = Measure("row", "Row", of_strings=note("measure"))
    estimates_of([row, group], TOKENS, MASK, words)
    reward = string_reward(lambda strings: {"one": note("reward")(strings)})
    Task(words, 4, reward).reward(TOKENS, MASK)
    assert seen["measure"] == ["do re", "do do do", "re"]
    assert seen["group"] == ["dore", "dododo", "re"]
    assert seen["reward"][-3:] == seen["measure"]


def test_what_is_masked_is_not_part_of_a_string():
    """Of given sequences without an end token, the shorter ones are filled up with token 0."""
    seen = []
    measure = Measure("n", "N", of_strings=lambda s: seen.extend(s) or [0.0 for _ in s])
    estimates_of([measure], np.array([[1, 0], [1, 1]]), np.array([[1, 0], [1, 1]], bool), TONES)
    assert seen == ["b", "bb"]


def test_a_measure_that_fails_is_told_in_one_line_with_its_place():
    def divides(strings):
        return [1 / 0 for _ in strings]

    line = divides.__code__.co_firstlineno + 1
    said = rf"^the measure 'odd' failed: ZeroDivisionError: .* \(line {line} of .*{__name__}.py\)$"
    with pytest.raises(UserError, match=said):
        estimates(Measure("odd", "Odd", of_strings=divides))
    rows = (Measure("odd", "Odd"),)
    with pytest.raises(UserError, match=said):
        estimates(MeasureGroup(rows, of_strings=divides))
    with pytest.raises(UserError, match="group of the measure 'odd' must return a mapping"):
        estimates(MeasureGroup(rows, of_strings=lambda strings: [1.0 for _ in strings]))


def test_a_group_gives_estimates_of_its_own():
    rows = (Measure("one", "One"), Measure("two", "Two"))
    whole = {"one": Estimate(1.0), "two": Estimate(2.0, 0.5, 9), "more": Estimate(3.0)}
    group = MeasureGroup(rows, lambda tokens, mask: whole)
    assert estimates(group) == whole
    single = Measure("three", "Three")
    assert rows_of([group, single]) == (*rows, single)
    lacking = MeasureGroup(rows, lambda tokens, mask: {"one": Estimate(1.0)})
    with pytest.raises(UserError, match="'two' is not among those"):
        estimates(lacking)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 2.0], r"'odd' must return one number per sequence, .*\(3,\), not \(2,\)"),
        (5.0, r"one number per sequence, .* not \(\)"),
        (["a", "b", "c"], "'odd' must return numbers"),
        (None, r"one number per sequence|must return numbers"),
    ],
)
def test_what_is_not_one_number_per_sequence_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        estimates(Measure("odd", "Odd", of_tokens=lambda tokens, mask: values))


def test_the_interval_is_students_t_with_the_counts_degrees_of_freedom():
    # Student's t for 2 degrees of freedom at 97.5 %: 4.30265.
    assert interval_of(Estimate(1.0, 0.1, 3)).half_width == pytest.approx(0.430265, rel=1e-5)
    assert math.isnan(interval_of(Estimate(1.0, 0.1, 1)).low)
    assert math.isnan(interval_of(Estimate(1.0)).low)


def test_the_interval_of_a_share_is_that_of_clopper_and_pearson():
    for seen, trials in ((0, 20), (1, 20), (7, 20), (20, 20), (3, 1000)):
        expected = stats.binomtest(seen, trials).proportion_ci(0.95, "exact")
        found = interval_of(Estimate(seen / trials, 0.1, trials, trials))
        assert found[1:] == pytest.approx(tuple(expected))


def test_of_one_seed_the_interval_is_over_samples_and_of_several_over_seeds():
    seeds = [Estimate(value, 9.0, 100) for value in (1.0, 2.0, 3.0)]
    assert interval_over_seeds(seeds[:1]) == interval_of(seeds[0])
    several = interval_over_seeds(seeds)
    assert several.value == 2
    assert several.half_width == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)


def test_a_gain_follows_the_direction():
    assert gain(2.0, 1.0, "higher") == gain(1.0, 2.0, "lower") == gain(-1.0, 2.0, "near zero") == 1
    assert math.isnan(gain(math.nan, 1.0, "higher"))
    row = Measure("lag", "Lag", better="near zero")
    assert row.improves(0.05, -0.10)
    assert not row.improves(-0.03, 0.03)
    assert not row.improves(math.nan, 0.5)
    assert not Measure("none", "Without direction").improves(1.0, 0.0)


def test_the_best_published_figures_are_by_row():
    rows = (Measure("up", "Up", "higher"), Measure("zero", "Zero", "near zero"), Measure("x", "X"))
    published = Published(
        {"A": {"up": 1.0, "zero": -0.5, "x": 1.0}, "B": {"up": 0.5, "zero": 0.1, "x": 2.0}},
        beside={"psi": "A"},
        heading="paper's {column}",
    )
    assert published.best(rows) == {"up": 1.0, "zero": 0.1}
    assert published.heading_beside("psi") == "paper's A"
    assert published.figures_beside("psi") == published.columns["A"]
    assert published.heading_beside("q") is None
    assert published.figures_beside("q") == {}
