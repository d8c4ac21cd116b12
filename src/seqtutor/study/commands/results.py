"""`seqtutor study results`: what the votes of a study say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

TASK = None
"""The study says what it is about."""


@dataclass(frozen=True)
class Options:
    """Wins, tests and log-odds of a study, with intervals over listeners.

    Listeners who failed catch trials, were too fast or always on one side are left out, as the plan
    says. Simulated votes count only as long as there are no others.
    """

    study: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="STUDY")]]
    """The folder of the study."""
    json: bool = False
    """Print the figures as JSON."""
    figure: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also draw wins and log-odds into this file (SVG, PNG or PDF)."""
    seed: int = 0
    """Of the permutations of tests."""
    database: str | None = None
    """As for `study serve`."""


def defaults(spec: Any, arguments: list[str]) -> Options:
    """The study has to be named."""
    return Options(tyro.MISSING)


def run(spec: Any, options: Options) -> None:
    """Read the votes, analyse, print."""
    from seqtutor.settings import require_seed
    from seqtutor.study.plan import read_study
    from seqtutor.study.presentation import wins_figure
    from seqtutor.study.results import results_of
    from seqtutor.study.stored import collect_votes
    from seqtutor.study.warnings import study_warnings

    require_seed("--seed", options.seed)
    study = read_study(options.study)
    collected = collect_votes(study, options.database)
    collected.require_counted()
    votes = [one.vote for one in collected.votes]
    excluded = {name: "; ".join(reasons) for name, reasons in collected.excluded.items()}
    results = results_of(votes, study.plan.model_names, excluded, options.seed)
    plan = study.plan
    warnings = study_warnings(
        collected.counted, plan.model_names, plan.media, plan.is_adaptive, options.seed
    )
    if options.figure is not None:
        wins_figure(results.wins, options.figure, results.strengths)
    if options.json:
        more = {"simulated": collected.is_simulated, "warnings": [str(one) for one in warnings]}
        print(json.dumps(results.to_json() | more, indent=2))
    else:
        _print(results, warnings, collected.is_simulated)


def _print(results: Any, warnings: Sequence[Any], is_simulated: bool) -> None:
    from seqtutor.runs.terminal import print_table
    from seqtutor.study.presentation import tables, verdict_lines

    if is_simulated:
        print("These are the votes of simulated listeners.")
    print("\n".join(verdict_lines(results)))
    for warning in warnings:
        print(f"Warning: {warning}")
    for table in tables(results):
        print_table(table)
