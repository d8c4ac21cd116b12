"""`seqtutor tune`: a prior and a reward in, a policy out."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from seqtutor.arguments import value_of
from seqtutor.cli.flat_settings import require_options_of
from seqtutor.cli.options import extended
from seqtutor.methods.registry import DEFAULT_METHOD, method_named
from seqtutor.preferences.settings import PreferenceTerm
from seqtutor.runs.devices import Place
from seqtutor.runs.event_logs import LogName, require_loggers
from seqtutor.settings import require
from seqtutor.training.settings import TutorSettings

if TYPE_CHECKING:
    from seqtutor.runs.config import RunConfig
    from seqtutor.runs.interruption import Interrupted
    from seqtutor.runs.run_folder import RunFolder
    from seqtutor.task_spec import TaskSpec

TABLE, PAGE = "table.csv", "page.html"


@dataclass(frozen=True)
class Options:
    """Tune a copy of the prior by reinforcement learning.

    The policy maximises E[reward]/c − KL(policy ‖ prior). The folder of the run gets its
    configuration, a record of every chunk, the policy, samples, and the table as table.csv.

    With --seeds, the output folder gets such a folder for each seed. Called again with the same
    --output, it keeps the finished ones and runs the others.
    """

    preset: str = ""
    """Named settings to start from; options that are given beside it win."""
    config: Path | None = None
    """Take all settings from the config.yaml of an earlier run, or from the folder of that run,
    instead of a preset. A reward's own functions and commands that it names are run."""
    output: Path | None = None
    """Folder of the run; by default a new one in runs/."""
    resume: Path | None = None
    """Continue the interrupted run in this folder, bit for bit as if it had not stopped. A run that
    was killed continues from its last checkpoint; there is one a minute. A reward's own functions
    and commands that its config.yaml names are run: do so only if you trust the folder."""
    seeds: int = 1
    """Independent policies to train, with --seed, --seed + 1 and so on; the table then has 95 %
    intervals over them."""
    seeds_by: Literal["auto", "processes", "vmap"] = "auto"
    """How several seeds are trained:
    - processes: each in a process of its own with one thread, some at a time
    - vmap: all at the same time, in one program
    - auto: vmap on a GPU, processes on a CPU, where vmap gains nothing
    """
    workers: int | None = None
    """Processes at the same time; by default one for each core."""
    place: Annotated[Place, tyro.conf.arg(name="")] = field(default_factory=Place)
    """The devices and processes of one run."""
    samples: int = 16
    """Sequences to write into the folder of the run at the end."""
    evaluate: int = 10_000
    """Sequences to generate for the table and the page at the end; 0 for neither."""
    reward_workers: int | None = None
    """Worker processes of a reward that uses them; by default one for each core, shared by seeds
    that are trained at the same time. 0 computes the reward in this process."""
    log: tuple[LogName, ...] = ()
    """Where records and samples are shown besides: in TensorBoard, in Weights & Biases, or both."""
    prior: Path | None = None
    """Folder of the prior; the one that comes with the package if not given."""
    preference: PreferenceTerm = field(default_factory=PreferenceTerm)
    """A preference model as a term of the reward."""

    def __post_init__(self) -> None:
        for name in ("samples", "evaluate", "reward_workers"):
            value, option = getattr(self, name), f"--{name.replace('_', '-')}"
            require(value is None or value >= 0, f"{option} must not be negative, not {value}")
        require_loggers(self.log)
        require(self.seeds >= 1, f"--seeds must be at least 1, not {self.seeds}")
        require(
            self.seeds == 1 or self.place.total == 1,
            "several seeds keep all devices busy, each with its own: leave out --devices and "
            "--processes, or --seeds",
        )
        require(
            self.resume is None or (self.output is None and self.seeds == 1),
            "--resume continues in the run's own folder with its own seed: leave out --output and "
            "--seeds (several seeds continue when the same command is given again)",
        )


