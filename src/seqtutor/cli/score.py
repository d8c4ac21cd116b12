"""`seqtutor score`: what given sequences earn, by each term of the reward."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.cli.options import extended
from seqtutor.errors import UserError
from seqtutor.preferences.settings import PreferenceTerm

if TYPE_CHECKING:
    from seqtutor.task_spec import TaskSpec

TOTAL, MEAN = "total", "mean a step"
"""A total grows with the length of a sequence; its mean can be compared."""
FEW = 4
"""So many sequences are shown as columns, which a terminal has room for."""
BATCH = 512


@dataclass(frozen=True)
class Options:
    """Score given sequences: what each earns, by each term of the reward, weighted."""

    files: tyro.conf.Positional[
        Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE [FILE ...]")]
    ] = ()
    """Files of sequences."""
    prior: Path | None = None
    """Folder of a prior, for a task whose vocabulary or reward depends on one; the one that comes
    with the package if not given."""
    preference: PreferenceTerm = field(default_factory=PreferenceTerm)
    """A preference model as a term of the reward."""
    json: bool = False
    """Print one JSON object a line, with the terms of every step, instead of a table."""


def defaults(spec: TaskSpec[Any], arguments: list[str]) -> Options:
    """The options of every task, and the task's settings, which make the reward."""
    text = f"Files of {spec.many}: {spec.file_kinds}."
    files = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE [FILE ...]", help=text)]
    kind = make_dataclass(
        "Options",
        [("files", tyro.conf.Positional[files], ())],
        bases=(Options,),
        frozen=True,
        namespace={"__doc__": Options.__doc__},
    )
    return extended(kind, {}, {"settings": spec.preset().settings("psi")})


def run(spec: TaskSpec[Any], options: Any) -> int:
    """Read, score, print; returns the exit code."""
    if not options.files:
        raise UserError(f"name a file of {spec.many}, such as: seqtutor score {spec.name} FILE")
    spec.require_dependencies()
    import numpy as np

    from seqtutor.runs.given_files import read_usable
    from seqtutor.runs.policies import load_prior
    from seqtutor.runs.preferred import opened_task

    prior = load_prior(spec, options.prior) if spec.priors or options.prior else None
    settings = options.settings if prior is None else spec.complete(options.settings, prior)[0]
    with opened_task(spec, settings, prior, None, options.preference) as task:
        found, code = read_usable(
            options.files,
            lambda path: spec.read_sequences(path, task.vocabulary, task.max_length, prior),
        )
        for path, (names, sequences) in found:
            parts = [
                task.reward(sequences.tokens[i : i + BATCH], sequences.mask[i : i + BATCH])
                for i in range(0, len(sequences), BATCH)
            ]
            earned = [one.terms | {TOTAL: one.total} for one in parts]
            terms = {term: np.concatenate([one[term] for one in earned]) for term in earned[0]}
            if options.json:
                _print_json(names, sequences.mask.sum(1), terms)
            else:
                _print_table(str(path), names, sequences.mask.sum(1), terms)
    return code


def _print_json(names: list[str], lengths: Any, terms: dict[str, Any]) -> None:
    from seqtutor.files import json_number

    for row, (name, steps) in enumerate(zip(names, lengths, strict=True)):
        found = {term: list(map(json_number, own[row, :steps])) for term, own in terms.items()}
        del found[TOTAL]
        total = float(terms[TOTAL][row].sum())
        line = {
            "sequence": name,
            "steps": int(steps),
            "total": json_number(total),
            "mean_a_step": json_number(total / max(1, steps)),
            "terms": found,
        }
        print(json.dumps(line, allow_nan=False))


def _print_table(title: str, names: list[str], lengths: Any, terms: dict[str, Any]) -> None:
    """A row for each sequence; of a few sequences a row for each term that is not zero for all."""
    from seqtutor.report.tables import Cell, Column, Row, Table
    from seqtutor.runs.terminal import print_table

    sums = {term: own.sum(1).tolist() for term, own in terms.items()}
    sums[MEAN] = (terms[TOTAL].sum(1) / lengths.clip(1)).tolist()
    columns, table = names, [one for one in sums.items() if any(one[1]) or one[0] in (TOTAL, MEAN)]
    if len(names) > FEW:
        columns, table = list(sums), list(zip(names, zip(*sums.values(), strict=True), strict=True))
    rows = tuple(Row(label, tuple(map(Cell, numbers))) for label, numbers in table)
    print_table(Table(title, tuple(map(Column, columns)), rows))
