"""`seqtutor study results`: what the votes of a study say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.study.commands.shared import StudyOptions

if TYPE_CHECKING:
    from seqtutor.study.analysis import Analysis

TASK = None
"""The study says what it is about."""


@dataclass(frozen=True)
class Options(StudyOptions):
    """Wins, tests and log-odds of a study, with intervals over listeners.

    Listeners who failed catch trials, were too fast or always on one side are left out, as the plan
    says. Simulated votes count only as long as there are no others.
    """

    json: bool = False
    """Print the figures as JSON."""
    figure: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also draw wins and log-odds into this file (SVG, PNG or PDF)."""
    seed: int = 0
    """Of the permutations of tests."""


def run(spec: Any, options: Options) -> None:
    """Read the votes, analyse, print."""
    from seqtutor.study.analysis import analyse
    from seqtutor.study.presentation import wins_figure

    found = analyse(options.study, options.database, options.seed)
    if options.figure is not None:
        wins_figure(found.results.wins, options.figure, found.results.strengths)
    if options.json:
        more = {"simulated": found.is_simulated, "warnings": list(found.warnings)}
        more["planned"] = found.progress.to_json()
        print(json.dumps(found.results.to_json() | more, indent=2))
    else:
        _print(found)


def _print(found: Analysis) -> None:
    from seqtutor.runs.terminal import print_table
    from seqtutor.study.analysis import SIMULATED
    from seqtutor.study.presentation import tables

    if found.is_simulated:
        print(SIMULATED)
    print("\n".join(found.lines))
    for warning in found.warnings:
        print(f"Warning: {warning}")
    for table in tables(found.results):
        print_table(table)
