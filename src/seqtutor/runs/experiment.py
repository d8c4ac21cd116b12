"""A whole experiment: real data, a prior, tuned policies, a table, figures and samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from seqtutor.data import Sequences
from seqtutor.measure import Measure
from seqtutor.measures.policy import Evaluation
from seqtutor.models.files import CONFIG as MODEL_CONFIG
from seqtutor.models.files import SavedModel
from seqtutor.report.evaluation_table import PolicyColumn, evaluation_table
from seqtutor.report.experiment import ExperimentReport, Section, write_report
from seqtutor.report.tables import Table
from seqtutor.runs.config import RunConfig
from seqtutor.runs.evaluating import (
    Evaluator,
    Known,
    open_evaluator,
    table_of,
    terms_of,
    title_of,
)
from seqtutor.runs.expectation import expectation
from seqtutor.runs.folder_lock import made_and_locked
from seqtutor.runs.interruption import telling_how_to_go_on
from seqtutor.runs.jobs import Job, histories_of, run_jobs, worker_count
from seqtutor.runs.made_of import made_of
from seqtutor.runs.page import write_run_page
from seqtutor.runs.policies import PRIOR, NamedPolicy, find_policy, load_prior
from seqtutor.runs.pretraining import Pretraining, fitting_batch, pretrain_in_folder
from seqtutor.runs.progress import console
from seqtutor.runs.provenance import made_by_in_words
from seqtutor.runs.run_folder import CONFIG
from seqtutor.runs.seeds import reward_worker_options
from seqtutor.runs.terminal import counted
from seqtutor.settings import require
from seqtutor.task_records import Drawn, Gallery, Profile
from seqtutor.task_spec import TaskSpec
from seqtutor.training.pretrain_settings import PretrainSettings
from seqtutor.training.settings import TutorSettings

RECORDS_AT_LEAST = 6


@dataclass(frozen=True)
class ExperimentPlan:
    """What is run and measured.

    Attributes:
        spec: the task.
        profile: how much of it.
        output: folder of everything.
        data: an instance of the task's `data_type`, for a prior that is trained here.
        training: of that prior; `None` for what suits the data.
        prior: folder of a prior, instead of the shipped one or one that is trained here.
        measuring: an instance of the task's `evaluate_type`.
        workers: runs at the same time; `None` for one for each core.
    """

    spec: TaskSpec[Any]
    profile: Profile
    output: Path
    data: Any
    measuring: Any
    training: PretrainSettings | None = None
    prior: Path | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        profile = self.profile
        for name, least in (("seeds", 1), ("number", 2)):
            value = getattr(profile, name)
            require(value >= least, f"--{name} is {value}; it must be at least {least}")
        steps = profile.steps
        require(steps is None or steps >= 1, f"--steps is {steps}; it must be at least 1")
        for c in profile.c:
            require(0 < c < math.inf, f"--c must be above 0, not {c}")
        for preset in self.presets:
            for method in profile.methods:
                TutorSettings.of(method, **self.spec.preset(preset).tutor(method))

    @property
    def presets(self) -> tuple[str, ...]:
        """The presets with which the prior is tuned, each once."""
        return tuple(dict.fromkeys(self.profile.presets)) or (self._first_preset,)

    @property
    def _first_preset(self) -> str:
        return next(iter(self.spec.presets), "default")

    def config(
        self, preset: str, method: str, seed: int, prior: Path | None, c: float | None = None
    ) -> RunConfig[Any]:
        """The configuration of one run."""
        chosen = self.spec.preset(None if preset == "default" else preset)
        tutor = TutorSettings.of(method, **chosen.tutor(method))
        steps = self.profile.steps or round(self.profile.share_of_steps * tutor.steps)
        log_every = max(1, min(tutor.log_every, steps // RECORDS_AT_LEAST))
        tutor = replace(tutor, steps=steps, seed=seed, log_every=log_every)
        if c is not None:
            tutor = replace(tutor, c=c)
        settings, _ = self.spec.complete(chosen.settings(method), load_prior(self.spec, prior))
        return RunConfig(self.spec.name, tutor, settings, prior)


@dataclass(frozen=True)
class _Jobs:
    """The runs: by preset one for each method and seed, and by c those of the first preset."""

    of_preset: dict[str, list[Job]]
    of_c: dict[float, Job] = field(default_factory=dict)

    @property
    def all(self) -> list[Job]:
        """Each once, seed after seed, so that a whole experiment exists early."""
        by_seed = [job for group in zip(*self.of_preset.values(), strict=True) for job in group]
        return [*by_seed, *(job for job in self.of_c.values() if job not in by_seed)]


@dataclass(frozen=True)
class ExperimentFiles:
    """What a finished experiment is read by.

    Attributes:
        report: the path of the report.
        pages: the path of a page for each preset.
        tables: those of the report.
    """

    report: Path
    pages: Sequence[Path]
    tables: Sequence[Table]


def run_experiment(plan: ExperimentPlan) -> ExperimentFiles:
    """Run it step by step; interrupted, it continues when it is called again.

    Raises:
        Interrupted: at an interruption, with what to do to continue.
        UserError: if data or prior cannot be read, a run fails, or another process works in the
            folder.
    """
    with made_and_locked(plan.output):
        return _run_experiment(plan)


def _run_experiment(plan: ExperimentPlan) -> ExperimentFiles:
    workers = worker_count(plan.workers)
    if plan.profile.minutes is not None and not any(plan.output.glob(f"*/*/{CONFIG}")):
        console.print(expectation(plan.profile.minutes, plan.profile.runs, workers))
    console.rule("1  The prior")
    folder, fit = _prior(plan)
    if not plan.profile.is_trial:
        plan.spec.prepare_measures(plan.measuring, load_prior(plan.spec, folder))
    console.rule("2  Tuning")
    jobs = _jobs(plan, folder, workers)
    run_jobs(jobs.all, workers, plan.output)
    console.rule("3  Measuring")
    with telling_how_to_go_on(plan.output):
        measured = _measure(plan, jobs, folder)
        console.rule("4  Tables and figures")
        sections = [
            _section(plan, preset, group, measured, folder)
            for preset, group in jobs.of_preset.items()
        ]
        trade_off = _trade_off(plan, jobs, measured)
        report = ExperimentReport(
            f"{plan.spec.heading}: the prior and what tuning makes of it",
            _remark(plan, jobs, fit),
            sections,
            trade_off,
        )
        path = write_report(report, plan.output)
        pages = [
            write_run_page(
                plan.spec,
                [job.folder for job in group],
                plan.output / preset,
                most=plan.profile.number,
                measuring=plan.measuring,
                known=_known(measured, preset, group),
            )
            for preset, group in jobs.of_preset.items()
        ]
    tables = [section.table for section in sections] + ([trade_off] if trade_off else [])
    return ExperimentFiles(path, pages, tables)


def _prior(plan: ExperimentPlan) -> tuple[Path | None, str]:
    """The folder of the prior, `None` for the shipped one, and how well it fits, in a sentence."""
    spec = plan.spec
    if plan.prior is not None or (spec.priors and not plan.profile.pretrains):
        saved = load_prior(spec, plan.prior)
        lines, fit = spec.fit_of_prior(saved)
        console.print("\n".join([*lines, *([fit] if fit else [])]), highlight=False)
        return plan.prior, fit
    folder = plan.output / "prior"
    if not (folder / MODEL_CONFIG).is_file() or not _is_finished(load_prior(spec, folder)):
        pretrain_in_folder(partial(_pretraining, plan), folder)
    test = load_prior(spec, folder).origin.get("test")
    fit = ""
    if isinstance(test, dict):
        fit = (
            f"On {test['sequences']:,} {spec.many} of the test part the prior's log-perplexity is "
            f"{test['log_perplexity']:.4f} nats a token, its accuracy {100 * test['accuracy']:.2f} "
            "%."
        )
        console.print(fit)
    return folder, fit


def _pretraining(plan: ExperimentPlan) -> Pretraining:
    data = plan.spec.read_data(plan.data)
    console.print("\n".join([*data.summary, *data.warnings]), highlight=False)
    training = plan.training or PretrainSettings.of(**plan.spec.training_defaults(None))
    return Pretraining(plan.spec, data, fitting_batch(training, data))


def _is_finished(saved: SavedModel) -> bool:
    return bool(saved.origin.get("finished", True))


def _jobs(plan: ExperimentPlan, prior: Path | None, workers: int) -> _Jobs:
    options = reward_worker_options(None, workers)
    now = made_of(plan.spec, load_prior(plan.spec, prior).model)

    def job(preset: str, method: str, seed: int, name: str, c: float | None = None) -> Job:
        config = plan.config(preset, method, seed, prior, c)
        folder = plan.output / preset / name
        samples = plan.spec.numbers.samples_of_run
        return Job(f"{preset} {name}", folder, plan.spec, config, samples, options, now)

    of_preset = {
        preset: [
            job(preset, method, seed, f"{method}-seed{seed}")
            for seed in range(plan.profile.seeds)
            for method in plan.profile.methods
        ]
        for preset in plan.presets
    }
    of_c: dict[float, Job] = {}
    if plan.profile.c:
        preset, (first, *_) = next(iter(of_preset.items()))
        method = first.config.tutor.method
        of_c = {c: job(preset, method, 0, f"{method}-c{c:g}", c) for c in plan.profile.c}
        of_c[first.config.tutor.c] = first
    return _Jobs(of_preset, dict(sorted(of_c.items(), reverse=True)))


@dataclass(frozen=True)
class _Measured:
    """What was measured of the prior, and of each policy by its folder; and the rows of a table."""

    prior: NamedPolicy
    of_prior: dict[str, Evaluation]
    policies: dict[Path, Evaluation]
    rows: dict[str, list[Measure]]
    evaluators: dict[str, Evaluator]


def _measure(plan: ExperimentPlan, jobs: _Jobs, folder: Path | None) -> _Measured:
    """Sample and measure, for each preset by its own settings; a run's seed is also the sampling's.

    The prior is measured for each preset anew, since its reward is that of the preset.
    """
    prior = find_policy(plan.spec, PRIOR if folder is None else str(folder)).as_prior()
    of_prior, policies, rows, evaluators = {}, {}, {}, {}
    for preset, group in jobs.of_preset.items():
        mine = [*group, *(job for job in jobs.of_c.values() if job.folder.parent.name == preset)]
        named = {job.folder: find_policy(plan.spec, str(job.folder)) for job in mine}
        with open_evaluator(
            plan.spec,
            [*named.values(), prior],
            number=plan.profile.number,
            options=plan.measuring,
            may_run_code=True,
        ) as evaluator:
            of_prior[preset] = evaluator.evaluate(prior, 0)
            for path, policy in named.items():
                policies[path] = evaluator.evaluate(policy, policy.seed)
            terms = terms_of(plan.spec, [of_prior[preset]])
            rows[preset], evaluators[preset] = evaluator.rows(terms), evaluator
    return _Measured(prior, of_prior, policies, rows, evaluators)


def _known(measured: _Measured, preset: str, jobs: Sequence[Job]) -> Known:
    """The evaluations of a preset's runs and its prior, for the page."""
    evaluator = measured.evaluators[preset]
    folders = [job.folder for job in jobs]
    policies = [find_policy(evaluator.spec, str(folder)) for folder in folders]
    found = [(measured.prior, measured.of_prior[preset])]
    found += zip(policies, [measured.policies[folder] for folder in folders], strict=True)
    return Known.of(evaluator.number, found)


