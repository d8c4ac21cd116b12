"""Tuning runs side by side, each in a process of its own.

At the papers' sizes one run cannot keep two cores busy, while two runs can: XLA's threads gain
almost nothing on matrices this small. So every process gets one thread.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from rich.progress import Progress, TaskID

from seqtutor.cli.progress import progress_bar
from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.tasks.melody.settings import MelodyTuning
from seqtutor.training.run_folder import CONFIG, RunFolder, plain

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """A tuning run and the folder that it goes to."""

    name: str
    folder: Path
    tuning: MelodyTuning

    @property
    def run(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(self.folder)

    @property
    def is_done(self) -> bool:
        """Whether the folder holds this very run, complete."""
        has_config = (self.folder / CONFIG).is_file()
        return has_config and self.run.is_complete and self.run.config(MelodyTuning) == self.tuning

    def refuse_other_settings(self) -> None:
        """Raise a `UserError` if the folder holds another finished run, which would be lost."""
        has_run = (self.folder / CONFIG).is_file() and self.run.is_complete
        if has_run and not self.is_done:
            raise UserError(
                f"{self.folder} holds a finished run with other settings; choose another --output"
            )


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    log: Path
    bar: TaskID = field(default=TaskID(0))


def run_jobs(jobs: Sequence[Job], workers: int) -> None:
    """Run all jobs that are not done yet, `workers` at a time, with a bar each.

    Raises:
        UserError: if a folder holds a finished run with other settings, or if a run fails, with
            the last line that it printed.
    """
    for job in jobs:
        job.refuse_other_settings()
    waiting = [job for job in jobs if not job.is_done]
    running: list[_Running] = []
    try:
        with progress_bar() as progress:
            while waiting or running:
                while waiting and len(running) < workers:
                    running.append(_start(waiting.pop(0), progress))
                time.sleep(POLL_SECONDS)
                for one in running:
                    _show(one, progress)
                running = [one for one in running if not _has_ended(one, progress)]
    finally:
        for one in running:
            one.process.terminate()
            one.process.wait()


def _start(job: Job, progress: Progress) -> _Running:
    if job.folder.exists():
        # What is left of an attempt that was interrupted.
        shutil.rmtree(job.folder)
    config = job.folder.with_suffix(".yaml")
    log = job.folder.with_suffix(".log")
    atomic_write(config, yaml.safe_dump(plain(job.tuning), sort_keys=False))
    command = [sys.executable, "-m", "seqtutor", "tune", "melody", "--config", str(config)]
    command += ["--output", str(job.folder), "--evaluate", "0"]
    flags = " ".join(filter(None, [os.environ.get("XLA_FLAGS"), ONE_THREAD]))
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, "XLA_FLAGS": flags}
        )
    bar = progress.add_task(job.name, total=job.tuning.tutor.steps, note="starts and compiles")
    return _Running(job, process, log, bar)


def _show(one: _Running, progress: Progress) -> None:
    records = one.job.run.records()
    if records:
        note = "r {reward:.2f} log p {log_prior:.2f} KL {kl:.2f}".format(**records[-1])
        progress.update(one.bar, completed=records[-1]["step"], note=note)


def _has_ended(one: _Running, progress: Progress) -> bool:
    code = one.process.poll()
    if code is None:
        return False
    if code or not one.job.is_done:
        lines = one.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit code {code}"
        raise UserError(f"the run {one.job.name} failed: {reason} (all it said is in {one.log})")
    progress.update(one.bar, completed=one.job.tuning.tutor.steps)
    for leftover in (one.log, one.job.folder.with_suffix(".yaml")):
        leftover.unlink(missing_ok=True)
    return True
