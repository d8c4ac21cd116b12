"""`seqtutor reproduce molecule`: from the prior of SMILES strings to tables, figures, molecules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.tasks.molecule.presets import preset_named, preset_tuning

if TYPE_CHECKING:
    from seqtutor.cli.evaluate_molecule import Evaluator
    from seqtutor.report.tables import Table
    from seqtutor.runs.jobs import Job
    from seqtutor.runs.policies import NamedPolicy
    from seqtutor.tasks.molecule.evaluation import MoleculeEvaluation
    from seqtutor.tasks.molecule.report import MoleculeReport
    from seqtutor.tasks.molecule.settings import MoleculeTuning

DRAWN = 2_000
"""Molecules of each kind whose properties are drawn."""


@dataclass(frozen=True)
class Profile:
    """How much of the experiment is run; without `steps`, a share of those of the preset."""

    seeds: int
    number: int
    presets: tuple[str, ...]
    c: tuple[float, ...]
    steps: int | None = None
    share_of_steps: float = 1.0

    def steps_of(self, tuning: MoleculeTuning) -> int:
        """Tokens generated in a run of this preset."""
        return self.steps or round(self.share_of_steps * tuning.tutor.steps)

    def steps_in_words(self) -> str:
        """How long runs are, for the report."""
        if self.steps is not None:
            return f"{self.steps:,} tokens"
        if self.share_of_steps != 1:
            return f"{self.share_of_steps:.0%} of the tokens that its preset says"
        return "as many tokens as its preset says"


PROFILES = {
    "smoke": Profile(1, 1_000, ("drug-like",), (), 30_000),
    "default": Profile(1, 10_000, ("paper", "drug-like"), (2.0,), share_of_steps=0.5),
    "full": Profile(3, 100_000, ("paper", "drug-like"), (0.25, 0.5, 2.0, 4.0)),
}


@dataclass(frozen=True)
class Options:
    """Run a whole experiment: tune the prior of molecules, measure, draw.

    Interrupted, it goes on where it stopped when it is called again: finished runs are kept.
    """

    task: tyro.conf.Positional[Literal["molecule"]] = "molecule"
    """Which experiment. molecule: Table 2 of Sequence Tutor, and the measures of MOSES."""
    profile: Literal["smoke", "default", "full"] = "default"
    """How much of it:
    - smoke: a minute or two, too short to learn much
    - default: about ten minutes on two cores, one seed, half of each preset's tokens
    - full: three seeds, 100,000 strings a policy
    """
    method: str = "psi"
    """The method; the paper's is psi (see `seqtutor tune`)."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder for everything; by default runs/reproduce-molecule-PROFILE."""
    presets: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="STR [STR ...]")] = None
    """Presets to tune with (see `seqtutor tune molecule`), instead of the profile's."""
    c: Annotated[tuple[float, ...] | None, tyro.conf.arg(metavar="[FLOAT ...]")] = None
    """Further c of the first preset, for the table of reward against KL divergence, instead of the
    profile's."""
    seeds: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Seeds, instead of the profile's."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Tokens generated in each run, instead of the profile's."""
    number: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Strings sampled from each policy for the tables, instead of the profile's."""
    prior: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder of the prior; the one that comes with the package if not given."""
    reference: str = "auto"
    """What novelty and similarities refer to: "moses" (fetched if it is not here), "nci", a file of
    molecules, "none"; auto: moses for a prior made of it, if it is here or can be fetched."""
    fcd: bool = False
    """Measure the Fréchet ChemNet distance to the reference's test set, too."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Runs at the same time; by default one for each core."""


@dataclass(frozen=True)
class _Experiment:
    """What is run: by preset a job for each seed, and by c a job of the first preset."""

    jobs: dict[str, list[Job[MoleculeTuning]]]
    trade_off: dict[float, Job[MoleculeTuning]]

    @property
    def all_jobs(self) -> list[Job[MoleculeTuning]]:
        """Each once, seed after seed, so that a whole experiment is there early."""
        by_seed = [job for group in zip(*self.jobs.values(), strict=True) for job in group]
        return [*by_seed, *(job for job in self.trade_off.values() if job not in by_seed)]


