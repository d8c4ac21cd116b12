"""The paper's Table 2 with our columns beside its own, and the measures of MOSES."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seqtutor.methods.registry import is_method, symbol_of
from seqtutor.report.tables import Better, Cell, Column, Row, Table, Unit
from seqtutor.tasks.molecule.evaluation import MoleculeEvaluation
from seqtutor.tasks.molecule.mean_terms import MeanTerms
from seqtutor.tasks.molecule.table_2 import MOSES_ROWS, PAPER_TABLE_2, TABLE_2_ROWS

PRIOR = "prior"
PRIORS_COLUMN, TUNED_COLUMN = "LSTM", "Ψ"
"""The paper's columns: its prior, and the policy that it tuned, by Ψ-learning alone."""

FRECHET = "frechet_chemnet"
_FRECHET_LABEL = "Fréchet ChemNet distance"

POLICY_ROWS = (
    ("entropy", "Entropy, nats a step", "number"),
    ("kl", "KL from the prior, nats a step", "number"),
    ("log_prior", "Mean log p(a|s), nats", "number"),
    ("distinct", "Distinct strings", "fraction"),
)


EARNED_NOTE = (
    " Terms are means over all strings before their weights, 0 of an invalid one but for its "
    "penalty; the mean reward is their weighted sum. The terms known and diversity, if the reward "
    "has them, are left out: they depend on what a run has generated before."
)


@dataclass(frozen=True)
class Measured:
    """One column: a method's name, "prior" or a model's name, with an evaluation for each seed.

    It does not stand beside the paper's where another reward was asked for, of which that says
    nothing.
    """

    name: str
    evaluations: Sequence[MoleculeEvaluation]
    is_beside_paper: bool = True

    @property
    def title(self) -> str:
        """The column's heading."""
        return symbol_of(self.name)

    @property
    def paper_column(self) -> str | None:
        """The paper's column beside it: that of Ψ for every method; a mere model has none."""
        if not self.is_beside_paper:
            return None
        if self.name == PRIOR:
            return PRIORS_COLUMN
        return TUNED_COLUMN if is_method(self.name) else None


def molecule_table(
    columns: Sequence[Measured],
    title: str = "Molecules",
    reference: str | None = None,
    earned: Sequence[Sequence[MeanTerms]] = (),
) -> Table:
    """Table 2, the measures of MOSES, and those without which they mean little.

    With several seeds a cell is their mean with the 95 % interval of Student's t; with one it has
    the interval over molecules, which says nothing about other seeds. A row that no column has a
    number in is left out.

    Args:
        columns: what was measured.
        title: of the table.
        reference: what novelty and similarities refer to.
        earned: by column, for each seed what its strings earn of a run's own reward.
    """
    rows = [
        _row(columns, row.metric, row.label, _unit(row.is_percentage), row.better)
        for row in (*TABLE_2_ROWS, *MOSES_ROWS)
    ]
    if any(FRECHET in e.metrics for column in columns for e in column.evaluations):
        rows.append(_row(columns, FRECHET, _FRECHET_LABEL, "number", "lower"))
    for name, label, unit in POLICY_ROWS:
        values = [[getattr(e.policy, name) for e in column.evaluations] for column in columns]
        rows.append(Row(label, tuple(map(Cell.from_seeds, values)), unit))  # type: ignore[arg-type]
    if earned:
        rows += _earned_rows(earned)
    return Table(
        title,
        tuple(Column(c.title, c.paper_column and f"paper's {c.paper_column}") for c in columns),
        tuple(row for row in rows if any(_is_known(cell) for cell in row.cells)),
        note=_note(columns, reference) + (EARNED_NOTE if earned else ""),
    )


def _earned_rows(earned: Sequence[Sequence[MeanTerms]]) -> list[Row]:
    """The mean reward, and the terms that it is made of, as they are before their weights."""

    def row(label: str, value: Callable[[MeanTerms], float]) -> Row:
        return Row(label, tuple(Cell.from_seeds([value(one) for one in own]) for own in earned))

    rows = [row("Mean reward a string", lambda one: one.reward)]
    rows += [
        row(f"Term {name.replace('_', ' ')}", lambda one, name=name: one.terms[name])  # type: ignore[misc]
        for name in earned[0][0].terms
    ]
    return rows


def _unit(is_percentage: bool) -> Unit:
    return "fraction" if is_percentage else "number"


def _row(
    columns: Sequence[Measured], metric: str, label: str, unit: Unit, better: Better | None
) -> Row:
    return Row(label, tuple(_cell(column, metric) for column in columns), unit, better)


def _cell(column: Measured, metric: str) -> Cell:
    reference = None
    if column.paper_column is not None:
        reference = PAPER_TABLE_2[column.paper_column].get(metric)
    estimates = [e.metrics[metric] for e in column.evaluations if metric in e.metrics]
    if len(estimates) != 1:
        return Cell.from_seeds([one.value for one in estimates] or [math.nan], reference)
    low, high = estimates[0].interval(column.evaluations[0].number)
    return Cell(estimates[0].value, (high - low) / 2, reference)


def _is_known(cell: Cell) -> bool:
    return isinstance(cell.value, str) or not math.isnan(cell.value)


def _note(columns: Sequence[Measured], reference: str | None) -> str:
    number = columns[0].evaluations[0].number
    seeds = max(len(column.evaluations) for column in columns)
    spread = "± is the 95 % interval over molecules of one run"
    if seeds > 1:
        spread = f"± is the 95 % interval over {seeds} seeds"
        if any(len(column.evaluations) == 1 for column in columns):
            spread += ", of the prior over its molecules"
    compared = "" if reference is None else f" Novelty and similarities refer to {reference}."
    return f"{number:,} strings a policy; {spread}.{compared}"
