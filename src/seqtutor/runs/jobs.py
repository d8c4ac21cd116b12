"""Tuning runs and games side by side, each in a process of its own.

At the papers' sizes one run cannot keep two cores busy, while two runs can: XLA's threads gain
almost nothing on matrices this small. So every process gets one thread.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml
from rich.progress import Progress, TaskID

from seqtutor.errors import UserError
from seqtutor.files import atomic_write, require_unused
from seqtutor.machine import usable_cores
from seqtutor.runs.config import RunConfig, read_config
from seqtutor.runs.interruption import resumable
from seqtutor.runs.made_of import require_made_of, what_differs
from seqtutor.runs.progress import console, note_of, progress_bar
from seqtutor.runs.provenance import COMMAND, command_line
from seqtutor.runs.run_folder import CONFIG, RunFolder, as_columns, differing, read_made_by
from seqtutor.task_spec import TaskSpec

SETTINGS, LOG = ".yaml", ".log"
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
POLL_SECONDS = 0.5


class Work(Protocol):
    """What can be done in a process of its own and, interrupted, continues from its folder."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def folder(self) -> Path:
        """Of its files."""

    @property
    def is_done(self) -> bool:
        """Whether the folder holds this work, complete."""

    @property
    def total(self) -> int:
        """How much there is to do, in units."""

    @property
    def unit(self) -> str:
        """What is counted."""

    def require_own_folder(self) -> None:
        """Refuse a folder that holds anything but this work, finished or not."""

    def command(self) -> list[str]:
        """Arguments for Python; the files that the program reads are written first."""

    def progress_at(self, record: Mapping[str, float]) -> JobProgress:
        """How far it is when the folder has this as its newest record."""


@dataclass(frozen=True)
class JobProgress:
    """How many units are done, and a note for people."""

    completed: float
    note: str