def defaults(spec: TaskSpec[Any], arguments: list[str]) -> Options:
    """The preset or configuration that the arguments name, as defaults for all other options.

    Raises:
        UserError: if there is none, or several are named.
    """
    names = ("--config", "--preset", "--resume")
    given = {name: value for name in names if (value := value_of(name, arguments))}
    require(len(given) < 2, "give one of --config, --preset and --resume, not several")
    numbers = spec.numbers
    values: dict[str, Any] = {
        "samples": numbers.samples_of_run,
        "evaluate": numbers.evaluation_of_run,
    }
    path = given.get("--config") or given.get("--resume")
    if path is None:
        method = value_of("--method", arguments) or DEFAULT_METHOD
        preset = spec.preset(given.get("--preset"))
        # A preset weighs the task's reward, which votes have nothing to do with.
        from_votes = method_named(method).learns_from_votes
        tutor = TutorSettings.of(method, **({} if from_votes else preset.tutor(method)))
        settings = preset.settings(method)
    else:
        from seqtutor.runs.config import read_config
        from seqtutor.runs.run_folder import CONFIG

        is_run = (Path(path) / CONFIG).is_file()
        require(
            "--resume" not in given or is_run, f"{path} is not a run's folder: it has no {CONFIG}"
        )
        config = read_config(spec, Path(path))
        tutor, settings = config.tutor, config.settings
        values |= {"prior": config.prior, "preference": config.preference}
        values |= vars(config.outputs) if config.outputs else {}
    require_options_of(tutor.method, arguments)
    return extended(Options, values, {"tutor": tutor, "settings": settings})


def run(spec: TaskSpec[Any], options: Any) -> None:
    """Tune, write the folder of the run or one for each seed, print the table."""
    from seqtutor.runs.config import RunConfig, RunOutputs
    from seqtutor.runs.progress import console
    from seqtutor.runs.tuning import completed, outputs_asked, remark_on_origin

    spec.require_dependencies()
    given = options.tutor, options.settings, options.prior, options.preference
    outputs = RunOutputs(options.samples, options.evaluate)
    config = RunConfig(spec.name, *given, outputs_asked(spec, options.config, outputs))
    with options.place.joined():
        config, warnings = completed(spec, config)
        if options.place.follows:
            _follow(spec, config, options)
            return
        if options.config is not None:
            warnings += filter(None, [remark_on_origin(spec, config, options.config)])
        for warning in warnings:
            console.print(warning, style="yellow")
        _lead(spec, config, options)


def _follow(spec: TaskSpec[Any], config: RunConfig[Any], options: Options) -> None:
    """Do a part of the work of a run that another process leads; write nothing."""
    from seqtutor.runs.interruption import stop_request
    from seqtutor.runs.processes import follow
    from seqtutor.runs.tuning import open_tutor

    # The first interruption reaches all processes of a terminal, and the leading one alone stops.
    with (
        open_tutor(spec, config, place=options.place, reward_workers=0) as tutor,
        stop_request(),
    ):
        follow(tutor, repr(config))


def _lead(spec: TaskSpec[Any], config: RunConfig[Any], options: Options) -> None:
    from seqtutor.runs.interruption import raising_instead
    from seqtutor.runs.progress import console
    from seqtutor.runs.run_folder import RunFolder, free_folder
    from seqtutor.runs.tuning import require_same

    name = f"{spec.name}-{config.tutor.method}"
    output = options.resume or options.output or free_folder(Path("runs"), name)
    wanted = [TABLE, PAGE]
    if options.seeds == 1:
        folder = RunFolder(output)
        folders = [output]
        if options.resume and folder.is_complete:
            require_same(spec, config, folder)
            console.print(f"The run in {output} is complete")
            wanted = [one for one in wanted if not (output / one).is_file()]
            if not wanted:
                return
        else:
            _tune(spec, config, folder, options)
    else:
        folders = _tune_seeds(spec, config, output, options)
    with raising_instead(lambda: _interrupted_before_table(spec, output, options)):
        _report(spec, config, folders, output, options, wanted)


def _report(
    spec: TaskSpec[Any],
    config: RunConfig[Any],
    folders: list[Path],
    output: Path,
    options: Options,
    wanted: list[str],
) -> None:
    """Print what the task has to say, and the table, whose numbers are written; and the page."""
    from seqtutor.report.tables import Table, write_csv
    from seqtutor.runs.evaluating import evaluate_runs
    from seqtutor.runs.page import write_run_page
    from seqtutor.runs.terminal import counted, print_table

    is_one = folders == [output]
    written = ["the policy in model/" if is_one else f"a run in {folders[0].name}/ and so on"]
    if options.samples:
        place = "samples/" if is_one else f"{folders[0].name}/samples/"
        written.append(f"{counted(options.samples, spec.one, spec.many)} in {place}")
    for one in spec.summarise(folders, config.settings, output):
        (print_table if isinstance(one, Table) else print)(one)
    most, workers, known = options.evaluate, options.reward_workers, None
    if most and TABLE in wanted:
        table, known = evaluate_runs(spec, folders, most, workers)
        print_table(table)
        write_csv(table, output / TABLE)
        written.append(f"the table in {TABLE}")
    if most and PAGE in wanted:
        page = write_run_page(
            spec, folders, output, most=most, reward_workers=workers, logs=options.log, known=known
        )
        written.append(f"all of it on a page in {page.name}")
    print(f"{output}: {', '.join(written)}")


