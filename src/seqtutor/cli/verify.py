"""`seqtutor verify`: every method against exact solutions."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtutor.settings import require, require_seed

if TYPE_CHECKING:
    from seqtutor.proof.verify import Case, Outcome
    from seqtutor.task_spec import TaskSpec

OF_METHODS = ("methods", "problems", "quick", "output", "workers")
"""Options that say nothing of a task that is checked."""


@dataclass(frozen=True)
class Options:
    """Verify this installation: train every method on tiny problems that are solved exactly.

    With a task before the options, check that task instead: its rewards must be causal, of the
    right shapes and the same at every call, its model's two ways of computation must agree.

    Each policy is compared with π* ∝ p·exp(r/c), or with the method's own exact solution where
    that is another. Policy gradients are compared with the enumerated gradient as well. The exit
    code is 1 if anything fails.
    """

    methods: tuple[str, ...] | None = None
    """Methods to verify; all by default."""
    problems: tuple[str, ...] | None = None
    """Problems to verify them on: coins, words, sharp, soft, long; all by default."""
    quick: bool = False
    """Two problems instead of all: two to three minutes on two cores."""
    seed: int = 0
    """Of the training runs; the problems stay the same."""
    prior: Path | None = None
    """Folder of the prior that a task is checked with; the one that comes with the package if not
    given."""
    output: Path | None = None
    """Folder for the results: verify.json with every number, verify.md with the table."""
    workers: int | None = None
    """Cases at the same time; by default one for each core."""


def run(spec: TaskSpec[Any] | None, options: Options) -> int:
    """Check every case, print the table, and return 1 if one has failed."""
    if spec is not None:
        return _verify_task(spec, options)
    from seqtutor.files import make_folder, require_unused
    from seqtutor.proof.verify import all_cases, settings_of
    from seqtutor.report.verification import (
        conclusion,
        label_of,
        verification_table,
        write_verification,
    )
    from seqtutor.runs.jobs import worker_count
    from seqtutor.runs.progress import console, progress_bar
    from seqtutor.runs.provenance import made_by_in_words
    from seqtutor.runs.terminal import print_table

    require_seed("--seed", options.seed)
    require(options.prior is None, "--prior is for checking a task: name the task first")
    cases = all_cases(options.methods, options.problems, quick=options.quick)
    workers = min(worker_count(options.workers), len(cases))
    if options.output is not None:
        require_unused(options.output)
        make_folder(options.output)
    outcomes: list[Outcome] = []
    with progress_bar() as progress:
        steps = sum(settings_of(case).steps for case in cases)
        bar = progress.add_task("Verifying", total=steps, note="starts and compiles")
        for outcome in _outcomes(cases, options.seed, workers):
            outcomes.append(outcome)
            note = f"{len(outcomes)}/{len(cases)} {label_of(outcome.case)}: {outcome.verdict}"
            progress.update(bar, advance=settings_of(outcome.case).steps, note=note)
    print_table(verification_table(outcomes))
    if options.output is not None:
        write_verification(outcomes, made_by_in_words(), options.output)
    failed = [outcome for outcome in outcomes if outcome.verdict == "FAIL"]
    for outcome in failed:
        text = f"FAIL {label_of(outcome.case)}: {'; '.join(outcome.faults)}"
        console.print(text, style="red", soft_wrap=True)
    print(conclusion(outcomes))
    return 1 if failed else 0


def _verify_task(spec: TaskSpec[Any], options: Options) -> int:
    """Check a task against its contract: its prior's model and its reward."""
    from seqtutor.proof.contract import check_task
    from seqtutor.runs.policies import load_prior

    require_seed("--seed", options.seed)
    given = [f"--{one}" for one in OF_METHODS if getattr(options, one) != getattr(Options(), one)]
    told = "methods are verified without a task: leave out the task, or "
    require(not given, told + " and ".join(given))
    spec.require_dependencies()
    settings = spec.preset().settings("psi")
    prior = load_prior(spec, options.prior) if spec.priors or options.prior else None
    if prior is not None:
        settings = spec.complete(settings, prior)[0]
    with spec.opened(settings, prior) as task:
        for line in check_task(task, None if prior is None else prior.model, options.seed):
            print(line)
    print(f"The task {spec.name} keeps its contract")
    return 0


def _outcomes(cases: list[Case], seed: int, workers: int) -> Iterator[Outcome]:
    """The outcomes in the order of the cases; compiling takes most of the time, on one core."""
    from multiprocessing import get_context

    from seqtutor.proof.verify import check

    if workers == 1:
        yield from (check(case, seed) for case in cases)
        return
    # Leaving the block ends the processes, also when it is left by an interrupt.
    with get_context("spawn").Pool(workers, _start_worker) as pool:
        yield from pool.imap(partial(check, seed=seed), cases)


def _start_worker() -> None:
    """Before JAX is imported: one thread each, no claim to a whole GPU, no say in interrupts."""
    from seqtutor.runs.jobs import ONE_THREAD

    flags = " ".join(filter(None, [os.environ.get("XLA_FLAGS"), ONE_THREAD]))
    os.environ["XLA_FLAGS"] = flags
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
