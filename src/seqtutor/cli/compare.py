"""`seqtutor compare`: every method beside the others, at equal distance from the prior."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import tyro

from seqtutor.errors import UserError
from seqtutor.methods.registry import method_names, symbol_of
from seqtutor.settings import require
from seqtutor.tasks.melody.presets import preset_named, preset_tuning
from seqtutor.training.settings import TutorSettings

if TYPE_CHECKING:
    from seqtutor.report.frontier import MeasuredPolicy
    from seqtutor.report.plots import History
    from seqtutor.runs.evaluation import Laboratory
    from seqtutor.runs.jobs import Job
    from seqtutor.tasks.melody.settings import MelodyTuning

RECORDS = 25
"""Records of a run, the points of its learning curve."""

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Options:
    """Compare methods: reward against KL divergence from the prior, with controls.

    Tunes the prior by every method at every c with every seed, measures each policy and what the
    prior gives without training (other temperatures, the best of n samples), and writes tables,
    figures and a report. Interrupted, it goes on where it stopped when it is called again; called
    with more methods, values of c or seeds, it runs what is new.
    """

    task: tyro.conf.Positional[Literal["melody"]] = "melody"
    """What is generated."""
    methods: tuple[str, ...] = method_names()
    """Methods to compare (see `seqtutor tune`)."""
    c: tuple[float, ...] = (2.5, 5.0, 10.0, 20.0)
    """Weights of the prior, each a point on every method's frontier."""
    seeds: int = 5
    """Runs of each method at each c, with the seeds 0, 1, 2 …"""
    steps: int = 500_000
    """Environment steps a run, rounded up to whole records."""
    preset: str = "papers-rules"
    """Whose rules and weights (see `seqtutor tune`); other settings are the methods' defaults."""
    discount: float = 1.0
    """γ of all methods; 1 is what E[reward]/c − KL, by which they are judged, is made of."""
    number: int = 10_000
    """Melodies to measure each policy on."""
    temperatures: tuple[float, ...] = (0.25, 0.5, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
    """Temperatures at which the prior is measured as a control; 1 is always."""
    best_of: tuple[int, ...] = (4, 8, 16, 32, 64)
    """Each n whose best of n samples from the prior is measured as a control."""
    at_kl: tuple[float, ...] = ()
    """KL divergences, in nats a melody, at which to compare; by default four where most methods
    are."""
    prior: Path | None = None
    """Folder of the prior; the one that comes with the package if not given."""
    output: Path | None = None
    """Folder for everything; by default runs/compare-melody."""
    workers: int | None = None
    """Runs at the same time; by default one for each core. Wall times are comparable only if all
    runs had the same number beside them."""


@dataclass(frozen=True)
class _Grid:
    """The runs by c, method and seed, and those of them that came to a policy."""

    jobs: tuple[Job, ...]
    diverged: tuple[Job, ...] = ()

    @property
    def tuned(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if job not in self.diverged)


def run(options: Options) -> None:
    """Tune, measure, write."""
    from seqtutor.files import make_folder
    from seqtutor.runs.interruption import telling_how_to_go_on
    from seqtutor.runs.jobs import worker_count
    from seqtutor.runs.progress import console
    from seqtutor.tasks.melody.task import load_melody_model

    options = _checked(options)
    output = options.output or Path("runs") / "compare-melody"
    jobs, workers = _jobs(options, output), worker_count(options.workers)
    load_melody_model(options.prior)  # refused now, not by the first run
    make_folder(output)
    console.rule("1  Tuning")
    grid = _tune(jobs, workers, output)
    console.rule("2  Measuring")
    with telling_how_to_go_on(output):
        policies = _measure(grid, options, output)
    console.rule("3  Tables and figures")
    left_out = _left_out(grid, output)
    report = _write(grid, policies, left_out, options, output)
    for remark in left_out:
        print(remark)
    print(f"Everything is in {output}; begin with {report}")


def _checked(options: Options) -> Options:
    """The options with each list sorted out, or a refusal before anything is made."""
    preset_named(options.preset)
    for method in options.methods:
        preset_tuning(options.preset, method)
    for name, least in (("seeds", 1), ("steps", 1), ("number", 2)):
        value = getattr(options, name)
        require(value >= least, f"--{name} must be at least {least}, not {value}")
    for name, least_n in (("methods", 1), ("c", 1)):
        require(len(getattr(options, name)) >= least_n, f"--{name} needs at least one value")
    for name in ("c", "temperatures", "at_kl"):
        for value in getattr(options, name):
            option = f"--{name.replace('_', '-')}"
            require(0 < value < math.inf, f"{option} must be above 0, not {value}")
    for n in options.best_of:
        require(n >= 2, f"--best-of must be at least 2, not {n}")
    return replace(
        options,
        methods=_once(options.methods),
        c=_once(sorted(options.c)),
        temperatures=_once(sorted(set(options.temperatures) - {1.0})),
        best_of=_once(sorted(options.best_of)),
        at_kl=_once(sorted(options.at_kl)),
    )


def _once(values: Iterable[_Value]) -> tuple[_Value, ...]:
    return tuple(dict.fromkeys(values))


def _jobs(options: Options, output: Path) -> tuple[Job, ...]:
    """Every run of the grid, seed after seed, so that a whole comparison is there early."""
    from seqtutor.runs.jobs import Job

    jobs = []
    for seed in range(options.seeds):
        for c in options.c:
            for method in options.methods:
                tuning = _tuning(options, method, c, seed)
                folder = output / "runs" / method / f"c={c}" / f"seed{seed}"
                jobs.append(Job(f"{method} c={c:g} seed {seed}", folder, tuning, samples=0))
    return tuple(jobs)


def _tuning(options: Options, method: str, c: float, seed: int) -> MelodyTuning:
    tuning = preset_tuning(options.preset, method)
    # Not the preset's settings, which are each method's own way to that preset's aim.
    tutor = TutorSettings.of(method, c=c, discount=options.discount, seed=seed)
    collection = tutor.environments * tuning.length
    record = collection * max(1, round(options.steps / collection / RECORDS))
    # Whole records: each is a mean over as many collections.
    steps = record * math.ceil(options.steps / record)
    tutor = replace(tutor, steps=steps, log_every=record)
    return replace(tuning, tutor=tutor, prior=options.prior)


def _tune(jobs: tuple[Job, ...], workers: int, output: Path) -> _Grid:
    """Run all; one that diverges is left out and told, instead of ending the comparison."""
    from seqtutor.runs.jobs import run_jobs

    while True:
        diverged = tuple(job for job in jobs if _has_diverged(job))
        grid = _Grid(jobs, diverged)
        try:
            run_jobs(grid.tuned, workers, output)
            return grid
        except UserError:
            if not any(_has_diverged(job) for job in grid.tuned):
                raise


def _has_diverged(job: Job) -> bool:
    """Whether this very run ended at a loss or reward that was not finite."""
    from seqtutor.runs.run_folder import CONFIG

    has_ended = (job.folder / "last-good").is_dir() and (job.folder / CONFIG).is_file()
    return has_ended and job.has_same_tuning


def _measure(grid: _Grid, options: Options, output: Path) -> list[MeasuredPolicy]:
    """Every tuned policy and the controls, from the files of an earlier call where they hold."""
    from seqtutor.runs.progress import progress_bar

    laboratory, controls = _laboratory(options, grid.jobs[0].tuning), output / "controls"
    count = len(grid.tuned) + 1 + len(options.temperatures) + len(options.best_of)
    with progress_bar() as progress:
        bar = progress.add_task("Measuring", total=count * options.number, unit="melodies", note="")

        def step(policies: int, note: str) -> None:
            progress.update(bar, advance=policies * options.number, note=note)

        prior = laboratory.control_of_prior(controls)
        measured = [prior]
        step(1, "temperatures")
        for temperature in options.temperatures:
            measured.append(laboratory.control_of_temperature(controls, temperature))
            step(1, "temperatures")
        progress.update(bar, note="best of n")
        measured += laboratory.controls_of_best_of_n(controls, options.best_of)
        step(len(options.best_of), "")
        for job in sorted(grid.tuned, key=lambda job: options.methods.index(_method(job))):
            measured.append(_measure_run(laboratory, job, prior))
            step(1, job.name)
    return measured


def _method(job: Job) -> str:
    return job.tuning.tutor.method


def _laboratory(options: Options, tuning: MelodyTuning) -> Laboratory:
    from seqtutor.runs.evaluation import Laboratory
    from seqtutor.runs.measure_cache import digest
    from seqtutor.runs.run_folder import plain
    from seqtutor.tasks.melody.task import SHIPPED_PRIOR, load_melody_model, melody_task

    return Laboratory(
        melody_task(tuning.length, tuning.rules, tuning.weights),
        load_melody_model(options.prior).model,
        options.number,
        {
            "prior": digest(options.prior or SHIPPED_PRIOR),
            "rules": plain(tuning.rules),
            "weights": plain(tuning.weights),
            "length": tuning.length,
        },
    )


def _measure_run(laboratory: Laboratory, job: Job, prior: MeasuredPolicy) -> MeasuredPolicy:
    """A tuned policy; its measures stay in the run's folder."""
    from seqtutor.measures.sampling import has_collapsed
    from seqtutor.report.frontier import MeasuredPolicy
    from seqtutor.runs.measure_cache import digest
    from seqtutor.tasks.melody.task import load_melody_model

    tutor = job.tuning.tutor
    measures = laboratory.policy(
        job.folder / "measures.json",
        {"policy": digest(job.run.model)},
        lambda: load_melody_model(job.run.model).model,
        seed=tutor.seed,
        c=tutor.c,
    )
    return MeasuredPolicy(
        tutor.method,
        tutor.seed,
        {**measures.values, "seconds": _training_seconds(job)[-1]},
        measures.standard_errors,
        c=tutor.c,
        discount=tutor.discount,
        is_collapsed=has_collapsed(measures.values, prior.values, tutor),
    )


def _training_seconds(job: Job) -> list[float]:
    """When each record was made, as if the first had taken as long as the others.

    It takes longer where the program is compiled, which only the first of several seeds does.
    """
    seconds = [record["seconds"] for record in job.run.records()]
    if len(seconds) == 1:
        return seconds
    one = (seconds[-1] - seconds[0]) / (len(seconds) - 1)
    return [one + passed - seconds[0] for passed in seconds]


def _write(
    grid: _Grid,
    policies: Sequence[MeasuredPolicy],
    left_out: Sequence[str],
    options: Options,
    output: Path,
) -> Path:
    from seqtutor.report.comparison import Comparison, write_comparison
    from seqtutor.runs.provenance import made_by_in_words

    comparison = Comparison(
        title=f"Comparison on melodies: {preset_named(options.preset).title.lower()}",
        remarks=[_made_of(grid, options), *left_out, made_by_in_words()],
        policies=policies,
        histories=_histories(grid),
        number=options.number,
        kls=options.at_kl,
        sequence="melody",
        sequences="melodies",
    )
    return write_comparison(comparison, output)


def _made_of(grid: _Grid, options: Options) -> str:
    from seqtutor.cli.output import counted

    def numbers(values: Sequence[float]) -> str:
        return ", ".join(f"{value:g}" for value in values)

    return (
        f"Methods: {', '.join(symbol_of(method) for method in options.methods)}. c = "
        f"{numbers(options.c)}; γ = {options.discount:g} for all; "
        f"{counted(options.seeds, 'seed', 'seeds')} each; "
        f"{grid.jobs[0].tuning.tutor.steps:,} environment steps a run; {len(grid.tuned)} runs in "
        f"all. Other settings are the methods' defaults, rules and weights those of the preset "
        f"{options.preset}. Wall times are of this machine, without compilation; runs may have "
        "shared its cores."
    )


def _left_out(grid: _Grid, output: Path) -> list[str]:
    """What the folder holds and the report does not."""
    from seqtutor.cli.output import counted
    from seqtutor.runs.run_folder import CONFIG

    remarks = []
    if grid.diverged:
        names = ", ".join(job.name for job in grid.diverged)
        remarks.append(f"Diverged, and left out: {names}.")
    there = {config.parent for config in output.glob(f"runs/*/*/*/{CONFIG}")}
    others = len(there - {job.folder for job in grid.jobs})
    if others:
        runs = counted(others, "run", "runs")
        remarks.append(f"Of other grids, kept and left out of this report: {runs} in {output}.")
    return remarks


def _histories(grid: _Grid) -> dict[float, dict[str, list[History]]]:
    histories: dict[float, dict[str, list[History]]] = {}
    for job in grid.tuned:
        records = job.run.records()
        columns: History = {
            "step": [record["step"] for record in records],
            "seconds": _training_seconds(job),
            "reward": [record["reward"] for record in records],
        }
        of_c = histories.setdefault(job.tuning.tutor.c, {})
        of_c.setdefault(_method(job), []).append(columns)
    return histories
