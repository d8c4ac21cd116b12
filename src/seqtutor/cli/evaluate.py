"""`seqtutor evaluate`: runs, models or given sequences, measured beside published figures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.cli.options import extended
from seqtutor.cli.sample import require_sampling
from seqtutor.errors import UserError
from seqtutor.settings import require, require_workers

if TYPE_CHECKING:
    from seqtutor.task_spec import TaskSpec


@dataclass(frozen=True)
class Options:
    """Measure policies on sequences that they generate, with 95 % intervals.

    Runs that differ in their seed alone are the seeds of one column. With --tokens, given sequences
    are measured instead.
    """

    models: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="[MODEL ...]")]
    ] = ()
    """Folders of runs or models, or "prior" for the one that comes with the package, which is also
    meant if none is named."""
    tokens: Path | None = None
    """A file of sequences to measure instead, one {"tokens": [...]} a line."""
    json: bool = False
    """Print one JSON object instead of a table."""
    number: int = 20_000
    """Sequences to generate from each policy."""
    temperature: float = 1.0
    """Temperature of the sampling; everything is measured of the distribution that is sampled."""
    seed: int = 0
    """Seed of the sampling; the seed of a run is added, so that runs of several seeds differ in
    that, too."""
    rewards: bool = True
    """Measure the reward of the runs, if they share one; a reward function of your own must be
    where it was during the run."""
    c: float | None = None
    """Weight of the prior at which a model that is no run is measured by the optimum that tuning it
    aims at: log Z, the distance from it, its entropy. A run has its own."""
    workers: int | None = None
    """Worker processes of a reward or measures that use them; by default one for each core, 0 for
    none."""


def defaults(spec: TaskSpec[Any], arguments: list[str]) -> Options:
    """The options of every task and the task's own."""
    return extended(Options, {"number": spec.numbers.evaluate}, {"own": spec.evaluate_type()})


def run(spec: TaskSpec[Any], options: Any) -> None:
    """Print the measurements."""
    spec.require_dependencies()
    if options.tokens is not None:
        require(not options.models, "give either --tokens or the folders of runs, not both")
        _evaluate_tokens(spec, options)
        return
    require(options.number >= 2, f"--number must be at least 2, not {options.number}")
    require_workers(options.workers)
    require_sampling(options.temperature, options.seed)
    _evaluate_policies(spec, options)


def _evaluate_tokens(spec: TaskSpec[Any], options: Any) -> None:
    from seqtutor.measure import Estimate, rows_of
    from seqtutor.report.evaluation_table import (
        PolicyColumn,
        estimates_json,
        evaluation_table,
        interval_note,
    )
    from seqtutor.runs.evaluating import given_sequences
    from seqtutor.runs.terminal import print_table
    from seqtutor.text_sequences import read_token_file

    vocabulary = spec.usual_task().vocabulary
    given = read_token_file(options.tokens, vocabulary.size)
    settings = spec.settings_type()
    with spec.measures(settings, options.own, [], len(given), options.workers) as measures:
        column = given_sequences(spec, measures, given)
        rows = rows_of(measures)
    if options.json:
        print(json.dumps(estimates_json(column.seeds[0])))
        return
    published = {} if spec.published is None else spec.published.columns
    columns = [column] + [
        PolicyColumn(f"published {title}", [{name: Estimate(v) for name, v in figures.items()}])
        for title, figures in published.items()
    ]
    note = interval_note([column], len(given), spec.many)
    print_table(evaluation_table(columns, rows, title=str(options.tokens), note=note))


def _evaluate_policies(spec: TaskSpec[Any], options: Any) -> None:
    from seqtutor.report.evaluation_table import evaluation_json
    from seqtutor.runs.evaluating import columns_of, open_evaluator, table_of
    from seqtutor.runs.policies import PRIOR, find_policy, with_seeds
    from seqtutor.runs.progress import console
    from seqtutor.runs.terminal import print_table

    names = with_seeds(options.models or ((PRIOR,) if spec.priors else ()))
    if not names:
        raise UserError(
            "name the folder of a run or a model, such as: seqtutor evaluate "
            f"{spec.reference or spec.name} FOLDER"
        )
    policies = [find_policy(spec, name) for name in names]
    with open_evaluator(
        spec,
        policies,
        number=options.number,
        temperature=options.temperature,
        options=options.own,
        has_rewards=options.rewards,
        reward_workers=options.workers,
        c=options.c,
    ) as evaluator:
        columns, rows = columns_of(evaluator, policies, options.seed)
        if options.json:
            of_columns = (remark for column in columns for remark in column.remarks)
            for remark in dict.fromkeys((*evaluator.remarks, *of_columns)):
                console.print(remark, style="yellow")
            print(json.dumps(evaluation_json(columns)))
        else:
            print_table(table_of(evaluator, columns, rows))
