"""Methods compared at equal distance from the prior: a grid of runs, measured beside controls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from seqtutor.errors import UserError
from seqtutor.measure import Estimate
from seqtutor.measures.intervals import CONFIDENCE
from seqtutor.measures.log_partition import LogPartition, joined
from seqtutor.measures.policy import has_collapsed
from seqtutor.methods.registry import method_named
from seqtutor.models.files import SavedModel
from seqtutor.preferences.files import load_weights
from seqtutor.preferences.settings import PreferenceTerm
from seqtutor.report.comparison import Comparison, write_comparison
from seqtutor.report.frontier import MeasuredPolicy
from seqtutor.report.plots import History
from seqtutor.runs.cached_evaluation import CachedEvaluator
from seqtutor.runs.config import RunConfig
from seqtutor.runs.folder_lock import made_and_locked
from seqtutor.runs.interruption import telling_how_to_go_on
from seqtutor.runs.jobs import Job, run_jobs, unfinished, worker_count
from seqtutor.runs.made_of import TASK_FILE_SHA256, made_of, made_of_votes
from seqtutor.runs.measure_cache import digest
from seqtutor.runs.page import write_run_page
from seqtutor.runs.policies import load_prior
from seqtutor.runs.preferred import opened_task, rounded, votes_of
from seqtutor.runs.progress import console, progress_bar
from seqtutor.runs.provenance import made_by_in_words
from seqtutor.runs.run_folder import CONFIG, RunFolder, plain
from seqtutor.runs.seeds import reward_worker_options
from seqtutor.runs.terminal import counted
from seqtutor.runs.tuning import has_diverged, tune_in_folder
from seqtutor.settings import require
from seqtutor.task import Task
from seqtutor.task_spec import TaskSpec
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

JOINED = 50
"""The bounds on log Z from each run have so high a confidence that those of so many runs of one c
can be joined; a larger comparison measures all its runs anew, with a higher one."""
RECORDS = 25
"""Records of a run, the points of its learning curve."""

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared.

    Attributes:
        spec: the task.
        methods: by name.
        output: folder of everything.
        c: weights of the prior, each a point on every method's frontier.
        seeds: runs of each method at each c, with the seeds 0, 1, 2 …
        steps: environment steps of a run, rounded up to whole records.
        preset: whose settings of the task are used; `None` for the first preset. The settings of
            the tutor are the methods' defaults.
        discount: γ of all methods; E[r]/c − KL, by which they are compared, is that of γ = 1.
        number: sequences that each policy is measured on.
        temperatures: at which the prior is measured as a control.
        best_of: each n whose best of n samples from the prior is measured as a control.
        at_kl: KL divergences, in nats a sequence, at which to compare; empty: four where most
            methods are.
        prior: folder of the prior; `None` for the one that comes with the package.
        preference: a preference model as a term of the reward; methods that learn from votes learn
            from those of its folder.
        workers: runs at the same time; `None` for one for each core.

    Raises:
        UserError: if a number is out of its range, or there is no such method or preset.
    """

    spec: TaskSpec[Any]
    methods: tuple[str, ...]
    output: Path
    c: tuple[float, ...] = (2.5, 5.0, 10.0, 20.0)
    seeds: int = 5
    steps: int = 500_000
    preset: str | None = None
    discount: float = 1.0
    number: int = 10_000
    temperatures: tuple[float, ...] = (0.25, 0.5, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
    best_of: tuple[int, ...] = (4, 8, 16, 32, 64)
    at_kl: tuple[float, ...] = ()
    prior: Path | None = None
    workers: int | None = None
    preference: PreferenceTerm = field(default_factory=PreferenceTerm)
    settings: Any = field(default=None, init=False)
    """The task's settings, complete."""

    def __post_init__(self) -> None:
        for name, least in (("seeds", 1), ("steps", 1), ("number", 2)):
            value = getattr(self, name)
            require(value >= least, f"{name} must be at least {least}, not {value}")
        for name in ("methods", "c"):
            require(len(getattr(self, name)) >= 1, f"{name} needs at least one value")
        for name in ("c", "temperatures", "at_kl"):
            for value in getattr(self, name):
                require(0 < value < math.inf, f"{name} must be above 0, not {value}")
        for n in self.best_of:
            require(n >= 2, f"best_of must be at least 2, not {n}")
        worker_count(self.workers)
        for method in self.methods:
            TutorSettings.of(method, discount=self.discount)
            require(
                self.preference.model is not None or not method_named(method).learns_from_votes,
                f"{method} learns from votes: name a preference model, whose votes it then takes, "
                "with --preference.model",
            )
        sets = {
            "methods": self.methods,
            "c": sorted(self.c),
            "temperatures": sorted(set(self.temperatures) - {1.0}),
            "best_of": sorted(self.best_of),
            "at_kl": sorted(self.at_kl),
        }
        for name, values in sets.items():
            object.__setattr__(self, name, _distinct(values))
        settings = self.spec.preset(self.preset).settings(self.methods[0])
        complete, _ = self.spec.complete(settings, load_prior(self.spec, self.prior))
        object.__setattr__(self, "settings", complete)

    def jobs(self, length: int, now: Mapping[str, Any]) -> tuple[Job, ...]:
        """Every run, seed after seed, so that a whole comparison exists early.

        Args:
            length: of the longest sequence.
            now: what runs are made of beside their configuration, as `made_of` gives it.
        """
        options = reward_worker_options(None, worker_count(self.workers))
        grid = product(range(self.seeds), self.c, self.methods)
        configs = [self.config(method, c, seed, length) for seed, c, method in grid]
        return tuple(
            Job(
                f"{one.tutor.method} c={one.tutor.c:g} seed {one.tutor.seed}",
                self.run_folder(one.tutor.method, one.tutor.c, one.tutor.seed),
                self.spec,
                one,
                samples=0,
                options=options,
                made_of={**now, **made_of_votes(one)},
            )
            for one in configs
        )

    def run_folder(self, method: str, c: float, seed: int) -> Path:
        """The folder of one run."""
        return self.output / "runs" / method / f"c={c}" / f"seed{seed}"

    def config(self, method: str, c: float, seed: int, length: int) -> RunConfig[Any]:
        """The configuration of one run, of sequences of at most `length` tokens."""
        # Not the preset's settings of the tutor, which are each method's own way to one aim.
        own: dict[str, Any] = {"c": c, "discount": self.discount, "seed": seed}
        if method_named(method).learns_from_votes:
            own |= self.of_votes
        tutor = TutorSettings.of(method, **{**self.spec.tutor_settings(method), **own})
        collection = tutor.environments * length
        record = collection * max(1, round(self.steps / collection / RECORDS))
        # Whole records: each is a mean over as many collections.
        steps = record * math.ceil(self.steps / record)
        tutor = replace(tutor, steps=steps, log_every=record)
        return RunConfig(self.spec.name, tutor, self.settings, self.prior, self.preference)

    @cached_property
    def of_votes(self) -> dict[str, Any]:
        """Settings of methods that learn from votes: those of the preference model."""
        assert self.preference.model is not None
        weights = load_weights(self.preference.model)[0]
        return {
            "votes": self.preference.model,
            "tie": rounded(weights.tie),
            "side_bias": rounded(weights.bias),
        }


@dataclass(frozen=True)
class _Grid:
    """The runs by c, method and seed; those that diverged have no policy."""

    jobs: tuple[Job, ...]
    diverged: tuple[Job, ...] = ()

    @property
    def tuned(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if job not in self.diverged)


def compare(plan: ComparisonPlan, *, in_this_process: bool = False) -> tuple[Path, list[str]]:
    """Tune, measure and write a comparison; interrupted, it continues when it is called again.

    Args:
        plan: what is compared.
        in_this_process: tune one run after the other here, for a task that no other process can
            find.

    Returns:
        The path of the report, and remarks about what it leaves out.

    Raises:
        UserError: if a run fails for another reason than divergence, or another process compares
            or tunes in the folder.
    """
    with made_and_locked(plan.output):
        return _compare(plan, in_this_process)


def write_comparison_page(plan: ComparisonPlan) -> Path:
    """Write page.html of a finished comparison; gives its path.

    It shows every method at one c, the middle one of the grid, by its first seed.
    """
    c = sorted(plan.c)[len(plan.c) // 2]
    folders = [plan.run_folder(method, c, seed=0) for method in plan.methods]
    runs = [folder for folder in folders if RunFolder(folder).is_complete]
    with telling_how_to_go_on(plan.output):
        return write_run_page(plan.spec, runs, plan.output, most=plan.number)


def _compare(plan: ComparisonPlan, in_this_process: bool) -> tuple[Path, list[str]]:
    spec, prior = plan.spec, load_prior(plan.spec, plan.prior)
    # Runs in other processes have workers of their own.
    workers = None if in_this_process else 0
    with opened_task(spec, plan.settings, prior, workers, plan.preference) as task:
        now = made_of(spec, prior.model, task.max_length)
        jobs = plan.jobs(task.max_length, now)
        console.rule("1  Tuning")
        run = (
            partial(_run_here, task=task, prior=prior)
            if in_this_process
            else partial(run_jobs, workers=worker_count(plan.workers), output=plan.output)
        )
        grid = _tune(jobs, run)
    console.rule("2  Measuring")
    settings = spec.settings_for_evaluation(plan.settings)
    with (
        telling_how_to_go_on(plan.output),
        opened_task(spec, settings, prior, None, plan.preference) as task,
    ):
        policies = _measure(grid, plan, task)
    console.rule("3  Tables and figures")
    left_out = _left_out(grid, plan.output)
    return _write(grid, policies, left_out, plan), left_out


def _distinct(values: Iterable[_Value]) -> tuple[_Value, ...]:
    return tuple(dict.fromkeys(values))


def _run_here(jobs: Sequence[Job], *, task: Task, prior: SavedModel) -> None:
    for job in unfinished(jobs):
        votes = votes_of(job.config.tutor, task)
        tutor = Tutor(task, prior.model, job.config.tutor, votes=votes)
        tune_in_folder(job.spec, job.config, tutor, job.run)


def _tune(jobs: tuple[Job, ...], run: Callable[[Sequence[Job]], None]) -> _Grid:
    """Run all; a run that diverges is left out and reported, instead of ending the comparison."""
    for job in jobs:
        job.require_own_folder()
    while True:
        diverged = tuple(job for job in jobs if _has_diverged(job))
        grid = _Grid(jobs, diverged)
        try:
            run(grid.tuned)
            return grid
        except UserError:
            if not any(_has_diverged(job) for job in grid.tuned):
                raise


def _has_diverged(job: Job) -> bool:
    return has_diverged(job.run) and job.has_same_config


def _measure(grid: _Grid, plan: ComparisonPlan, task: Task) -> list[MeasuredPolicy]:
    """Every tuned policy and the controls, from the files of an earlier call where they hold."""
    spec, controls = plan.spec, plan.output / "controls"
    prior_folder = plan.prior or next(iter(spec.priors.values()))
    key = {"prior": digest(prior_folder), "task": spec.name, "settings": plain(plan.settings)}
    if spec.source_sha256 is not None:
        key[TASK_FILE_SHA256] = spec.source_sha256
    if plan.preference.model is not None:
        own = {"weights": digest(plan.preference.model)}
        key["preference"] = plain(plan.preference) | own
    evaluator = CachedEvaluator(
        task,
        load_prior(spec, plan.prior).model,
        plan.number,
        key,
        confidence=1 - (1 - CONFIDENCE) / max(JOINED, plan.seeds * len(plan.methods)),
    )
    count = len(grid.tuned) + 1 + len(plan.temperatures) + len(plan.best_of)
    with progress_bar() as progress:
        bar = progress.add_task("Measuring", total=count * plan.number, unit=spec.many, note="")

        def step(policies: int, note: str) -> None:
            progress.update(bar, advance=policies * plan.number, note=note)

        prior = evaluator.evaluate_prior(controls)
        measured = [prior]
        step(1, "temperatures")
        for temperature in plan.temperatures:
            measured.append(evaluator.evaluate_temperature(controls, temperature))
            step(1, "temperatures")
        progress.update(bar, note="best of n")
        measured += evaluator.evaluate_best_of_n(controls, plan.best_of)
        step(len(plan.best_of), "")
        for job in sorted(grid.tuned, key=lambda job: plan.methods.index(job.config.tutor.method)):
            measured.append(_measure_run(evaluator, job, prior))
            step(1, job.name)
    return measured


def _measure_run(evaluator: CachedEvaluator, job: Job, prior: MeasuredPolicy) -> MeasuredPolicy:
    """A tuned policy; its measures are kept in the run's folder."""
    tutor = job.config.tutor
    estimates = evaluator.evaluate(
        job.folder / "measures.json",
        {"policy": digest(job.run.model)},
        lambda: load_prior(job.spec, job.run.model).model,
        seed=tutor.seed,
        c=tutor.c,
    )
    return MeasuredPolicy(
        tutor.method,
        tutor.seed,
        {**estimates, "seconds": Estimate(_training_seconds(job)[-1])},
        c=tutor.c,
        discount=tutor.discount,
        is_collapsed=has_collapsed(estimates, prior.estimates, tutor),
    )


def _log_partitions(policies: Sequence[MeasuredPolicy]) -> dict[float, LogPartition]:
    """By c, the bounds from the samples of all its runs."""
    bounds: dict[float, list[LogPartition]] = {}
    for policy in policies:
        if policy.c is not None:
            bounds.setdefault(policy.c, []).append(LogPartition.of_estimates(policy.estimates))
    return {c: joined(found) for c, found in bounds.items()}


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
    plan: ComparisonPlan,
) -> Path:
    title = plan.spec.preset(plan.preset).title
    comparison = Comparison(
        title=f"Comparison on {plan.spec.many}: {title[0].lower()}{title[1:]}",
        remarks=[_made_of(grid, plan), *left_out, made_by_in_words()],
        policies=policies,
        log_partitions=_log_partitions(policies),
        histories=_histories(grid),
        number=plan.number,
        kls=plan.at_kl,
        sequence=plan.spec.one,
        sequences=plan.spec.many,
    )
    return write_comparison(comparison, plan.output)


def _made_of(grid: _Grid, plan: ComparisonPlan) -> str:
    def numbers(values: Sequence[float]) -> str:
        return ", ".join(f"{value:g}" for value in values)

    has_own = any(plan.spec.tutor_settings(method) for method in plan.methods)
    defaults = f"the methods' defaults for {plan.spec.many}" if has_own else "the methods' defaults"
    symbols = ", ".join(TutorSettings.of(method).symbol for method in plan.methods)
    return (
        f"Methods: {symbols}. c = {numbers(plan.c)}; γ = {plan.discount:g} for all; "
        f"{counted(plan.seeds, 'seed', 'seeds')} each; "
        f"{grid.jobs[0].config.tutor.steps:,} environment steps a run; {len(grid.tuned)} runs in "
        f"all. Other settings are {defaults}, those of the task are of the preset "
        f"{plan.preset or next(iter(plan.spec.presets), 'default')}. Wall times are of this "
        "machine, without compilation; runs may have shared its cores."
    )


def _left_out(grid: _Grid, output: Path) -> list[str]:
    """What the folder holds and the report does not."""
    remarks = []
    if grid.diverged:
        names = ", ".join(job.name for job in grid.diverged)
        remarks.append(f"Diverged, and left out: {names}.")
    found = {config.parent for config in output.glob(f"runs/*/*/*/{CONFIG}")}
    others = len(found - {job.folder for job in grid.jobs})
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
        tutor = job.config.tutor
        histories.setdefault(tutor.c, {}).setdefault(tutor.method, []).append(columns)
    return histories
