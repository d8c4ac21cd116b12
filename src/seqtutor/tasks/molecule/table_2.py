"""Table 2 of Jaques et al. (2017) with its published figures, and the measures of MOSES."""

from __future__ import annotations

from seqtutor.measure import Measure, Published
from seqtutor.methods.registry import method_names

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


def _column(*values: float) -> dict[str, float]:
    return {row.name: value for row, value in zip(TABLE_2, values, strict=True)}


PUBLISHED = Published(
    columns={
        "LSTM": _column(0.303, 2.07, 0.678, -2.77, -0.096),
        "Ψ": _column(0.358, 4.21, 0.417, -1.79, -0.001),
    },
    beside={"prior": "LSTM", **dict.fromkeys(method_names(), "Ψ")},
    heading="paper's {column}",
)
"""Figures from 100,000 samples a column. All methods stand beside Ψ, the paper's only one."""