def _tune(spec: TaskSpec[Any], config: RunConfig[Any], folder: RunFolder, options: Options) -> None:
    """One run, with a progress bar, to its model."""
    from seqtutor.runs.interruption import raising_instead, stop_request
    from seqtutor.runs.progress import console
    from seqtutor.runs.run_folder import CONFIG
    from seqtutor.runs.tuning import open_tutor, require_own_folder
    from seqtutor.runs.tuning_with_bar import tune_with_bar

    again = _resume_command(spec, folder.path, options)
    if (folder.path / CONFIG).is_file():
        folder.require_unlocked()
    require_own_folder(spec, config, folder, resume=None if options.resume else again)
    with (
        open_tutor(
            spec, config, place=options.place, reward_workers=options.reward_workers
        ) as tutor,
        stop_request() as is_to_stop,
    ):

        def announce() -> None:
            console.print(
                f"Tuning with {tutor.method.symbol}, c = {tutor.settings.c:g}, {tutor.steps:,} "
                f"steps, into {folder.path} (compiling first)"
            )
            if (description := spec.describe(config.settings)) is not None:
                console.print(description, highlight=False)

        with raising_instead(lambda: _interrupted_in_chunk(folder, again)):
            tune_with_bar(
                spec,
                config,
                tutor,
                folder,
                samples=options.samples,
                evaluate=options.evaluate,
                is_to_stop=is_to_stop,
                on_begin=announce,
                logs=options.log,
                again=again,
            )
        if is_to_stop():
            raise _interrupted_before_table(spec, folder.path, options)


def _tune_seeds(
    spec: TaskSpec[Any], config: RunConfig[Any], output: Path, options: Options
) -> list[Path]:
    """A run for each seed; gives the folders of the runs."""
    from seqtutor.runs.event_logs import log_records
    from seqtutor.runs.folder_lock import made_and_locked
    from seqtutor.runs.progress import console
    from seqtutor.runs.seeds import seed_jobs, seeds_in_one_program, tune_jobs, tune_together

    with made_and_locked(output):
        if seeds_in_one_program(options.seeds_by, spec.has_memory(config.settings)):
            jobs = seed_jobs(spec, config, output, options.seeds, options.samples)
            console.print(f"{len(jobs)} seeds into {output} (compiling first)")
            tune_together(jobs)
            for job in jobs:
                log_records(options.log, job.run, job.config.content())
        else:
            own = (options.reward_workers, options.log)
            jobs = seed_jobs(spec, config, output, options.seeds, options.samples, *own)
            tune_jobs(jobs, options.workers, output)
    return [job.folder for job in jobs]


def _interrupted_in_chunk(folder: RunFolder, again: str) -> KeyboardInterrupt:
    """An interruption during a chunk, and from where the run can continue."""
    from seqtutor.runs.interruption import Interrupted
    from seqtutor.runs.run_folder import CONFIG
    from seqtutor.runs.run_on_disk import saved_steps

    if not (folder.path / CONFIG).is_file():
        return KeyboardInterrupt()
    steps = saved_steps(folder)
    where = f"the checkpoint of step {steps[0]:,}" if steps else "the start"
    return Interrupted(f"interrupted; continue from {where} with: {again}")


def _interrupted_before_table(spec: TaskSpec[Any], output: Path, options: Options) -> Interrupted:
    """An interruption after which the policy is saved, and how to get its table."""
    from seqtutor.runs.interruption import Interrupted

    if options.seeds > 1:
        again = f"give the same command again with --output {shlex.quote(str(output))}"
    else:
        again = _resume_command(spec, output, options)
    return Interrupted(f"interrupted; the policy is in {output}; for its table and page: {again}")


def _resume_command(spec: TaskSpec[Any], path: Path, options: Options) -> str:
    """The command that continues a run, with the options that its folder does not hold."""
    from seqtutor.runs.config import RunOutputs
    from seqtutor.runs.tuning import outputs_recorded

    command = f"seqtutor tune {shlex.quote(spec.reference)} --resume {shlex.quote(str(path))}"
    outputs = outputs_recorded(spec, path) or RunOutputs(options.samples, options.evaluate)
    for name, usual in {**vars(outputs), "reward_workers": None, "log": ()}.items():
        if (value := getattr(options, name)) != usual:
            words = value if isinstance(value, tuple) else (value,)
            command += " ".join((f" --{name.replace('_', '-')}", *map(str, words)))
    command += options.place.arguments
    return command + (" (and so in each other process)" if options.place.processes > 1 else "")