def _section(
    plan: ExperimentPlan,
    preset: str,
    jobs: Sequence[Job],
    measured: _Measured,
    prior_folder: Path | None,
) -> Section:
    """A section of the report: the table, the curves, pictures and samples of the first seed."""
    spec, methods = plan.spec, plan.profile.methods
    of_method = {m: [job for job in jobs if job.config.tutor.method == m] for m in methods}
    columns = [PolicyColumn(PRIOR, [measured.of_prior[preset].estimates], title_of(spec, PRIOR))]
    for method, own in of_method.items():
        tutor = own[0].config.tutor
        estimates = [measured.policies[job.folder].estimates for job in own]
        settings = {"c / γ": f"{tutor.c:g} / {tutor.discount:g}"}
        columns.append(PolicyColumn(method, estimates, title_of(spec, method), settings))
    title = spec.preset(None if preset == "default" else preset).title
    table = table_of(measured.evaluators[preset], columns, measured.rows[preset], title)
    first = {m: own[0] for m, own in of_method.items()}
    models = {PRIOR: measured.prior.saved} | {
        m: load_prior(spec, job.run.model) for m, job in first.items()
    }
    evaluations = {PRIOR: measured.of_prior[preset]} | {
        m: measured.policies[job.folder] for m, job in first.items()
    }
    settings = jobs[0].config.settings
    samples = {
        name: Drawn(
            Sequences(evaluation.samples.tokens, evaluation.samples.mask),
            models[name].vocabulary,
            models[name].origin,
            settings,
            has_reward=True,
            may_run_code=True,
        )
        for name, evaluation in evaluations.items()
    }
    folder = plan.output / preset
    own_samples = folder / "prior-samples"
    if not own_samples.is_dir():
        number = spec.numbers.samples_of_run
        few = replace(samples[PRIOR], sequences=samples[PRIOR].sequences[:number])
        spec.write(few, own_samples, spec.sample_type())
    written = {PRIOR: own_samples} | {m: job.folder / "samples" for m, job in first.items()}
    gallery = Gallery(
        folder,
        {name: saved.model for name, saved in models.items()},
        samples,
        written,
        measured.prior.saved,
        settings,
        plan.measuring,
    )
    prior_log_prior = measured.of_prior[preset].estimates["log_prior"].value
    return Section(
        preset,
        spec.describe(settings) or "",
        table,
        histories_of(jobs),
        prior_log_prior,
        written,
        spec.illustrate(gallery),
    )