def run(options: Options) -> None:
    """Do it step by step, saying what happens."""
    from seqtutor.tasks.molecule.requirements import require_rdkit

    require_rdkit()
    from seqtutor.cli.evaluate_molecule import Evaluator
    from seqtutor.cli.molecules import find_policy
    from seqtutor.cli.output import counted, print_table
    from seqtutor.files import make_folder
    from seqtutor.runs.interruption import telling_how_to_go_on
    from seqtutor.runs.jobs import run_jobs, worker_count
    from seqtutor.runs.progress import console
    from seqtutor.runs.provenance import made_by_in_words
    from seqtutor.tasks.molecule.report import write_report

    profile = _profile(options)
    output = options.output or Path("runs") / f"reproduce-molecule-{options.profile}"
    workers = worker_count(options.workers)
    experiment = _experiment(options, profile, output, workers)
    make_folder(output)
    console.rule("1  The prior")
    reference = _bring_reference(options)
    console.rule("2  Tuning")
    run_jobs(experiment.all_jobs, workers, output)
    console.rule("3  Measuring")
    with telling_how_to_go_on(output), Evaluator(profile.number) as evaluator:
        found = find_policy(str(options.prior or "prior"))
        prior = replace(found, name="prior", prior_folder=options.prior)
        evaluator.compare_with(reference, prior, options.fcd)
        measured = _measure(experiment, prior, evaluator)
        name = None if evaluator.reference is None else evaluator.reference.name
    console.rule("4  Tables and figures")
    reports = _reports(experiment, measured, options, output, name)
    trade_off = _trade_off(experiment, measured, profile.number)
    seeds = counted(profile.seeds, "seed", "seeds")
    remark = f"{seeds} a policy, {profile.steps_in_words()} a run."
    if options.profile == "smoke":
        remark += " A smoke run: it shows that everything works; the policies have learned little."
    remark += f"\n\n{made_by_in_words()}"
    path = write_report(reports, trade_off, output, remark)
    for table in (*(report.table for report in reports), *([trade_off] if trade_off else ())):
        print_table(table)
    print(f"Everything is in {output}; begin with {path}")


def _profile(options: Options) -> Profile:
    names = ("presets", "seeds", "steps", "number", "c")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    for name, smallest in (("seeds", 1), ("steps", 1), ("number", 2)):
        if given.get(name, smallest) < smallest:
            raise UserError(f"--{name} is {given[name]}; it must be at least {smallest}")
    for c in given.get("c", ()):
        require(0 < c < math.inf, f"--c must be above 0, not {c}")
    profile = replace(PROFILES[options.profile], **given)
    require(bool(profile.presets), "--presets needs at least one name")
    for preset in profile.presets:
        preset_tuning(preset, options.method)
    return profile


