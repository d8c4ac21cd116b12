"""Which samples are chosen to be heard."""

from __future__ import annotations

import numpy as np
import pytest

from seqtutor.tasks.folk.gallery import choose_exhibits, distinct_runs

VARIED = np.arange(12)
REPEATED = np.zeros(12, int)


def test_runs_of_a_sample_that_repeats_itself():
    found = distinct_runs(np.stack([VARIED, REPEATED, np.tile([0, 1, 2], 4)]))
    np.testing.assert_allclose(found, [1, 1 / 9, 3 / 9])
    assert distinct_runs(np.zeros((2, 3), int)).tolist() == [1, 1]


def test_exhibits_are_the_extremes_and_none_is_chosen_twice():
    tokens = np.stack([VARIED, VARIED + 1, VARIED + 2, REPEATED, VARIED + 3])
    logits = np.array([2.0, -1.0, 0.5, -3.0, -2.0])
    found = choose_exhibits(tokens, logits, each=1)
    assert [one.kind for one in found] == ["false positive", "true negative"]
    assert [one.probability for one in found] == pytest.approx([1 / (1 + np.exp(-2)), 0.0474259])
    # The most repetitive one is the worst already; with another that is worse, it is free.
    found = choose_exhibits(tokens, np.array([2.0, -1.0, 0.5, -3.0, -4.0]), each=1)
    assert [one.kind for one in found] == ["false positive", "true negative", "collapsed"]
    assert found[2].distinct == pytest.approx(1 / 9)


def test_nothing_deceives_where_all_is_told_apart():
    found = choose_exhibits(np.stack([VARIED, VARIED + 1]), np.array([-1.0, -2.0]), each=2)
    assert [one.kind for one in found] == ["true negative", "true negative"]
