"""Table 1 of Jaques et al. (2017): its rows, and its figures from 100,000 melodies a column."""

from __future__ import annotations

from seqtutor.measure import Measure, Published

TABLE_1 = (
    Measure("notes_not_in_key", "Notes not in key", "lower", "share"),
    Measure("autocorrelation_lag1", "Mean autocorrelation, lag 1", "near zero"),
    Measure("autocorrelation_lag2", "Mean autocorrelation, lag 2", "near zero"),
    Measure("autocorrelation_lag3", "Mean autocorrelation, lag 3", "near zero"),
    Measure("notes_excessively_repeated", "Notes excessively repeated", "lower", "share"),
    Measure("starting_with_tonic", "Melodies starting with the tonic", "higher", "share"),
    Measure("leaps_resolved", "Leaps resolved", "higher", "share"),
    Measure("unique_highest", "Melodies with a unique highest note", "higher", "share"),
    Measure("unique_lowest", "Melodies with a unique lowest note", "higher", "share"),
    Measure("notes_in_motif", "Notes in a motif", "higher", "share"),
    Measure("notes_in_repeated_motif", "Notes in a repeated motif", "higher", "share"),
)
"""The rows in the paper's order."""


def _column(*values: float) -> dict[str, float]:
    return {row.name: value for row, value in zip(TABLE_1, values, strict=True)}


PUBLISHED = Published(
    columns={
        "Note RNN": _column(
            0.0009, -0.16, 0.14, -0.13, 0.633, 0.0086, 0.772, 0.647, 0.494, 0.0585, 0.00007
        ),
        "Q": _column(0.0100, -0.11, 0.03, 0.03, 0.0, 0.288, 0.911, 0.564, 0.519, 0.757, 0.0011),
        "Ψ": _column(0.0060, -0.10, -0.01, 0.01, 0.0002, 0.287, 0.900, 0.594, 0.583, 0.738, 0.0009),
        "G": _column(0.287, 0.55, 0.31, 0.17, 0.0003, 0.0, 0.522, 0.371, 0.565, 0.693, 0.0001),
    },
    beside={"prior": "Note RNN", "q": "Q", "psi": "Ψ", "g": "G"},
)
"""The figures of the table."""
