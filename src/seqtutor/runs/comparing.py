"""Methods compared at equal distance from the prior: a grid of runs, measured beside controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from seqtutor.errors import UserError
from seqtutor.measure import Estimate
from seqtutor.measures.controls import RescaledModel
from seqtutor.measures.intervals import CONFIDENCE
from seqtutor.measures.log_partition import PREFIX, LogPartition, joined
from seqtutor.measures.policy import has_collapsed
from seqtutor.methods.registry import method_named
from seqtutor.models.base import SequenceModel
from seqtutor.models.files import SavedModel
from seqtutor.report.comparison import Comparison, write_comparison
from seqtutor.report.frontier import MeasuredPolicy, is_of_particles, rescaled_name
from seqtutor.report.plots import History
from seqtutor.runs.cached_evaluation import CachedEvaluator, with_calls
from seqtutor.runs.comparison_plan import ComparisonPlan
from seqtutor.runs.folder_lock import made_and_locked
from seqtutor.runs.interruption import telling_how_to_go_on
from seqtutor.runs.jobs import Job, run_jobs, unfinished, worker_count
from seqtutor.runs.made_of import TASK_FILE_SHA256, made_of
from seqtutor.runs.measure_cache import digest
from seqtutor.runs.page import write_run_page
from seqtutor.runs.policies import load_prior
from seqtutor.runs.preferred import opened_task, votes_of
from seqtutor.runs.progress import console, progress_bar
from seqtutor.runs.provenance import made_by_in_words
from seqtutor.runs.run_folder import CONFIG, RunFolder, plain
from seqtutor.runs.terminal import counted
from seqtutor.runs.tuning import has_diverged, tune_in_folder
from seqtutor.task import Task
from seqtutor.training.plan import UNREMARKED_SHARE
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor

JOINED = 50
"""The bounds on log Z from each run have so high a confidence that those of so many runs of one c
can be joined; a larger comparison measures all its runs anew, with a higher one."""


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
        if (remark := remark_on_steps(jobs, plan.steps)) is not None:
            console.print(remark)
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
        # What the runs found out by a scorer of the user's is not asked for again.
        task.reward.use_records([plan.output, *(job.run.path for job in grid.tuned)])
        policies = _measure(grid, plan, task)
    console.rule("3  Tables and figures")
    left_out = _left_out(grid, plan.output)
    return _write(grid, policies, left_out, plan), left_out


def remark_on_steps(jobs: Sequence[Job], asked: int) -> str | None:
    """That runs have many more steps than were asked for, if they have."""
    most = max(job.config.tutor.steps for job in jobs)
    if most <= (1 + UNREMARKED_SHARE) * asked:
        return None
    return (
        f"up to {most:,} steps a run are made where {asked:,} were asked for: whole collections, "
        "in records of one length"
    )


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
    runs = plan.seeds * len(plan.methods) + len(plan.smc)
    evaluator = CachedEvaluator(
        task,
        load_prior(spec, plan.prior).model,
        plan.number,
        key,
        confidence=1 - (1 - CONFIDENCE) / max(JOINED, runs),
    )
    rescaled = len(_rescalable(grid, plan)) * (len(plan.c) - 1)
    count = len(grid.tuned) + 1 + len(plan.temperatures) + len(plan.best_of)
    count += len(plan.smc) * len(plan.c) + rescaled
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
        step(len(plan.best_of), "particles")
        for size in plan.smc:
            for c in plan.c:
                measured.append(evaluator.evaluate_particles(controls, size, c))
                step(1, "particles")
        for job in sorted(grid.tuned, key=lambda job: plan.methods.index(job.config.tutor.method)):
            measured.append(_measure_run(evaluator, job, prior))
            step(1, job.name)
        for job in _rescalable(grid, plan):
            for c in plan.c:
                if c != job.config.tutor.c:
                    measured.append(_measure_rescaled(evaluator, job, c))
                    step(1, job.name)
    return measured


def _rescalable(grid: _Grid, plan: ComparisonPlan) -> list[Job]:
    """The runs that are also measured at the other values of c, each at the middle value.

    Those of methods whose policy has the prior as a factor.
    """
    middle = plan.c[len(plan.c) // 2]
    return [
        job
        for job in grid.tuned
        if job.config.tutor.c == middle
        and method_named(job.config.tutor.method).logits_start == "zero"
    ]


def _measure_run(evaluator: CachedEvaluator, job: Job, prior: MeasuredPolicy) -> MeasuredPolicy:
    """A tuned policy; its measures are kept in the run's folder."""
    tutor = job.config.tutor
    estimates = evaluator.evaluate(
        job.folder / "measures.json",
        {"policy": digest(job.run.model)},
        lambda: _policy_of(job),
        seed=tutor.seed,
        c=tutor.c,
    )
    measured = {**estimates, "seconds": Estimate(_training_seconds(job)[-1])}
    return MeasuredPolicy(
        tutor.method,
        tutor.seed,
        with_calls(measured, _models_a_token(job)),
        c=tutor.c,
        discount=tutor.discount,
        is_collapsed=has_collapsed(estimates, prior.estimates, tutor),
    )


def _measure_rescaled(evaluator: CachedEvaluator, job: Job, c: float) -> MeasuredPolicy:
    """The policy of a run with π ∝ p·exp(G·c₀/c), at another c than it was tuned at."""
    tutor = job.config.tutor
    estimates = evaluator.evaluate(
        job.folder / f"measures-rescaled-c={c}.json",
        {"policy": digest(job.run.model), "tuned_at": tutor.c},
        lambda: RescaledModel(evaluator.prior, _policy_of(job), tutor.c / c),
        seed=tutor.seed,
        c=c,
    )
    name = rescaled_name(tutor.symbol, tutor.c)
    estimates = with_calls(estimates, _models_a_token(job))
    return MeasuredPolicy(name, tutor.seed, estimates, c=c, discount=tutor.discount)


def _policy_of(job: Job) -> SequenceModel:
    return load_prior(job.spec, job.run.model).model


def _models_a_token(job: Job) -> int:
    """Two where the policy has the prior as a factor."""
    tutor = job.config.tutor
    has_factor = method_named(tutor.method).logits_start == "zero" or tutor.network == "task"
    return 2 if has_factor else 1


def _log_partitions(policies: Sequence[MeasuredPolicy]) -> dict[float, LogPartition]:
    """By c, the bounds from the samples of all its runs and from particles."""
    bounds: dict[float, list[LogPartition]] = {}
    lower: dict[float, list[float]] = {}
    for policy in policies:
        if policy.c is not None and is_of_particles(policy.name):
            lower.setdefault(policy.c, []).append(policy.estimates[f"{PREFIX}lower"].value)
        elif policy.c is not None:
            bounds.setdefault(policy.c, []).append(LogPartition.of_estimates(policy.estimates))
    return {c: joined(found, lower.get(c, ())) for c, found in bounds.items()}


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
