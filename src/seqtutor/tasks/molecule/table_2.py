"""Table 2 of Jaques et al. (2017): its rows, and its figures from 100,000 samples a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Row:
    """A row of a table of molecules.

    Attributes:
        metric: the name by which `molecule_metrics` knows it.
        label: the name in print.
        better: which way it improves; `None` where neither way is better.
        is_percentage: whether the fraction is printed as a percentage.
    """

    metric: str
    label: str
    better: Literal["higher", "lower", "nearer zero"] | None
    is_percentage: bool = False


TABLE_2_ROWS = (
    Row("valid", "Valid", "higher", True),
    Row("logp", "Mean logP", "higher"),
    Row("qed", "Mean QED", "higher"),
    Row("sa_penalty", "Mean SA penalty", "higher"),
    Row("ring_penalty", "Mean ring penalty", "nearer zero"),
)
"""The rows in the paper's order."""

MOSES_ROWS = (
    Row("unique@1000", "Unique among 1,000", "higher", True),
    Row("unique@10000", "Unique among 10,000", "higher", True),
    Row("novelty", "Novel", "higher", True),
    Row("internal_diversity", "Internal diversity", "higher"),
    Row("internal_diversity_2", "Internal diversity, squared", "higher"),
    Row("nearest_similarity", "Similarity to nearest neighbour", None),
    Row("scaffold_similarity", "Similarity of scaffolds", None),
    Row("distinct_scaffolds", "Distinct scaffolds", "higher", True),
    Row("novel_scaffolds", "Novel scaffolds", None, True),
)
"""The measures of MOSES, and two more of scaffolds."""

PAPER_TABLE_2 = {
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
}
"""The paper's figures by column and metric, percentages as fractions."""
