"""The papers' Table 1 with our columns beside theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seqtutor.methods.registry import symbol_of
from seqtutor.report.tables import Cell, Column, Row, Table, Unit
from seqtutor.tasks.melody.evaluation import MelodyEvaluation
from seqtutor.tasks.melody.metrics import MelodyMetrics
from seqtutor.tasks.melody.settings import MelodyTuning
from seqtutor.tasks.melody.table_1 import PAPER_TABLE_1, TABLE_1_ROWS, best_of_papers, is_better

PAPER_COLUMNS = {"prior": "Note RNN", "q": "Q", "psi": "Ψ", "g": "G"}
"""The column of the papers' table that each method (or the prior) stands beside."""

POLICY_ROWS = (
    ("entropy", "Entropy, nats a step", "number"),
    ("kl", "KL from the prior, nats a step", "number"),
    ("log_prior", "Mean log p(a|s), nats", "number"),
    ("distinct", "Distinct melodies", "fraction"),
)


@dataclass(frozen=True)
class Measured:
    """One column: a method's name, or "prior", with an evaluation for each seed.

    `tuning` is what made the policies; the prior's column may have that of the others, by whose
    rules it is judged.
    """

    name: str
    evaluations: Sequence[MelodyEvaluation]
    tuning: MelodyTuning | None = None

    @property
    def title(self) -> str:
        """The column's heading."""
        return PAPER_COLUMNS.get(self.name) or symbol_of(self.name)


def melody_table(columns: Sequence[Measured], title: str = "Melodies") -> Table:
    """Table 1, and below it the measures without which it means little.

    With several seeds a cell is their mean with the 95 % interval of Student's t; with one it has
    the interval over melodies, which says nothing about other seeds.
    """
    rows = [
        Row(
            row.label,
            tuple(_metric_cell(column, row.metric) for column in columns),
            "fraction" if row.is_percentage else "number",
            row.better.value,
        )
        for row in TABLE_1_ROWS
    ]
    for name, label, unit in POLICY_ROWS:
        values = [[getattr(e.policy, name) for e in column.evaluations] for column in columns]
        rows.append(Row(label, tuple(map(Cell.from_seeds, values)), unit))  # type: ignore[arg-type]
    beats = [[e.commonest_first_beat for e in column.evaluations] for column in columns]
    rows.append(
        Row(
            "Melodies with the commonest first beat", tuple(map(Cell.from_seeds, beats)), "fraction"
        )
    )
    rows += _tuning_rows(columns)
    rows += _count_rows(columns)
    return Table(
        title,
        tuple(Column(c.title, "paper" if c.name in PAPER_COLUMNS else None) for c in columns),
        tuple(rows),
        note=_note(columns),
    )


def _tuning_rows(columns: Sequence[Measured]) -> list[Row]:
    """What the tuning was for, and its two settings that matter most; where it is known of all."""
    if any(column.tuning is None for column in columns):
        return []
    rewards, settings = [], []
    for column in columns:
        assert column.tuning is not None
        rules, weights, tutor = column.tuning.rules, column.tuning.weights, column.tuning.tutor
        rewards.append([e.mean_reward(rules, weights) for e in column.evaluations])
        is_prior = column.name == "prior"
        settings.append(Cell("–" if is_prior else f"{tutor.c:g} / {tutor.discount:g}"))
    return [
        Row("Mean reward a step, weighted", tuple(map(Cell.from_seeds, rewards))),
        Row("c / γ", tuple(settings)),
    ]


def metrics_table(metrics: MelodyMetrics, title: str) -> Table:
    """Table 1's metrics of given melodies, beside all four columns of the papers."""
    rows = []
    for row in TABLE_1_ROWS:
        estimate = metrics.interval(row.metric)
        own = Cell(estimate.value, (estimate.high - estimate.low) / 2)
        papers = (Cell(PAPER_TABLE_1[name][row.metric]) for name in PAPER_TABLE_1)
        unit: Unit = "fraction" if row.is_percentage else "number"
        rows.append(Row(row.label, (own, *papers), unit))
    columns = (Column("measured"), *(Column(f"papers' {name}") for name in PAPER_TABLE_1))
    number = metrics.melodies
    note = f"{number:,} melodies; ± is the 95 % interval over them." if number > 1 else "1 melody."
    return Table(title, columns, tuple(rows), note)


def _metric_cell(column: Measured, metric: str) -> Cell:
    reference = None
    if column.name in PAPER_COLUMNS:
        reference = PAPER_TABLE_1[PAPER_COLUMNS[column.name]][metric]
    if len(column.evaluations) > 1:
        return Cell.from_seeds([e.metrics.values[metric] for e in column.evaluations], reference)
    estimate = column.evaluations[0].metrics.interval(metric)
    return Cell(estimate.value, (estimate.high - estimate.low) / 2, reference)


def _count_rows(columns: Sequence[Measured]) -> list[Row]:
    """In how many rows a column is better than the papers' own, and than all four of theirs."""
    best = best_of_papers()
    own, all_four = [], []
    for column in columns:
        beside = PAPER_COLUMNS.get(column.name)
        own.append(_rows_met(column, PAPER_TABLE_1[beside]) if beside else Cell("–"))
        all_four.append(_rows_met(column, best) if beside else Cell("–"))
    return [
        Row("Rows better than the papers'", tuple(own)),
        Row("Rows better than all of the papers'", tuple(all_four)),
    ]


def _rows_met(column: Measured, references: Mapping[str, float]) -> Cell:
    """In how many rows the mean over seeds is better than the reference."""
    means = {
        metric: sum(e.metrics.values[metric] for e in column.evaluations) / len(column.evaluations)
        for metric in references
    }
    met = sum(is_better(metric, means[metric], references[metric]) for metric in references)
    return Cell(f"{met} of {len(references)}")


def _note(columns: Sequence[Measured]) -> str:
    melodies = columns[0].evaluations[0].metrics.melodies
    seeds = max(len(column.evaluations) for column in columns)
    spread = "± is the 95 % interval over melodies of one run"
    if seeds > 1:
        spread = f"± is the 95 % interval over {seeds} seeds"
        if any(len(column.evaluations) == 1 for column in columns):
            spread += ", of the prior over its melodies"
    counted = ""
    if any(column.name in PAPER_COLUMNS for column in columns):
        counted = " The last two rows count means, also those that the interval leaves open (≈)."
    return f"{melodies:,} melodies a policy at temperature 1; {spread}.{counted}"
