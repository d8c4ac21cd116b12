"""Random batches of sequences, and their returns by a loop, for the tests of policy gradients."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

DISCOUNTS = st.sampled_from([0.0, 0.6, 1.0])
SEEDS = st.integers(0, 2**32 - 1)


def a_batch(seed, batch=4, length=6):
    """Random earnings of sequences of every length, nothing but noise past their ends."""
    rng = np.random.default_rng(seed)
    rewards, log_policy, log_prior = rng.normal(size=(3, batch, length))
    mask = np.arange(length) < rng.integers(1, length + 1, size=(batch, 1))
    return rewards, -abs(log_policy), -abs(log_prior), mask


def returns_by_loop(rewards, mask, discount):
    totals = np.zeros(rewards.shape)
    for row, t in zip(*np.nonzero(mask), strict=True):
        for k in range(t, int(mask[row].sum())):
            totals[row, t] += discount ** (k - t) * rewards[row, k]
    return totals