def _experiment(options: Options, profile: Profile, output: Path, workers: int) -> _Experiment:
    from seqtutor.cli.tune_molecule import MoleculeTools
    from seqtutor.runs.jobs import Job

    tools = MoleculeTools(None)
    job_options = tools.job_options(workers)

    def job(preset: str, seed: int, folder: Path, c: float | None = None) -> Job[MoleculeTuning]:
        tuning = preset_tuning(preset, options.method)
        steps = profile.steps_of(tuning)
        log_every = max(1, min(tuning.tutor.log_every, steps // 6))
        tutor = replace(tuning.tutor, seed=seed, steps=steps, log_every=log_every)
        if c is not None:
            tutor = replace(tutor, c=c)
        own = tools.completed(replace(tuning, tutor=tutor, prior=options.prior))
        return Job(f"{preset} {folder.name}", folder, own, DRAWN // 20, job_options)

    def seeds_of(preset: str) -> list[Job[MoleculeTuning]]:
        folders = [output / preset / f"{options.method}-seed{i}" for i in range(profile.seeds)]
        return [job(preset, seed, folder) for seed, folder in enumerate(folders)]

    jobs = {preset: seeds_of(preset) for preset in dict.fromkeys(profile.presets)}
    trade_off = {}
    if profile.c:
        traded_off, (first, *_) = next(iter(jobs.items()))
        trade_off = {
            c: job(traded_off, 0, output / traded_off / f"{options.method}-c{c:g}", c)
            for c in profile.c
        }
        trade_off[first.tuning.tutor.c] = first
    return _Experiment(jobs, dict(sorted(trade_off.items(), reverse=True)))


def _bring_reference(options: Options) -> str:
    """The source that is meant, which is here now; "none" if it could not be fetched."""
    from seqtutor.runs.progress import console
    from seqtutor.tasks.molecule.model import load_molecule_model
    from seqtutor.tasks.molecule.moses_wheel import bring_wheel
    from seqtutor.tasks.molecule.references import AUTO, resolve_reference
    from seqtutor.tasks.molecule.sources import MOSES

    saved = load_molecule_model(options.prior)
    source = saved.origin.get("data", {}).get("source")
    console.print(f"{options.prior or 'The prior of the package'}: trained on {source}")
    if options.reference == MOSES:
        bring_wheel()
    if options.reference != AUTO:
        return options.reference
    if source == MOSES and options.profile != "smoke":
        try:
            bring_wheel()
        except UserError as error:
            console.print(f"{error}; going on without novelty and similarities")
    return resolve_reference(AUTO, saved)


@dataclass(frozen=True)
class _Measured:
    """What was measured of the prior, and of each policy by its folder."""

    prior: MoleculeEvaluation
    policies: dict[Path, MoleculeEvaluation]
    rewards: dict[Path | None, float]
    training: list[str]

    def of(self, jobs: Sequence[Job[MoleculeTuning]]) -> list[MoleculeEvaluation]:
        return [self.policies[job.folder] for job in jobs]


def _measure(experiment: _Experiment, named: NamedPolicy, evaluator: Evaluator) -> _Measured:
    """Sample and score; the seed of a run is also that of its sampling."""
    from seqtutor.cli.molecules import find_policy
    from seqtutor.tasks.molecule.mean_terms import mean_terms

    prior = evaluator.measure(named, 0)
    policies = {
        job.folder: evaluator.measure(find_policy(str(job.folder)), job.tuning.tutor.seed)
        for job in experiment.all_jobs
    }
    rewards: dict[Path | None, float] = {}
    if experiment.trade_off:
        settings = next(iter(experiment.trade_off.values())).tuning.reward
        strings = {None: prior.scores.strings} | {
            job.folder: policies[job.folder].scores.strings for job in experiment.trade_off.values()
        }
        found = mean_terms(settings, strings)
        rewards = {folder: means.reward for folder, means in found.items()}
    training: Sequence[str] = ()
    if evaluator.reference is not None:
        training = sorted(evaluator.reference.reference.training)
    return _Measured(prior, policies, rewards, list(training[:: max(1, len(training) // DRAWN)]))


def _reports(
    experiment: _Experiment,
    measured: _Measured,
    options: Options,
    output: Path,
    reference: str | None,
) -> list[MoleculeReport]:
    """A section for each preset, the prior's molecules beside the first seed's."""
    from seqtutor.cli.tune_molecule import MoleculeTools
    from seqtutor.runs.jobs import histories_of
    from seqtutor.tasks.molecule.measure import Measurer
    from seqtutor.tasks.molecule.property_names import PROPERTIES
    from seqtutor.tasks.molecule.report import TRAINING_SET, MoleculeReport
    from seqtutor.tasks.molecule.scoring import MoleculeScorer
    from seqtutor.tasks.molecule.table import Measured, molecule_table

    tools = MoleculeTools(None)
    first_job = next(iter(experiment.jobs.values()))[0]
    prior_samples = output / "prior-samples"
    if not (prior_samples / "molecules.csv").is_file():
        prior = tools.load_prior(first_job.tuning).model
        tools.write_samples(prior, first_job.tuning, DRAWN // 20, prior_samples)
    reports = []
    with MoleculeScorer.with_workers(Measurer(PROPERTIES)) as scorer:
        for preset, jobs in experiment.jobs.items():
            drawn = {
                TRAINING_SET: measured.training,
                "prior": measured.prior.scores.strings[:DRAWN],
                options.method: measured.policies[jobs[0].folder].scores.strings[:DRAWN],
            }
            columns = [
                Measured("prior", [measured.prior]),
                Measured(options.method, measured.of(jobs)),
            ]
            title = preset_named(preset).title
            reports.append(
                MoleculeReport(
                    preset,
                    _rewarded(jobs[0].tuning),
                    molecule_table(columns, title, reference),
                    histories_of(jobs),
                    {name: scorer.score(strings) for name, strings in drawn.items() if strings},
                    {"prior": prior_samples, options.method: jobs[0].folder / "samples"},
                )
            )
    return reports


def _rewarded(tuning: MoleculeTuning) -> str:
    return (
        f"Reward: {tuning.reward.in_words()}, at c = {tuning.tutor.c:g}. The paper's columns are "
        "those of Table 2 of Jaques et al. (2017), whose prior was of other molecules and whose "
        "weights are not printed."
    )


def _trade_off(experiment: _Experiment, measured: _Measured, number: int) -> Table | None:
    """Reward and measures of the first preset over c."""
    from seqtutor.tasks.molecule.report import TradeOffPoint, trade_off_table

    if not experiment.trade_off:
        return None
    points = [TradeOffPoint("prior", measured.rewards[None], measured.prior)] + [
        TradeOffPoint(f"c = {c:g}", measured.rewards[job.folder], measured.policies[job.folder])
        for c, job in experiment.trade_off.items()
    ]
    traded_off = next(iter(experiment.jobs))
    note = (
        f"One seed for each c, {number:,} strings; ± is the 95 % interval over molecules. The "
        "reward is the weighted sum of all terms but known and diversity."
    )
    return trade_off_table(points, f"Reward against divergence (preset {traded_off})", note)
