"""Several seeds of one configuration: each in a process of its own, or all in one program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from seqtutor.errors import UserError
from seqtutor.machine import usable_cores
from seqtutor.runs.config import RunConfig
from seqtutor.runs.event_logs import LogName
from seqtutor.runs.jobs import Job, run_jobs, unfinished, worker_count
from seqtutor.runs.made_of import made_of
from seqtutor.runs.policies import load_prior
from seqtutor.runs.progress import console, note_of, progress_bar
from seqtutor.runs.provenance import made_by
from seqtutor.runs.run_folder import CONFIG, RunFolder
from seqtutor.runs.tuning import finish_run, open_tutor, with_last_good
from seqtutor.settings import require
from seqtutor.task_spec import TaskSpec
from seqtutor.training.run import DivergedError
from seqtutor.training.seeds import seed_chunks
from seqtutor.training.tutor import Tutor


def seeds_in_one_program(choice: Literal["auto", "processes", "vmap"], has_memory: bool) -> bool:
    """Whether seeds are trained at the same time in one program, which gains on a GPU alone.

    Raises:
        UserError: if that is asked for and the reward depends on earlier sequences.
    """
    require(
        choice != "vmap" or not has_memory,
        "the reward depends on earlier sequences, which seeds in one program would share; give "
        "--seeds-by processes",
    )
    if choice != "auto" or has_memory:
        return choice == "vmap"
    # In another process: here, JAX would take memory and time from the runs.
    command = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
    backend = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return backend not in ("cpu", "")


def seed_jobs(
    spec: TaskSpec[Any],
    config: RunConfig[Any],
    output: Path,
    seeds: int,
    samples: int,
    reward_workers: int | None = None,
    logs: Sequence[LogName] = (),
) -> list[Job]:
    """A run for each seed, each in a folder of its own below `output`.

    Raises:
        UserError: if `output` holds a run of one seed.
    """
    if (output / CONFIG).exists():
        raise UserError(f"{output} holds a run of one seed; choose another --output")
    options = reward_worker_options(reward_workers, min(seeds, usable_cores()))
    options += ("--log", *logs) if logs else ()
    now = made_of(spec, load_prior(spec, config.prior).model, config=config)
    return [
        Job(
            f"{config.tutor.symbol} seed {seed}",
            output / f"seed{seed}",
            spec,
            replace(config, tutor=replace(config.tutor, seed=seed)),
            samples,
            options,
            now,
        )
        for seed in range(config.tutor.seed, config.tutor.seed + seeds)
    ]


def reward_worker_options(reward_workers: int | None, runs_at_a_time: int) -> tuple[str, ...]:
    """The option that gives each of several runs its share of the reward's worker processes."""
    own = max(1, usable_cores() // runs_at_a_time) if reward_workers is None else reward_workers
    return ("--reward-workers", str(own))


def tune_jobs(jobs: list[Job], workers: int | None, output: Path) -> None:
    """Run jobs side by side, with a progress bar each."""
    number = min(len(jobs), worker_count(workers))
    console.print(f"{len(jobs)} seeds into {output}, {number} at a time")
    run_jobs(jobs, number, output)


def tune_together(jobs: list[Job]) -> None:
    """All seeds in one program, with a progress bar each."""
    waiting = {job.config.tutor.seed: job for job in unfinished(jobs)}
    if not waiting:
        return
    with open_tutor(jobs[0].spec, jobs[0].config) as tutor:
        own = made_of(jobs[0].spec, tutor.prior, tutor.task.max_length, jobs[0].config)
        provenance = made_by(tutor.devices) | own
        for job in waiting.values():
            job.clear()
            RunFolder.start(job.folder, job.config.record(), provenance)
        _run_with_bars(tutor, waiting)


def _run_with_bars(tutor: Tutor, waiting: Mapping[int, Job]) -> None:
    with progress_bar() as progress:
        bars = {
            seed: progress.add_task(job.name, total=tutor.steps, note="")
            for seed, job in waiting.items()
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
                    finish_run(
                        job.spec, job.config, reached.policy, tutor.task, job.run, job.samples
                    )
        except DivergedError as error:
            failed = waiting[error.seed]
            raise with_last_good(
                error, failed.spec, failed.config, tutor.task, failed.run
            ) from None
