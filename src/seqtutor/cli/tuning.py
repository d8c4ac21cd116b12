"""What `seqtutor tune` does for every task: the loop with its bars, several seeds, the files."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from seqtutor.cli.one_run import (
    finish_run,
    require_same,
    tune,
    tutor_for,
    with_last_good,
    without_table,
)
from seqtutor.cli.tune_options import TuneOptions
from seqtutor.errors import UserError
from seqtutor.methods.registry import symbol_of
from seqtutor.runs.tuning import Tuning
from seqtutor.settings import require

if TYPE_CHECKING:
    from seqtutor.models.base import SequenceModel
    from seqtutor.models.files import SavedModel
    from seqtutor.report.tables import Table
    from seqtutor.runs.jobs import Job
    from seqtutor.runs.run_folder import RunFolder
    from seqtutor.task import Task
    from seqtutor.training.tutor import Tutor

_Tuning = TypeVar("_Tuning", bound=Tuning)

TABLE = "table.csv"


class TaskTools(ABC, Generic[_Tuning]):
    """What a task brings to the loop.

    Attributes:
        one, many: what it calls a sequence.
    """

    one: str
    many: str

    @abstractmethod
    def load_prior(self, tuning: _Tuning) -> SavedModel:
        """Read the prior that the tuning names."""

    @abstractmethod
    def task(self, tuning: _Tuning, prior: SavedModel) -> Task:
        """Vocabulary, length and reward; it is closed at the end."""

    @abstractmethod
    def write_samples(
        self, policy: SequenceModel, tuning: _Tuning, number: int, folder: Path
    ) -> None:
        """Generate sequences and write them as files for people."""

    @abstractmethod
    def table(self, runs: list[tuple[_Tuning, RunFolder]], number: int) -> Table:
        """The prior's column and that of the runs, of so many sequences each."""

    def completed(self, tuning: _Tuning) -> _Tuning:
        """The tuning with nothing left open."""
        return tuning

    def described(self, tuning: _Tuning) -> str | None:
        """A line about what the run is for."""
        del tuning
        return None

    def written(self, tuning: _Tuning) -> tuple[str, ...]:
        """What the task itself has written at the end of a run, where."""
        del tuning
        return ()

    def on_record(self, task: Task, folder: Path) -> None:
        """Write what the task itself has to tell after each record into the run's folder."""

    def finish(self, task: Task, tuning: _Tuning, folder: Path) -> None:
        """Write what the task itself has to tell at the end of a run into its folder."""

    def print_results(self, runs: list[tuple[_Tuning, RunFolder]], output: Path) -> None:
        """Print what the task itself has to tell of the runs, before the table.

        Args:
            runs: of one method, with a seed each.
            output: the folder of the run, or of all of them.
        """

    def job_options(self, jobs_at_a_time: int) -> tuple[str, ...]:
        """Options that the command of each of several runs side by side gets."""
        del jobs_at_a_time
        return ()


def run_tuning(tuning: _Tuning, options: TuneOptions, tools: TaskTools[_Tuning]) -> None:
    """Tune, write the run's folder or one for each seed, print the table and keep its numbers."""
    with options.place.joined():
        tuning = tools.completed(tuning)
        if options.place.follows:
            _follow(tuning, options, tools)
        else:
            _run_tuning(tuning, options, tools)


def _follow(tuning: _Tuning, options: TuneOptions, tools: TaskTools[_Tuning]) -> None:
    """Do a part of the work of a run that another process leads; write nothing."""
    from seqtutor.runs.interruption import stop_request
    from seqtutor.runs.processes import follow

    # The first interruption reaches all processes of a terminal, and the leading one alone stops.
    with tutor_for(tuning, options, tools) as tutor, stop_request():
        follow(tutor, repr(tuning))


