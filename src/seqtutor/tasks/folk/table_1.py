"""The figures of Table 1 of Bjare & Meredith (2020)."""

from __future__ import annotations

from seqtutor.measure import Published

PAPER_TABLE_1: dict[str, dict[str, float]] = {
    "maximum-likelihood": {"cross_entropy": 2.58, "bleu": 0.375, "entropy": 3.17},
    "reinforce": {
        "cross_entropy": 3.81,
        "bleu": 0.241,
        "entropy": 1.54,
        "reward_mean": 0.016,
        "reward_deviation": 0.100,
        "precision": 0.993,
        "recall": 1.00,
    },
    "reinforce-baseline": {
        "cross_entropy": 4.39,
        "bleu": 0.146,
        "entropy": 4.11,
        "reward_mean": 0.012,
        "reward_deviation": 0.077,
        "precision": 1.00,
        "recall": 0.993,
    },
    "merl": {
        "cross_entropy": 5.66,
        "bleu": 0.082,
        "entropy": 5.26,
        "reward_mean": 0.000,
        "reward_deviation": 0.001,
        "precision": 1.00,
        "recall": 1.00,
    },
}
"""By generator and measure, as printed."""

PUBLISHED = Published(
    PAPER_TABLE_1, beside={**{name: name for name in PAPER_TABLE_1}, "merl-baseline": "merl"}
)
