"""`seqtutor reproduce melody`: from real tunes to tables, figures and melodies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from seqtutor.errors import UserError
from seqtutor.tasks.melody.presets import preset_named

if TYPE_CHECKING:
    from seqtutor.measures.policy import Evaluation
    from seqtutor.report.tables import Table
    from seqtutor.runs.jobs import Job
    from seqtutor.tasks.melody.dataset import MelodyDataset

METHODS = ("q", "psi", "g", "rl-only")


@dataclass(frozen=True)
class Profile:
    """How much of the experiment is run."""

    steps: int
    seeds: int
    number: int
    presets: tuple[str, ...]
    pretrain: bool


PROFILES = {
    "smoke": Profile(24_000, 1, 2_000, ("papers-rules",), pretrain=False),
    "default": Profile(1_500_000, 1, 20_000, ("papers-rules", "strict-rules"), pretrain=False),
    "full": Profile(4_000_000, 3, 100_000, ("papers-rules", "strict-rules"), pretrain=True),
}


@dataclass(frozen=True)
class Options:
    """Run a whole experiment: read real data, tune the prior by every method, measure, draw.

    Interrupted, it goes on where it stopped when it is called again: finished runs are kept.
    """

    task: tyro.conf.Positional[Literal["melody"]] = "melody"
    """Which experiment. melody: Table 1 and figures 2 and 3 of Sequence Tutor."""
    profile: Literal["smoke", "default", "full"] = "default"
    """How much of it:
    - smoke: a minute or two, too short to learn much
    - default: about ten minutes on two cores, one seed, the prior that comes with the package
    - full: three seeds, longer runs, 100,000 melodies a policy, and a prior trained anew
    """
    output: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder for everything; by default runs/reproduce-melody-PROFILE."""
    presets: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="STR [STR ...]")] = None
    """Presets to tune with (see `seqtutor tune`), instead of the profile's."""
    seeds: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Seeds a method, instead of the profile's."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Environment steps a run, instead of the profile's."""
    number: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Melodies sampled from each policy for the table, instead of the profile's."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Runs at the same time; by default one for each core."""


def run(options: Options) -> None:
    """Do it step by step, saying what happens."""
    from seqtutor.cli import pretrain_melody as pretrain
    from seqtutor.cli.output import counted
    from seqtutor.files import make_folder
    from seqtutor.runs.interruption import telling_how_to_go_on
    from seqtutor.runs.jobs import run_jobs, worker_count
    from seqtutor.runs.progress import console
    from seqtutor.runs.provenance import made_by_in_words

    profile = _profile(options)
    output = options.output or Path("runs") / f"reproduce-melody-{options.profile}"
    workers = worker_count(options.workers)
    make_folder(output)
    console.rule("1  Real tunes")
    dataset = pretrain.load(pretrain.Options())
    pretrain.print_dataset(dataset)
    console.rule("2  The prior: a Note RNN")
    prior, fit = _prior(dataset, output, profile)
    console.rule("3  Tuning")
    jobs = {preset: _jobs(preset, profile, output, prior) for preset in profile.presets}
    run_jobs([job for group in jobs.values() for job in group], workers, output)
    console.rule("4  Measuring")
    with telling_how_to_go_on(output):
        measured = {preset: _measure(group, profile, prior) for preset, group in jobs.items()}
    console.rule("5  Tables and figures")
    seeds = counted(profile.seeds, "seed", "seeds")
    steps = int(jobs[profile.presets[0]][0].run.records()[-1]["step"])
    remark = f"{fit} {steps:,} environment steps a run, {seeds} a method."
    if options.profile == "smoke":
        remark += " A smoke run: it shows that everything works; the policies have learned little."
    remark += f"\n\n{made_by_in_words()}"
    _report(measured, jobs, output, prior, profile.number, remark)


def _profile(options: Options) -> Profile:
    chosen = {name: getattr(options, name) for name in ("presets", "seeds", "steps", "number")}
    given = {name: value for name, value in chosen.items() if value is not None}
    for name, smallest in (("seeds", 1), ("steps", 1), ("number", 2)):
        if given.get(name, smallest) < smallest:
            raise UserError(f"--{name} is {given[name]}; it must be at least {smallest}")
    presets = given.get("presets", PROFILES[options.profile].presets)
    if not presets:
        raise UserError("--presets needs at least one name")
    for preset in presets:
        preset_named(preset)
    return replace(PROFILES[options.profile], **given)


