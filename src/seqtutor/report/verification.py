"""What `verify` found, as a table, as a page and as numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from seqtutor.files import atomic_write, json_number
from seqtutor.proof.verify import (
    LARGEST_DIVERGENCE,
    LARGEST_SHORTFALL,
    SMALLEST_COSINE,
    Case,
    Outcome,
)
from seqtutor.report.tables import UNDEFINED, Cell, Column, Row, Table, render_markdown

NOTE = """\
The distance is KL(policy ‖ target) or, where the target is the greatest reward, the share of it \
that is missing. E[r]/c − KL is what the policy reaches, log Z the most that any policy can. The \
gap is KL(policy ‖ π*): as theory expects it → as measured. The gradient is the cosine to the \
enumerated one.
pass: the target is the best of what the method maximises, and is reached; a method that maximises \
another objective than E[r]/c − KL has a gap. expected gap: the target is not the best of it, as \
theory says of this method or γ, and is reached. FAIL: it is not. \
Reached means a distance below {divergence:g} nats or {shortfall:.0%} of the reward, and a \
gradient above {cosine:g}."""


def label_of(case: Case) -> str:
    """The problem, the method and, where it is not 1, γ."""
    discount = "" if case.discount == 1.0 else f", γ = {case.discount:g}"
    return f"{case.problem.name}, {case.title}{discount}"


def conclusion(outcomes: Sequence[Outcome]) -> str:
    """How many cases are right."""
    right = sum(outcome.verdict != "FAIL" for outcome in outcomes)
    return f"{right} of {len(outcomes)} cases are as theory says"


def verification_table(outcomes: Sequence[Outcome]) -> Table:
    """One row a case."""
    titles = ("target", "distance", "E[r]/c − KL", "log Z", "gap to π*", "gradient", "verdict")
    return Table(
        "Every method against the exact solution (nats a sequence)",
        tuple(map(Column, titles)),
        tuple(map(_row, outcomes)),
        NOTE.format(
            divergence=LARGEST_DIVERGENCE, shortfall=LARGEST_SHORTFALL, cosine=SMALLEST_COSINE
        ),
        "problem, method",
    )


def _row(outcome: Outcome) -> Row:
    if outcome.case.is_of_reward_alone:
        distance = f"{100 * outcome.distance:.2f} %"
    else:
        distance = f"{outcome.distance:.4f}"
    gap = f"{outcome.expected_gap:.3f} → {outcome.measured_gap:.3f}"
    cells = (
        outcome.target,
        distance,
        f"{outcome.objective:.3f}",
        f"{outcome.greatest_objective:.3f}",
        UNDEFINED if outcome.target == "π*" else gap,
        UNDEFINED if outcome.cosine is None else f"{outcome.cosine:.4f}",
        outcome.verdict,
    )
    return Row(label_of(outcome.case), tuple(map(Cell, cells)))


def write_verification(outcomes: Sequence[Outcome], made_by: str, folder: Path) -> None:
    """Write verify.json, with every number, and verify.md, with the table.

    Args:
        outcomes: of all cases.
        made_by: a sentence on how they were made.
        folder: of the files.

    Raises:
        UserError: if a file cannot be written.
    """
    results = [
        {
            **{
                name: json_number(value) if isinstance(value, float) else value
                for name, value in asdict(outcome).items()
            },
            "verdict": outcome.verdict,
            "faults": outcome.faults,
        }
        for outcome in outcomes
    ]
    atomic_write(folder / "verify.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    page = [f"{conclusion(outcomes)}.", made_by, render_markdown(verification_table(outcomes))]
    atomic_write(folder / "verify.md", "\n\n".join(page))