def _run_tuning(tuning: _Tuning, options: TuneOptions, tools: TaskTools[_Tuning]) -> None:
    from seqtutor.cli.output import counted, print_table
    from seqtutor.report.tables import write_csv
    from seqtutor.runs.interruption import telling
    from seqtutor.runs.progress import console
    from seqtutor.runs.run_folder import RunFolder, free_folder

    name = f"{tuning.task}-{tuning.tutor.method}"
    output = options.resume or options.output or free_folder(Path("runs"), name)
    written = ["the policy in model/"]
    if options.samples:
        written.append(f"{counted(options.samples, tools.one, tools.many)} in samples/")
    if options.seeds == 1:
        folder = RunFolder(output)
        if options.resume and folder.is_complete:
            require_same(tuning, folder)
            console.print(f"The run in {output} is complete")
            if (output / TABLE).is_file():
                return
        else:
            tune(tuning, folder, options, tools)
        runs = [(tuning, folder)]
        written += tools.written(tuning)
    else:
        jobs = _tune_seeds(tuning, output, options, tools)
        runs = [(job.tuning, job.run) for job in jobs]
        written[0] = "a run for each seed, with the policy in model/"
    with telling(lambda: without_table(tuning, output, options)):
        tools.print_results(runs, output)
        if options.evaluate:
            table = tools.table(runs, options.evaluate)
            print_table(table)
            write_csv(table, output / TABLE)
            written.append(f"the table in {TABLE}")
    print(f"{output}: {', '.join(written)}")


def _tune_seeds(
    tuning: _Tuning, output: Path, options: TuneOptions, tools: TaskTools[_Tuning]
) -> list[Job[_Tuning]]:
    """A run for each seed; gives the runs."""
    from seqtutor.runs.jobs import run_jobs, worker_count
    from seqtutor.runs.progress import console

    if _seeds_by(options, tuning) == "vmap":
        jobs = _jobs(tuning, output, options)
        _tune_by_vmap(jobs, options, tools)
        return jobs
    workers = min(options.seeds, worker_count(options.workers))
    jobs = _jobs(tuning, output, options, tools.job_options(workers))
    console.print(f"{len(jobs)} seeds into {output}, {workers} at a time")
    run_jobs(jobs, workers, output)
    return jobs


def _jobs(
    tuning: _Tuning, output: Path, options: TuneOptions, job_options: tuple[str, ...] = ()
) -> list[Job[_Tuning]]:
    """A run for each seed, each in a folder of its own."""
    from seqtutor.runs.jobs import Job
    from seqtutor.runs.run_folder import CONFIG

    if (output / CONFIG).exists():
        raise UserError(f"{output} holds a run of one seed; choose another --output")
    jobs = []
    for seed in range(tuning.tutor.seed, tuning.tutor.seed + options.seeds):
        own = replace(tuning, tutor=replace(tuning.tutor, seed=seed))
        name = f"{symbol_of(tuning.tutor.method)} seed {seed}"
        jobs.append(Job(name, output / f"seed{seed}", own, options.samples, job_options))
    return jobs


def _seeds_by(options: TuneOptions, tuning: Tuning) -> Literal["processes", "vmap"]:
    require(
        options.seeds_by != "vmap" or not tuning.remembers,
        "the reward remembers what it judged, which seeds in one program would share; give "
        "--seeds-by processes",
    )
    if options.seeds_by != "auto":
        return options.seeds_by
    if tuning.remembers:
        return "processes"
    # Asked of another process: here, JAX would only take memory and time from the runs.
    command = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
    backend = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return "processes" if backend in ("cpu", "") else "vmap"


def _tune_by_vmap(
    jobs: list[Job[_Tuning]], options: TuneOptions, tools: TaskTools[_Tuning]
) -> None:
    """All seeds as one program, with a bar each."""
    from seqtutor.runs.jobs import unfinished
    from seqtutor.runs.progress import console
    from seqtutor.runs.provenance import made_by
    from seqtutor.runs.run_folder import RunFolder

    waiting = {job.tuning.tutor.seed: job for job in unfinished(jobs)}
    if not waiting:
        return
    with tutor_for(jobs[0].tuning, options, tools) as tutor:
        told = made_by(tutor.prior, tutor.devices)
        for job in waiting.values():
            job.clear()
            RunFolder.start(job.folder, job.tuning, told)
        console.print(f"{len(jobs)} seeds into {jobs[0].folder.parent} (compiling first)")
        _run_with_bars(tutor, waiting, tools)


def _run_with_bars(
    tutor: Tutor, waiting: dict[int, Job[_Tuning]], tools: TaskTools[_Tuning]
) -> None:
    from seqtutor.runs.progress import console, note_of, progress_bar
    from seqtutor.training.run import DivergedError
    from seqtutor.training.seeds import seed_chunks

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
                    finish_run(reached.policy, tutor.task, job.tuning, job.run, job.samples, tools)
        except DivergedError as error:
            raise with_last_good(error, tutor.task, waiting[error.seed].run) from None
