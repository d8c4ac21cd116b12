"""`seqtutor tune`: a prior and a reward in, a policy out."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from seqtutor.cli.arguments import value_of
from seqtutor.errors import UserError
from seqtutor.tasks.melody.presets import preset_tuning
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.settings import MelodyTuning, RuleWeights
from seqtutor.training.settings import SYMBOLS, TutorSettings, require

if TYPE_CHECKING:
    from seqtutor.cli.jobs import Job
    from seqtutor.models.base import SequenceModel
    from seqtutor.training.run import DivergedError, Record
    from seqtutor.training.run_folder import RunFolder
    from seqtutor.training.tutor import Tutor


@dataclass(frozen=True)
class Options:
    """Tune a copy of the prior by reinforcement learning.

    The policy maximises E[reward]/c − KL(policy ‖ prior). The run's folder gets its configuration,
    a record of every chunk, the policy, and samples to open and hear.

    With --seeds, the output folder gets such a folder for each seed. Called again with the same
    --output, it keeps the finished ones and runs the others.
    """

    task: tyro.conf.Positional[Literal["melody"]] = "melody"
    """What is generated."""
    preset: str = "papers-rules"
    """Settings, rules and weights to start from; options given beside it win:
    - papers-rules: the papers' rules as they are
    - strict-rules: rules weighted anew, aimed at the best entry of each row of Table 1
    """
    config: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Take all settings from the config.yaml of an earlier run instead of a preset."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder of the run; by default a new one in runs/."""
    seeds: int = 1
    """Independent policies to train, with --seed, --seed + 1 and so on; the table then has 95 %
    intervals over them."""
    seeds_by: Literal["auto", "processes", "vmap"] = "auto"
    """How several seeds are trained:
    - processes: each in a process of its own with one thread, some at a time
    - vmap: all at the same time, in one program
    - auto: vmap on a GPU, processes on a CPU, where vmap gains nothing
    """
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Processes at the same time; by default one for each core."""
    samples: int = 16
    """Melodies to write into the run's folder at the end."""
    evaluate: int = 10_000
    """Melodies to sample for the table at the end; 0 for no table."""
    length: int = 32
    """Sixteenths in a melody."""
    prior: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder of the prior; the one that comes with the package if not given."""
    tutor: Annotated[TutorSettings, tyro.conf.arg(name="")] = field(default_factory=TutorSettings)
    """The method and how it learns."""
    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key, lengths and rewards of the nine rules."""
    weights: RuleWeights = field(default_factory=RuleWeights)
    """A factor for each rule."""

    def __post_init__(self) -> None:
        require(self.samples >= 0, f"--samples must not be negative, not {self.samples}")
        require(self.evaluate >= 0, f"--evaluate must not be negative, not {self.evaluate}")
        require(self.seeds >= 1, f"--seeds must be at least 1, not {self.seeds}")

    @property
    def tuning(self) -> MelodyTuning:
        """What makes the run, without what is only done with it."""
        return MelodyTuning(self.tutor, self.rules, self.weights, self.length, self.prior)


def defaults(arguments: list[str]) -> Options:
    """The preset or configuration that the arguments name, as defaults for all other options."""
    config = value_of("--config", arguments)
    chosen = value_of("--preset", arguments)
    require(not (config and chosen), "give either --config or --preset, not both")
    preset = chosen or Options.preset
    if config is not None:
        from seqtutor.training.run_folder import read_config

        return _options(read_config(MelodyTuning, Path(config)), config=Path(config))
    method = value_of("--method", arguments) or TutorSettings.method
    return _options(preset_tuning(preset, method), preset=preset)


def _options(tuning: MelodyTuning, **others: Any) -> Options:
    return Options(
        length=tuning.length,
        prior=tuning.prior,
        tutor=tuning.tutor,
        rules=tuning.rules,
        weights=tuning.weights,
        **others,
    )


def run(options: Options) -> None:
    """Tune, write the run's folder or one for each seed, print the table."""
    from seqtutor.cli.output import counted
    from seqtutor.training.run_folder import free_folder

    tuning = options.tuning
    output = options.output or free_folder(Path("runs"), f"melody-{tuning.tutor.method}")
    melodies = counted(options.samples, "melody", "melodies")
    if options.seeds == 1:
        folder = _tune(tuning, output, options.samples)
        _print_table([(tuning.tutor.seed, folder)], options)
        print(f"{output}: the policy in model/, {melodies} in samples/")
        return
    jobs = _jobs(options, output)
    if _seeds_by(options) == "processes":
        _tune_by_processes(jobs, options)
    else:
        _tune_by_vmap(jobs)
    _print_table([(job.tuning.tutor.seed, job.run) for job in jobs], options)
    print(f"{output}: a run for each seed, with the policy in model/ and {melodies} in samples/")


def _tutor(tuning: MelodyTuning) -> Tutor:
    from seqtutor.tasks.melody.task import load_melody_model, melody_task
    from seqtutor.training.tutor import Tutor

    prior = load_melody_model(tuning.prior)
    task = melody_task(tuning.length, tuning.rules, tuning.weights)
    return Tutor(task, prior.model, tuning.tutor)


