"""Table 2 of Jaques et al. (2017): its rows, and its figures from 100,000 samples a column."""

from __future__ import annotations

from seqtutor.measure import Measure, Published
from seqtutor.training.settings import SYMBOLS

TABLE_2 = (
    Measure("valid", "Valid", "higher", "share"),
    Measure("logp", "Mean logP", "higher"),
    Measure("qed", "Mean QED", "higher"),
    Measure("sa_penalty", "Mean SA penalty", "higher"),
    Measure("ring_penalty", "Mean ring penalty", "near zero"),
)
"""The rows in the paper's order."""

MOSES = (
    Measure("unique@1000", "Unique among 1,000", "higher", "share"),
    Measure("unique@10000", "Unique among 10,000", "higher", "share"),
    Measure("novelty", "Novel", "higher", "share"),
    Measure("internal_diversity", "Internal diversity", "higher"),
    Measure("internal_diversity_2", "Internal diversity, squared", "higher"),
    Measure("nearest_similarity", "Similarity to nearest neighbour"),
    Measure("scaffold_similarity", "Similarity of scaffolds"),
    Measure("distinct_scaffolds", "Distinct scaffolds", "higher", "share"),
    Measure("novel_scaffolds", "Novel scaffolds", unit="share"),
)
"""The measures of MOSES, and two more of scaffolds."""

FRECHET = Measure("frechet_chemnet", "Fréchet ChemNet distance", "lower")

PUBLISHED = Published(
    columns={
        "LSTM": {
            "valid": 0.303,
            "logp": 2.07,
            "qed": 0.678,
            "sa_penalty": -2.77,
            "ring_penalty": -0.096,
        },
        "Ψ": {
            "valid": 0.358,
            "logp": 4.21,
            "qed": 0.417,
            "sa_penalty": -1.79,
            "ring_penalty": -0.001,
        },
    },
    beside={"prior": "LSTM", **dict.fromkeys(SYMBOLS, "Ψ")},
    heading="paper's {column}",
)
"""The figures of the table; every method stands beside Ψ, the only one that the paper tuned by."""
