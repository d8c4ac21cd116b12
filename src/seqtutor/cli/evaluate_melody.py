"""`seqtutor evaluate melody`: Table 1 of runs, models or given melodies."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from seqtutor.cli.arguments import require_once
from seqtutor.errors import UserError
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.training.settings import require, require_seed

if TYPE_CHECKING:
    from seqtutor.measures.policy import Evaluation
    from seqtutor.runs.policies import NamedPolicy


@dataclass(frozen=True)
class Options:
    """Measure melodies: the metrics of the papers' Table 1, with 95 % intervals.

    `seqtutor evaluate RUN…` samples from the policies of runs; runs of one method count as its
    seeds. `seqtutor evaluate melody --tokens FILE` measures given melodies.

    For molecules: seqtutor evaluate molecule --help
    For tunes with chords: seqtutor evaluate folk --help
    """

    what: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="[melody] [MODEL ...]")]
    ] = ("prior",)
    """Folders of runs or models, "prior" for the one that comes with the package, or "melody" with
    --tokens."""
    tokens: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """A file of melodies, one {"tokens": [...]} a line."""
    json: bool = False
    """Print one JSON object instead of a table."""
    number: int = 100_000
    """Melodies to sample from each policy."""
    temperature: float = 1.0
    """Of the sampling."""
    seed: int = 0
    """Of the sampling; the seed of a run is added, so that runs of several seeds differ in that,
    too."""
    rules: Annotated[MelodyRuleSettings, tyro.conf.arg(prefix_name=True)] = field(
        default_factory=MelodyRuleSettings
    )
    """Key and lengths by which the metrics count; if none is given, those that the runs were tuned
    by."""

    @property
    def policies(self) -> tuple[str, ...]:
        """The folders without the task's name, which may stand before them."""
        return self.what[1:] if self.what[:1] == ("melody",) else self.what


def run(options: Options) -> None:
    """Print the measurements."""
    if options.tokens is not None:
        require(
            options.what in (("prior",), ("melody",)),
            "give either --tokens or the folders of runs, not both",
        )
        _evaluate_tokens(options)
    elif options.what == ("melody",):
        raise UserError("say which melodies: give --tokens FILE, or the folders of runs")
    else:
        _evaluate_policies(options)


def _evaluate_tokens(options: Options) -> None:
    from seqtutor.cli.token_files import read_token_file
    from seqtutor.report.evaluation_table import estimates_json
    from seqtutor.tasks.melody.metrics import aggregate, count_melodies

    assert options.tokens is not None
    melodies = read_token_file(options.tokens)
    estimates = aggregate(count_melodies(melodies, options.rules))
    if options.json:
        print(json.dumps(estimates_json(estimates)))
        return
    from seqtutor.cli.output import counted, print_table
    from seqtutor.measure import Estimate
    from seqtutor.report.evaluation_table import PolicyColumn, evaluation_table
    from seqtutor.tasks.melody.table_1 import PUBLISHED, TABLE_1

    columns = [PolicyColumn("measured", [estimates])]
    for name, figures in PUBLISHED.columns.items():
        values = {measure: Estimate(value) for measure, value in figures.items()}
        columns.append(PolicyColumn(f"papers' {name}", [values]))
    note = f"{counted(len(melodies), 'melody', 'melodies')}"
    note += "; ± is the 95 % interval over them." if len(melodies) > 1 else "."
    print_table(evaluation_table(columns, TABLE_1, title=str(options.tokens), note=note))


def _evaluate_policies(options: Options) -> None:
    from seqtutor.cli.melodies import common_rules, counted_in, find_policy
    from seqtutor.cli.output import print_table
    from seqtutor.report.evaluation_table import evaluation_json
    from seqtutor.runs.policies import with_seeds
    from seqtutor.tasks.melody.evaluation import melody_column, melody_table

    require(options.number >= 2, f"--number must be at least 2, not {options.number}")
    require(
        0 < options.temperature < math.inf,
        f"--temperature must be a number above 0, not {options.temperature}",
    )
    require_seed("--seed", options.seed)
    names = with_seeds(options.policies)
    require_once(names)
    policies = [find_policy(name) for name in names]
    rules = common_rules(policies, None if options.rules == MelodyRuleSettings() else options.rules)
    options = replace(options, rules=rules)
    grouped: dict[str, list[Evaluation]] = {}
    for policy in policies:
        grouped.setdefault(policy.name, []).append(_evaluate(policy, options))
    columns = [melody_column(name, evaluations) for name, evaluations in grouped.items()]
    if options.json:
        print(json.dumps(evaluation_json(columns)))
        return
    title = counted_in("Melodies", rules)
    print_table(melody_table(columns, options.number, title, options.temperature))


def _evaluate(policy: NamedPolicy, options: Options) -> Evaluation:
    from seqtutor.runs.progress import progress_bar
    from seqtutor.tasks.melody.evaluation import evaluate_policy

    with progress_bar() as progress:
        bar = progress.add_task(
            f"Sampling {policy.name}", total=options.number, unit="melodies", note=""
        )
        return evaluate_policy(
            policy.model,
            policy.prior(),
            number=options.number,
            length=policy.length,
            seed=options.seed + policy.seed,
            temperature=options.temperature,
            rules=options.rules,
            on_melodies=lambda done: progress.update(bar, completed=done),
        )
