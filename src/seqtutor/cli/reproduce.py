"""`seqtutor reproduce`: a whole experiment, from real data to tables, figures and samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from seqtutor.cli.options import extended
from seqtutor.errors import UserError

if TYPE_CHECKING:
    from seqtutor.task_records import Profile
    from seqtutor.task_spec import TaskSpec


@dataclass(frozen=True)
class Options:
    """Run a whole experiment: real data, a prior, tuned policies, tables, figures and samples.

    Interrupted, it continues when it is called again: finished runs are kept.
    """

    profile: str = "default"
    """How much of it; the profiles are listed below."""
    output: Path | None = None
    """Folder for everything; by default runs/reproduce-TASK-PROFILE."""
    presets: tuple[str, ...] | None = None
    """Presets to tune with (see seqtutor tune --help), instead of the profile's."""
    methods: tuple[str, ...] | None = None
    """Methods to tune by, instead of the profile's."""
    seeds: int | None = None
    """Seeds of each method, instead of the profile's."""
    steps: int | None = None
    """Environment steps (tokens generated) of a run, instead of the profile's."""
    number: int | None = None
    """Sequences that each policy is measured on, instead of the profile's."""
    c: Annotated[tuple[float, ...] | None, tyro.conf.arg(metavar="[FLOAT ...]")] = None
    """Further weights of the prior, of the first preset and method, for a table of reward against
    divergence, instead of the profile's."""
    prior: Path | None = None
    """Folder of the prior; the one that comes with the package if not given, or one that is trained
    on the data."""
    workers: int | None = None
    """Runs at the same time; by default one for each core."""


def defaults(spec: TaskSpec[Any], arguments: list[str]) -> Options:
    """The options of every task, the task's data and its measures."""
    groups = {"data_options": spec.data_type(), "measuring": spec.evaluate_type()}
    return extended(Options, {}, groups)


def run(spec: TaskSpec[Any], options: Any) -> None:
    """Run it step by step, and print the tables."""
    from seqtutor.runs.experiment import ExperimentPlan, run_experiment
    from seqtutor.runs.terminal import print_table

    spec.require_dependencies()
    output = options.output or Path("runs") / f"reproduce-{spec.name}-{options.profile}"
    plan = ExperimentPlan(
        spec,
        _profile(spec, options),
        output,
        options.data_options,
        options.measuring,
        prior=options.prior,
        workers=options.workers,
    )
    written = run_experiment(plan)
    for table in written.tables:
        print_table(table)
    pages = " and ".join(map(str, written.pages))
    print(f"Everything is in {output}; begin with {pages}, or read {written.report}")


def _profile(spec: TaskSpec[Any], options: Options) -> Profile:
    if options.profile not in spec.profiles:
        raise UserError(
            f"there is no profile {options.profile!r}; choose one of {', '.join(spec.profiles)}"
        )
    names = ("presets", "methods", "seeds", "steps", "number", "c")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    for name in ("presets", "methods"):
        if given.get(name) == ():
            raise UserError(f"--{name} needs at least one name")
    return spec.profiles[options.profile].changed(**given)