@dataclass(frozen=True)
class Job:
    """A tuning run in a process of its own.

    Attributes:
        name: for people.
        folder: of the run.
        spec: the task.
        config: of the run.
        samples: sequences that are written into the folder at the end.
        options: further options of the command, which do not change the outcome.
        made_of: what the run is made of beside its configuration; see `runs/made_of.py`.
    """

    name: str
    folder: Path
    spec: TaskSpec[Any]
    config: RunConfig[Any]
    samples: int = 16
    options: tuple[str, ...] = ()
    made_of: Mapping[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(self.folder)

    @property
    def is_done(self) -> bool:
        """Whether the folder holds this run, complete."""
        if not (self.folder / CONFIG).is_file() or not self.run.is_complete:
            return False
        recorded = read_made_by(self.folder / CONFIG)
        return self.has_same_config and not what_differs(recorded, self.made_of, self.spec)

    @property
    def total(self) -> int:
        """Environment steps."""
        return self.config.tutor.steps

    @property
    def unit(self) -> str:
        """What `total` counts."""
        return "steps"

    @property
    def has_same_config(self) -> bool:
        """Whether the run in the folder, complete or not, has this configuration."""
        return read_config(self.spec, self.folder) == self.config

    @property
    def is_begun(self) -> bool:
        """Whether the folder holds an unfinished run."""
        return (self.folder / CONFIG).is_file() and not self.run.is_complete

    def require_own_folder(self) -> None:
        """Refuse a folder that holds anything but this run, finished or not.

        Raises:
            UserError: if it does.
        """
        if not (self.folder / CONFIG).is_file():
            require_unused(self.folder)
        elif not self.has_same_config:
            own = read_config(self.spec, self.folder).content()
            changed = ", ".join(differing(own, self.config.content()))
            raise UserError(
                f"{self.folder} holds a run with other settings ({changed}); choose another "
                "output folder"
            )
        else:
            require_made_of(self.folder, self.made_of, self.spec, "choose another output folder")

    def clear(self) -> None:
        """Remove an unfinished run from the folder."""
        if self.is_begun:
            shutil.rmtree(self.folder)

    def command(self) -> list[str]:
        """`seqtutor tune` with this configuration, from a file beside the folder, or resumed."""
        command = ["-m", "seqtutor", "tune", self.spec.reference or self.spec.name]
        if self.is_begun:
            command += ["--resume", str(self.folder)]
        else:
            settings = yaml.safe_dump(self.config.record(), sort_keys=False)
            config = atomic_write(beside(self.folder, SETTINGS), settings)
            command += ["--config", str(config), "--output", str(self.folder)]
        return [*command, "--samples", str(self.samples), "--evaluate", "0", *self.options]

    def progress_at(self, record: Mapping[str, float]) -> JobProgress:
        """The steps so far, and the numbers that show how the run goes."""
        return JobProgress(record["step"], note_of(record))


def beside(folder: Path, suffix: str) -> Path:
    """A file that has the folder's name and this suffix, next to the folder."""
    return folder.with_name(folder.name + suffix)


_Work = TypeVar("_Work", bound=Work)


def unfinished(jobs: Sequence[_Work]) -> list[_Work]:
    """The jobs that are yet to be run or to go on.

    Raises:
        UserError: if a folder holds something else than its job's work.
    """
    for job in jobs:
        job.require_own_folder()
    return [job for job in jobs if not job.is_done]


def worker_count(asked: int | None) -> int:
    """How many processes to run side by side: as many as asked for, or one for each core.

    Raises:
        UserError: if it is below one.
    """
    workers = usable_cores() if asked is None else asked
    if workers < 1:
        raise UserError(f"workers must be at least 1, not {workers}")
    return workers


def histories_of(jobs: Sequence[Job]) -> dict[str, list[dict[str, list[float]]]]:
    """The records of finished jobs as columns: for each method a history for each seed."""
    histories: dict[str, list[dict[str, list[float]]]] = {}
    for job in jobs:
        columns = as_columns(job.run.records())
        histories.setdefault(job.config.tutor.method, []).append(columns)
    return histories


@dataclass
class _Running:
    job: Work
    process: subprocess.Popen[bytes]
    bar: TaskID = field(default=TaskID(0))


def run_jobs(jobs: Sequence[Work], workers: int, output: Path) -> None:
    """Do all jobs that are not done yet, `workers` at a time, with a bar each and one for all.

    A job that was interrupted goes on. When this is interrupted, the running ones are asked to stop
    at a point from which they can go on.

    Args:
        jobs: with folders below `output`.
        workers: processes at the same time.
        output: the folder that the command was given, or took, as its --output.

    Raises:
        Interrupted: once they have.
        UserError: if a folder holds something else than its job's work; or, after all other jobs
            have ended, if one failed, with the last line that it printed.
    """
    waiting = unfinished(jobs)
    running: list[_Running] = []
    failures: list[str] = []
    try:
        with progress_bar() as progress, _shared_programs() as programs:
            tell_all = _bar_for_all(tuple(waiting), progress) if len(waiting) > workers else None
            while waiting or running:
                while waiting and len(running) < workers:
                    running.append(_start(waiting.pop(0), progress, programs))
                time.sleep(POLL_SECONDS)
                for one in running:
                    _show(one, progress)
                ended = [one for one in running if one.process.poll() is not None]
                running = [one for one in running if one not in ended]
                failures += filter(None, (_end(one, progress) for one in ended))
                if tell_all is not None:
                    tell_all(waiting, running)
    except KeyboardInterrupt:
        console.print("Stopping at the next checkpoint; interrupt again to stop at once")
        _stop(running)
        raise resumable(output) from None
    finally:
        for one in running:
            one.process.kill()
            one.process.wait()
            for suffix in (SETTINGS, LOG):
                beside(one.job.folder, suffix).unlink(missing_ok=True)
    if failures:
        others = f"; {len(failures) - 1} more failed" if len(failures) > 1 else ""
        raise UserError(failures[0] + others)


def _stop(running: Sequence[_Running]) -> None:
    """Ask the runs to stop, and wait for them."""
    for one in running:
        one.process.terminate()
    for one in running:
        one.process.wait()


@contextmanager
def _shared_programs() -> Iterator[dict[str, str]]:
    """The environment in which runs that differ in the seed alone compile once.

    JAX keeps compiled programs in a folder, which is removed at the end unless it is the user's.
    """
    wanted = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    with tempfile.TemporaryDirectory(prefix="seqtutor-programs-") as folder:
        if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
            wanted["JAX_COMPILATION_CACHE_DIR"] = folder
        yield wanted


def _bar_for_all(
    jobs: Sequence[Work], progress: Progress
) -> Callable[[Sequence[Work], Sequence[_Running]], None]:
    """A bar that is moved by telling it what still waits and what runs."""
    total = sum(job.total for job in jobs)
    before = {job.folder: completed_in(RunFolder(job.folder), job.progress_at) for job in jobs}
    bar = progress.add_task(
        f"All {len(jobs)}",
        total=total,
        completed=sum(before.values()),
        unit=jobs[0].unit,
        note="",
        mean_speed=True,
    )

    def tell(waiting: Sequence[Work], running: Sequence[_Running]) -> None:
        done = {task.id: task.completed for task in progress.tasks}
        left = [job.total - before[job.folder] for job in waiting]
        # One that has made all its records has yet to save what it made of them.
        left += [max(1, int(one.job.total - done[one.bar])) for one in running]
        over = len(jobs) - len(left)
        progress.update(bar, completed=total - sum(left), note=f"{over} are over")

    return tell


def _start(job: Work, progress: Progress, programs: dict[str, str]) -> _Running:
    command = [sys.executable, *job.command()]
    environment = {
        # Several processes on one GPU must not each take most of its memory at once.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        **os.environ,
        **programs,
        "XLA_FLAGS": " ".join(filter(None, [os.environ.get("XLA_FLAGS"), ONE_THREAD])),
        COMMAND: command_line(),
    }
    with beside(job.folder, LOG).open("wb") as file:
        # In a session of its own: Ctrl-C reaches it through `run_jobs` alone, and once.
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env=environment, start_new_session=True
        )
    bar = progress.add_task(
        job.name,
        total=job.total,
        completed=completed_in(RunFolder(job.folder), job.progress_at),
        unit=job.unit,
        note="starts and compiles",
    )
    return _Running(job, process, bar)


