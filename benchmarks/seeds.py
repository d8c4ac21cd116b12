"""What several seeds cost: one alone, one after the other, by processes, and by `vmap`.

Every way trains the same policies of the melody task, in a fresh Python process or several, and is
measured once everything has been compiled. Wall time depends on what else the machine does; the
processor's time, summed over all threads and processes, hardly does.

    python benchmarks/seeds.py --seeds 4 --steps 120000

`seqtutor tune --seeds-by auto` follows from it: a batch of seeds pays where one seed leaves the
device idle, as on a GPU, and not where one seed keeps it busy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
TITLES = ("", "compiling", "running", "processor", "steps/s", "of one seed's time")
ROW = "{:38} {:>11} {:>9} {:>10} {:>10} {:>20}"


@dataclass(frozen=True)
class Cost:
    """Seconds of compiling and of the runs, the processor's seconds, and environment steps."""

    device: str
    compiling: float
    running: float
    processor: float
    steps: int


def measure(method: str, steps: int, seeds: list[int], by: str) -> Cost:
    """Train once to compile, then again against the clock, when told to."""
    import jax

    from seqtutor.models.files import load_model
    from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
    from seqtutor.tasks.melody.task import melody_task
    from seqtutor.training.run import run_tutor
    from seqtutor.training.seeds import run_seeds
    from seqtutor.training.settings import TutorSettings
    from seqtutor.training.tutor import Tutor

    settings = TutorSettings.of(method, steps=steps, log_every=max(1, steps // 2))
    tutor = Tutor(melody_task(), load_model(SHIPPED_PRIOR).model, settings)

    def train() -> None:
        if by == "vmap":
            run_seeds(tutor, seeds)
            return
        for seed in seeds:
            run_tutor(replace(tutor, settings=replace(settings, seed=seed)))

    first, _ = seconds_of(train)
    print("compiled", flush=True)
    sys.stdin.readline()
    running, processor = seconds_of(train)
    device = jax.devices()[0]
    total = len(seeds) * tutor.iterations * tutor.steps_per_iteration
    name = f"{device.platform} {device.device_kind}"
    return Cost(name, max(0.0, first - running), running, processor, total)


def seconds_of(action: Callable[[], None]) -> tuple[float, float]:
    """Wall time, and the time of this process's threads."""
    start, start_of_process = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - start, time.process_time() - start_of_process


def in_processes(arguments: argparse.Namespace, shares: list[list[int]], by: str) -> list[Cost]:
    """Measure in a process for each share of the seeds; they start against the clock together."""
    environment = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **os.environ}
    if len(shares) > 1:
        flags = os.environ.get("XLA_FLAGS", "")
        environment["XLA_FLAGS"] = f"{flags} {ONE_THREAD}".strip()
    command = [sys.executable, __file__, "--method", arguments.method]
    command += ["--steps", str(arguments.steps), "--measure", by, "--of"]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(
            [*command, *map(str, share)], stdin=pipe, stdout=pipe, env=environment, text=True
        )
        for share in shares
    ]
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline() != "compiled\n":
            raise SystemExit("a measurement failed")
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [Cost(**json.loads(process.communicate()[0])) for process in processes]


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--method", default="psi")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=120_000, help="environment steps of a run")
    parser.add_argument("--workers", type=int, default=2, help="processes at the same time")
    parser.add_argument("--measure", choices=("loop", "vmap"), help=argparse.SUPPRESS)
    parser.add_argument("--of", type=int, nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure every way and print the table."""
    arguments = options()
    if arguments.measure:
        cost = measure(arguments.method, arguments.steps, arguments.of, arguments.measure)
        print(json.dumps(asdict(cost)))
        return
    seeds = list(range(arguments.seeds))
    workers = min(arguments.workers, arguments.seeds)
    ways = {
        "one seed alone": ([seeds[:1]], "loop"),
        f"{len(seeds)} seeds, one after the other": ([seeds], "loop"),
        f"{len(seeds)} seeds by {workers} processes": (
            [seeds[worker::workers] for worker in range(workers)],
            "loop",
        ),
        f"{len(seeds)} seeds by vmap": ([seeds], "vmap"),
    }
    alone = None
    for way, (shares, by) in ways.items():
        costs = in_processes(arguments, shares, by)
        running = max(cost.running for cost in costs)
        if alone is None:
            alone = running
            print(f"{arguments.method}, {arguments.steps:,} steps a seed, on {costs[0].device}")
            print(ROW.format(*TITLES))
        numbers = (
            f"{max(cost.compiling for cost in costs):.1f} s",
            f"{running:.1f} s",
            f"{sum(cost.processor for cost in costs):.1f} s",
            f"{sum(cost.steps for cost in costs) / running:,.0f}",
            f"{running / alone:.2f} ×",
        )
        print(ROW.format(way, *numbers), flush=True)


if __name__ == "__main__":
    main()