def _tune(tuning: MelodyTuning, output: Path, samples: int) -> RunFolder:
    """One run, with a bar."""
    from seqtutor.cli.progress import console, note_of, progress_bar
    from seqtutor.cli.provenance import made_by
    from seqtutor.training.run import DivergedError, run_tutor
    from seqtutor.training.run_folder import RunFolder

    tutor = _tutor(tuning)
    folder = RunFolder.start(output, tuning, made_by())
    symbol, weight = tutor.method.symbol, tutor.settings.c
    console.print(f"Tuning with {symbol}, c = {weight:g}, into {output} (compiling first)")
    with progress_bar() as progress:
        bar = progress.add_task(symbol, total=tutor.iterations * tutor.steps_per_iteration, note="")

        def on_record(record: Record) -> None:
            folder.append(record)
            progress.update(bar, completed=record["step"], note=note_of(record))

        def on_remark(remark: str) -> None:
            folder.remark(remark)
            console.print(remark)

        try:
            policy = run_tutor(tutor, on_record, on_remark).policy
        except DivergedError as error:
            raise _with_last_good(error, tuning, folder) from None
    _finish(policy, tuning, folder, samples)
    return folder


def _jobs(options: Options, output: Path) -> list[Job]:
    """A run for each seed, each in a folder of its own."""
    from seqtutor.cli.jobs import Job
    from seqtutor.training.run_folder import CONFIG

    tuning = options.tuning
    if (output / CONFIG).exists():
        raise UserError(f"{output} holds a run of one seed; choose another --output")
    jobs = []
    for seed in range(tuning.tutor.seed, tuning.tutor.seed + options.seeds):
        own = replace(tuning, tutor=replace(tuning.tutor, seed=seed))
        name = f"{SYMBOLS[tuning.tutor.method]} seed {seed}"
        jobs.append(Job(name, output / f"seed{seed}", own, options.samples))
    return jobs


def _seeds_by(options: Options) -> Literal["processes", "vmap"]:
    if options.seeds_by != "auto":
        return options.seeds_by
    # Asked of another process: here, JAX would only take memory and time from the runs.
    command = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
    backend = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return "processes" if backend in ("cpu", "") else "vmap"


def _tune_by_processes(jobs: list[Job], options: Options) -> None:
    from seqtutor.cli.jobs import run_jobs, worker_count
    from seqtutor.cli.progress import console

    workers = min(len(jobs), worker_count(options.workers))
    console.print(f"{len(jobs)} seeds into {jobs[0].folder.parent}, {workers} at a time")
    run_jobs(jobs, workers)


def _tune_by_vmap(jobs: list[Job]) -> None:
    """All seeds as one program, with a bar each."""
    from seqtutor.cli.jobs import unfinished
    from seqtutor.cli.progress import console, note_of, progress_bar
    from seqtutor.cli.provenance import made_by
    from seqtutor.training.run import DivergedError
    from seqtutor.training.run_folder import RunFolder
    from seqtutor.training.seeds import seed_chunks

    waiting = {job.tuning.tutor.seed: job for job in unfinished(jobs)}
    if not waiting:
        return
    tutor = _tutor(jobs[0].tuning)
    for job in waiting.values():
        RunFolder.start(job.folder, job.tuning, made_by())
    console.print(f"{len(jobs)} seeds into {jobs[0].folder.parent} (compiling first)")
    with progress_bar() as progress:
        steps = tutor.iterations * tutor.steps_per_iteration
        bars = {
            seed: progress.add_task(job.name, total=steps, note="") for seed, job in waiting.items()
        }
        try:
            for reached in seed_chunks(tutor, list(waiting)):
                job, record = waiting[reached.seed], reached.record
                job.run.append(record)
                progress.update(bars[reached.seed], completed=record["step"], note=note_of(record))
                if reached.remark is not None:
                    job.run.remark(reached.remark)
                    console.print(f"{job.name}: {reached.remark}")
                if reached.policy is not None:
                    _finish(reached.policy, job.tuning, job.run, job.samples)
        except DivergedError as error:
            job = waiting[error.seed]
            raise _with_last_good(error, job.tuning, job.run) from None


def _with_last_good(error: DivergedError, tuning: MelodyTuning, folder: RunFolder) -> UserError:
    """Keep the last good policy; the error that says where it is."""
    kept = folder.path / "last-good"
    _save(error.last_good, tuning, kept)
    return UserError(f"{error}; the policy as it was before is in {kept}")


def _finish(policy: SequenceModel, tuning: MelodyTuning, folder: RunFolder, samples: int) -> None:
    """Write melodies and then the model, which makes the run complete."""
    import jax
    import numpy as np

    from seqtutor.tasks.melody.render import write_melodies
    from seqtutor.training.rollout import sample

    if samples:
        drawn = sample(policy, jax.random.key(tuning.tutor.seed), samples, tuning.length)
        write_melodies(np.asarray(drawn.tokens), folder.path / "samples")
    _save(policy, tuning, folder.model)


def _save(policy: SequenceModel, tuning: MelodyTuning, folder: Path) -> None:
    from seqtutor.models.files import SavedModel, save_model
    from seqtutor.tasks.melody.encoding import melody_vocabulary

    origin = {"run": folder.parent.name, "max_length": tuning.length}
    save_model(SavedModel(policy, melody_vocabulary(), origin), folder)


def _print_table(runs: list[tuple[int, RunFolder]], options: Options) -> None:
    """The prior's column and that of the runs, with each run's seed also for its sampling."""
    from seqtutor.cli.output import print_table
    from seqtutor.report.melody_table import Measured, melody_table
    from seqtutor.tasks.melody.evaluation import MelodyEvaluation, evaluate_policy
    from seqtutor.tasks.melody.task import load_melody_model

    if not options.evaluate:
        return
    prior = load_melody_model(options.prior).model

    def measured(model: SequenceModel, seed: int) -> MelodyEvaluation:
        return evaluate_policy(
            model,
            prior,
            number=options.evaluate,
            length=options.length,
            seed=seed,
            rules=options.rules,
        )

    policies = [measured(load_melody_model(run.model).model, seed) for seed, run in runs]
    columns = [
        Measured("prior", [measured(prior, runs[0][0])]),
        Measured(options.tutor.method, policies),
    ]
    print_table(melody_table(columns))
