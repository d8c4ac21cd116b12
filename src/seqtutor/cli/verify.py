"""`seqtutor verify`: every method against exact solutions."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtutor.settings import require, require_seed

if TYPE_CHECKING:
    from seqtutor.proof.verify import Case, Outcome
    from seqtutor.report.tables import Row, Table
    from seqtutor.task_spec import TaskSpec

NOTE = """\
The distance is KL(policy ‖ target) or, where the target is the greatest reward, the share of it \
that is missing. E[r]/c − KL is what the policy reaches, log Z the most that any policy can. The \
gap is KL(policy ‖ π*): as theory expects it → as measured. The gradient is the cosine to the \
enumerated one.
pass: the target is the best of what the method maximises, and is reached; a method that maximises \
another objective than E[r]/c − KL has a gap. expected gap: the target is not the best of it, as \
theory says of this method or γ, and is reached. FAIL: it is not. \
Reached means a distance below {divergence:g} nats or {shortfall:.0%} of the reward, and a \
gradient above {cosine:g}."""

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


def defaults(spec: TaskSpec[Any] | None, arguments: list[str]) -> Options:
    """The same, whether a task is named or not."""
    return Options()


def run(spec: TaskSpec[Any] | None, options: Options) -> int:
    """Check every case, print the table, and return 1 if one has failed."""
    if spec is not None:
        return _verify_task(spec, options)
    from seqtutor.files import make_folder, require_unused
    from seqtutor.proof.verify import all_cases, settings_of
    from seqtutor.runs.jobs import worker_count
    from seqtutor.runs.progress import console, progress_bar
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
            note = f"{len(outcomes)}/{len(cases)} {_label(outcome.case)}: {outcome.verdict}"
            progress.update(bar, advance=settings_of(outcome.case).steps, note=note)
    print_table(table(outcomes))
    if options.output is not None:
        _write(outcomes, options.output)
    failed = [outcome for outcome in outcomes if outcome.verdict == "FAIL"]
    for outcome in failed:
        console.print(
            f"FAIL {_label(outcome.case)}: {'; '.join(outcome.faults)}", style="red", soft_wrap=True
        )
    print(_conclusion(outcomes))
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


def table(outcomes: list[Outcome]) -> Table:
    """One row a case."""
    from seqtutor.proof.verify import LARGEST_DIVERGENCE, LARGEST_SHORTFALL, SMALLEST_COSINE
    from seqtutor.report.tables import Column, Table

    titles = ("target", "distance", "E[r]/c − KL", "log Z", "gap to π*", "gradient", "verdict")
    return Table(
        "Every method against the exact solution (nats a sequence)",
        tuple(map(Column, titles)),
        tuple(map(_row, outcomes)),
        NOTE.format(
            divergence=LARGEST_DIVERGENCE, shortfall=LARGEST_SHORTFALL, cosine=SMALLEST_COSINE
        ),
        "problem, method",
    )


def _row(outcome: Outcome) -> Row:
    from seqtutor.report.tables import UNDEFINED, Cell, Row

    if outcome.case.is_of_reward_alone:
        distance = f"{100 * outcome.distance:.2f} %"
    else:
        distance = f"{outcome.distance:.4f}"
    gap = f"{outcome.expected_gap:.3f} → {outcome.measured_gap:.3f}"
    cells: list[Any] = [
        outcome.target,
        distance,
        f"{outcome.objective:.3f}",
        f"{outcome.greatest_objective:.3f}",
        UNDEFINED if outcome.target == "π*" else gap,
        UNDEFINED if outcome.cosine is None else f"{outcome.cosine:.4f}",
        outcome.verdict,
    ]
    return Row(_label(outcome.case), tuple(map(Cell, cells)))


def _label(case: Case) -> str:
    discount = "" if case.discount == 1.0 else f", γ = {case.discount:g}"
    return f"{case.problem.name}, {case.title}{discount}"


def _conclusion(outcomes: list[Outcome]) -> str:
    right = sum(outcome.verdict != "FAIL" for outcome in outcomes)
    return f"{right} of {len(outcomes)} cases are as theory says"


def _write(outcomes: list[Outcome], folder: Path) -> None:
    from seqtutor.files import atomic_write, json_number
    from seqtutor.report.tables import render_markdown
    from seqtutor.runs.provenance import made_by_in_words

    results = [
        {
            **{
                name: json_number(value) if isinstance(value, float) else value
                for name, value in asdict(outcome).items()
            },
            "verdict": outcome.verdict,
            "faults": outcome.faults,
        }
        for outcome in outcomes
    ]
    atomic_write(folder / "verify.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    page = [f"{_conclusion(outcomes)}.", made_by_in_words(), render_markdown(table(outcomes))]
    atomic_write(folder / "verify.md", "\n\n".join(page))