def _prior(dataset: MelodyDataset, output: Path, profile: Profile) -> tuple[Path | None, str]:
    """The folder of the prior and how well it fits tunes it has not seen, in a sentence.

    It is trained here in the full profile; the folder of the shipped one is `None`.
    """
    from seqtutor.cli import pretrain_melody as pretrain
    from seqtutor.runs.progress import console
    from seqtutor.tasks.melody.task import load_melody_model
    from seqtutor.training.pretrain import measure_fit

    folder = output / "prior" if profile.pretrain else None
    if folder is not None and not (folder / "config.json").is_file():
        options = pretrain.Options(output=folder)
        pretrain.save(pretrain.train(dataset, options), dataset, options)
    fit = measure_fit(load_melody_model(folder).model, pretrain.unmasked(dataset.test))
    told = (
        f"On {fit.sequences:,} melodies of test tunes the prior's log-perplexity is "
        f"{fit.log_perplexity:.4f} nats a token, its accuracy {100 * fit.accuracy:.2f} %."
    )
    console.print(told)
    return folder, told


def _jobs(preset: str, profile: Profile, output: Path, prior: Path | None) -> list[Job]:
    from seqtutor.runs.jobs import Job
    from seqtutor.tasks.melody.presets import preset_tuning

    jobs = []
    for seed in range(profile.seeds):
        for method in METHODS:
            tuning = preset_tuning(preset, method)
            log_every = max(1, min(tuning.tutor.log_every, profile.steps // 6))
            tutor = replace(tuning.tutor, steps=profile.steps, seed=seed, log_every=log_every)
            tuning = replace(tuning, tutor=tutor, prior=prior)
            name = f"{method}-seed{seed}"
            jobs.append(Job(f"{preset} {name}", output / preset / name, tuning))
    return jobs


def _measure(jobs: list[Job], profile: Profile, prior: Path | None) -> dict[str, list[Evaluation]]:
    """Evaluations of the prior and, by method, of the policy of each seed."""
    from seqtutor.runs.progress import progress_bar
    from seqtutor.tasks.melody.evaluation import evaluate_policy
    from seqtutor.tasks.melody.task import load_melody_model

    prior_model = load_melody_model(prior).model
    policies = [("prior", 0, prior_model)] + [
        (job.tuning.tutor.method, job.tuning.tutor.seed, load_melody_model(job.run.model).model)
        for job in jobs
    ]
    with progress_bar() as progress:
        bar = progress.add_task(
            "Sampling", total=profile.number * len(policies), unit="melodies", note=""
        )
        measured: dict[str, list[Evaluation]] = {}
        for index, (name, seed, policy) in enumerate(policies):
            before = index * profile.number
            evaluation = evaluate_policy(
                policy,
                prior_model,
                number=profile.number,
                seed=seed,
                on_melodies=lambda done, before=before: progress.update(  # type: ignore[misc]
                    bar, completed=before + done
                ),
            )
            measured.setdefault(name, []).append(evaluation)
    return measured


def _report(
    measured: dict[str, dict[str, list[Evaluation]]],
    jobs: dict[str, list[Job]],
    output: Path,
    prior: Path | None,
    number: int,
    remark: str,
) -> None:
    from seqtutor.cli.output import print_table
    from seqtutor.runs.jobs import histories_of
    from seqtutor.tasks.melody.report import MelodyReport, write_report
    from seqtutor.tasks.melody.task import load_melody_model

    reports = [
        MelodyReport(
            preset=preset,
            table=_table(evaluations, jobs[preset], number, preset_named(preset).title),
            prior_log_prior=evaluations["prior"][0].estimates["log_prior"].value,
            histories=histories_of(jobs[preset]),
            policies={
                job.tuning.tutor.method: load_melody_model(job.run.model).model
                for job in jobs[preset]
                if job.tuning.tutor.seed == 0
            },
            prior=load_melody_model(prior).model,
        )
        for preset, evaluations in measured.items()
    ]
    path = write_report(reports, output, remark)
    for report in reports:
        print_table(report.table)
    print(f"Everything is in {output}; begin with {path}")


def _table(
    evaluations: dict[str, list[Evaluation]], jobs: list[Job], number: int, title: str
) -> Table:
    from seqtutor.tasks.melody.evaluation import melody_column, melody_table

    tunings = {job.tuning.tutor.method: job.tuning for job in reversed(jobs)}
    columns = [
        melody_column(name, own, tunings.get(name, jobs[0].tuning))
        for name, own in evaluations.items()
    ]
    return melody_table(columns, number, title)
