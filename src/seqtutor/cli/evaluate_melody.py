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
from seqtutor.settings import require, require_seed
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings

if TYPE_CHECKING:
    from seqtutor.runs.policies import NamedPolicy
    from seqtutor.tasks.melody.evaluation import MelodyEvaluation


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
    from seqtutor.cli.output import finite
    from seqtutor.cli.token_files import read_token_file
    from seqtutor.tasks.melody.metrics import aggregate, count_melodies

    assert options.tokens is not None
    metrics = aggregate(count_melodies(read_token_file(options.tokens), options.rules))
    if options.json:
        print(json.dumps(finite(metrics.values)))
        return
    from seqtutor.cli.output import print_table
    from seqtutor.tasks.melody.table import metrics_table

    print_table(metrics_table(metrics, str(options.tokens)))


def _evaluate_policies(options: Options) -> None:
    from seqtutor.cli.melodies import common_rules, counted_in, find_policy
    from seqtutor.cli.output import print_table
    from seqtutor.runs.policies import with_seeds
    from seqtutor.tasks.melody.table import Measured, melody_table

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
    grouped: dict[str, list[MelodyEvaluation]] = {}
    for policy in policies:
        grouped.setdefault(policy.name, []).append(_evaluate(policy, options))
    columns = [Measured(name, evaluations) for name, evaluations in grouped.items()]
    if options.json:
        print(json.dumps({c.name: [_as_json(e) for e in c.evaluations] for c in columns}))
        return
    print_table(melody_table(columns, counted_in("Melodies", rules)))


def _evaluate(policy: NamedPolicy, options: Options) -> MelodyEvaluation:
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


def _as_json(evaluation: MelodyEvaluation) -> dict[str, float | None]:
    from seqtutor.cli.output import finite

    return finite(
        {
            **evaluation.metrics.values,
            **vars(evaluation.policy),
            "commonest_first_beat": evaluation.commonest_first_beat,
        }
    )
