"""Diversity, held against its definition and against cases that can be done by hand."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.measures.diversity import (
    commonest_beginning,
    distinct_estimate,
    distinct_share,
    self_similarity,
)
from seqtutor.measures.intervals import interval_of


def ngram_counts(sequence, ngram):
    padded = ["begin"] * (ngram - 1) + [int(token) for token in sequence]
    return Counter(tuple(padded[i : i + ngram]) for i in range(len(sequence)))


def cosine(one, other):
    product = sum(one[gram] * other[gram] for gram in one)
    return product / np.sqrt(sum(v**2 for v in one.values()) * sum(v**2 for v in other.values()))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(2, 7), st.integers(1, 6))
def test_it_is_the_mean_cosine_over_all_pairs(seed, ngram, number, time):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 3, (number, time))
    lengths = rng.integers(1, time + 1, number)
    mask = np.arange(time) < lengths[:, None]
    counts = [ngram_counts(row[:n], ngram) for row, n in zip(tokens, lengths, strict=True)]
    expected = np.mean([cosine(one, other) for one, other in combinations(counts, 2)])
    assert self_similarity(tokens, mask, ngram).value == pytest.approx(expected, abs=1e-12)


def test_what_comes_after_the_end_does_not_count():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (50, 9))
    mask = np.arange(9) < rng.integers(1, 10, 50)[:, None]
    other = np.where(mask, tokens, 3)
    assert self_similarity(tokens, mask) == self_similarity(other, mask)


@pytest.mark.parametrize("kinds", [1, 2, 5])
def test_a_policy_that_knows_few_sequences_shows(kinds):
    # Tokens of one sequence occur in no other, so that no n-gram is shared.
    sequences = np.arange(kinds * 8).reshape(kinds, 8)
    tokens = np.tile(sequences, (40, 1))
    found = self_similarity(tokens, np.ones_like(tokens, bool))
    assert found.value == pytest.approx((40 - 1) / (40 * kinds - 1))
    assert distinct_share(tokens) == kinds / len(tokens)


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=30), st.integers(1, 3))
def test_the_commonest_beginning_is_that_of_a_count(sequences, steps):
    beginnings = Counter(sequence[:steps] for sequence in sequences)
    most = beginnings.most_common(1)[0][1]
    found = commonest_beginning(np.array(sequences), steps)
    assert found.value == pytest.approx(most / len(sequences))
    interval = interval_of(found)
    assert interval.low <= found.value <= interval.high


def test_the_interval_of_the_distinct_share_contains_its_expectation():
    rng = np.random.default_rng(3)
    chances = 1 / np.arange(1, 301)
    chances /= chances.sum()
    draws = 200
    expected = np.mean(1 - (1 - chances) ** draws) * len(chances) / draws
    missed = 0
    for _ in range(400):
        interval = interval_of(distinct_estimate(rng.choice(300, (draws, 1), p=chances)))
        missed += not interval.low <= expected <= interval.high
    assert missed <= 0.05 * 400


def test_the_distinct_share_has_a_width_where_all_or_none_are_alike():
    for tokens, end in ((np.arange(50)[:, None], 1.0), (np.zeros((50, 1), int), 0.02)):
        found = distinct_estimate(tokens)
        assert found.value == distinct_share(tokens) == end
        interval = interval_of(found)
        assert interval.low < end
        assert interval.high - interval.low > 0.05


def test_the_standard_error_is_the_spread_of_the_estimate():
    rng = np.random.default_rng(1)
    bag = rng.integers(0, 3, (30, 10))
    mask = np.ones((400, 10), bool)
    drawn = [self_similarity(bag[rng.integers(0, 30, 400) ** 2 // 30], mask) for _ in range(200)]
    spread = np.std([one.value for one in drawn], ddof=1)
    assert np.mean([one.standard_error for one in drawn]) == pytest.approx(spread, rel=0.2)


def test_large_vocabularies_do_not_overflow():
    tokens = np.array([[2**40, 2**41, 5, 2**40], [2**40, 2**41, 5, 2**40], [1, 2, 3, 4]])
    found = self_similarity(tokens, np.ones_like(tokens, bool), 3)
    assert found.value == pytest.approx(1 / 3)


def test_one_sequence_has_nobody_to_be_like():
    with pytest.raises(ValueError, match="two sequences"):
        self_similarity(np.zeros((1, 4), int), np.ones((1, 4), bool))