def completed_in(run: RunFolder, progress_at: Callable[[Mapping[str, float]], JobProgress]) -> int:
    """The units that are done by a run's newest record; none without a record."""
    records = run.records()
    return int(progress_at(records[-1]).completed) if records else 0


def _show(one: _Running, progress: Progress) -> None:
    records = RunFolder(one.job.folder).records()
    if records:
        reached = one.job.progress_at(records[-1])
        progress.update(one.bar, completed=reached.completed, note=reached.note)


def _end(one: _Running, progress: Progress) -> str | None:
    """Tidy up after a run; why it failed, if it did."""
    job, log = one.job, beside(one.job.folder, LOG)
    beside(job.folder, SETTINGS).unlink(missing_ok=True)
    if one.process.returncode or not job.is_done:
        progress.update(one.bar, note="failed")
        return f"the run {job.name} failed: {_failure(one)} (all it said is in {log})"
    progress.update(one.bar, completed=job.total)
    for remark in RunFolder(job.folder).remarks():
        console.print(f"{job.name}: {remark}")
    log.unlink(missing_ok=True)
    return None


def _failure(one: _Running) -> str:
    code = one.process.returncode
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    if code == 0:
        # What it is made of was changed meanwhile, such as the file of its task.
        try:
            one.job.require_own_folder()
        except UserError as error:
            return str(error)
    log = beside(one.job.folder, LOG).read_text(encoding="utf-8", errors="replace")
    lines = log.strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"