def _trade_off(plan: ExperimentPlan, jobs: _Jobs, measured: _Measured) -> Table | None:
    """Reward and measures of the first preset and method over c."""
    if not jobs.of_c:
        return None
    preset = next(iter(jobs.of_preset))
    columns = [PolicyColumn(PRIOR, [measured.of_prior[preset].estimates])] + [
        PolicyColumn(f"c = {c:g}", [measured.policies[job.folder].estimates])
        for c, job in jobs.of_c.items()
    ]
    note = (
        f"One seed for each c, {plan.profile.number:,} {plan.spec.many}; ± is the 95 % interval "
        "over them."
    )
    title = f"Reward against divergence (preset {preset})"
    return evaluation_table(columns, measured.rows[preset], title=title, note=note)


def _remark(plan: ExperimentPlan, jobs: _Jobs, fit: str) -> str:
    steps = sorted({int(job.run.records()[-1]["step"]) for job in jobs.all})
    lengths = " to ".join(f"{step:,}" for step in dict.fromkeys((steps[0], steps[-1])))
    seeds = counted(plan.profile.seeds, "seed", "seeds")
    remark = f"{fit} {lengths} environment steps a run, {seeds} a method.".strip()
    if plan.profile.is_trial:
        remark += " A trial run: it shows that everything works; the policies have learned little."
    return f"{remark}\n\n{made_by_in_words()}"
