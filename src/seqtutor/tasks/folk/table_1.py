"""Table 1 of Bjare & Meredith (2020): its rows with those that it lacks, and its figures."""

from __future__ import annotations

from seqtutor.measure import Measure, Published

ROWS = (
    Measure("cross_entropy", "H(p_data, p_gen), nats a token", "lower"),
    Measure("bleu", "BLEU, as published", "higher"),
    Measure("corpus_bleu", "Corpus BLEU"),
    Measure("self_bleu", "Self-BLEU"),
    Measure("entropy", "H(p_gen), nats a token"),
    Measure("reward_mean", "Mean D(x), the game's discriminator", "higher"),
    Measure("reward_deviation", "Its standard deviation"),
    Measure("precision", "Precision of that discriminator"),
    Measure("recall", "Recall of that discriminator"),
    Measure("judge_mean", "Mean D(x), fresh judges"),
    Measure("judge_real", "Their mean D(x) of real tunes"),
    Measure("judge_accuracy", "Their accuracy"),
)
"""The rows of a table of generators; the names are those of `GeneratorMeasures`."""

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

PUBLISHED = Published(PAPER_TABLE_1, beside={name: name for name in PAPER_TABLE_1})
