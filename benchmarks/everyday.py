"""What one waits for every day: starting, the first step, many melodies, a prior, a long run.

    python benchmarks/everyday.py
    python benchmarks/everyday.py --parts start first-step --runs 3

- start: `seqtutor --help`, `seqtutor tune --help` and `import seqtutor`, as processes.
- first-step: `seqtutor tune` for one collection and its updates, as a process: as it comes, then
  with JAX's cache of compiled programs, empty (what it costs to fill it) and filled.
- melodies: sampling melodies from the prior, Table 1 of them, and all nine rules at every step, in
  a fresh process, with compiling and without.
- pretraining: tokens a second of a Note RNN that is trained on melodies, once compiled.
- memory: resident memory over a long run of the loop, chunk after chunk.

Every figure is the median of some runs, with the least and the most. A process that was not counted
goes first, so that files are in the system's memory.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import tyro

Part = Literal["start", "first-step", "melodies", "pretraining", "memory"]
PARTS: tuple[Part, ...] = ("start", "first-step", "melodies", "pretraining", "memory")

CACHE = "JAX_COMPILATION_CACHE_DIR"
ALL_PROGRAMS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
"""Have JAX keep quick and small programs too."""


@dataclass(frozen=True)
class Options:
    """Measure and print."""

    parts: tuple[Part, ...] = PARTS
    """Which of them."""
    runs: int = 5
    """Processes of each kind, or repetitions within one."""
    melodies: int = 100_000
    """To sample and score."""
    epochs: int = 3
    """Of pretraining, of which the first is not counted."""
    chunks: int = 200
    """Of the long run, of 20,000 steps each."""
    alone: bool = False
    """Measure the parts that need a fresh process here, in this one."""


def show(what: str, values: Sequence[float], unit: str, form: str = ".2f") -> None:
    """A line of the table: median, least and most."""
    middle, least, most = statistics.median(values), min(values), max(values)
    spread = "" if len(values) == 1 else f"   ({least:{form}} to {most:{form}})"
    print(f"{what:<52}{middle:>12{form}} {unit}{spread}", flush=True)


def seconds_of(action: Callable[[], object]) -> float:
    """Wall time."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def process(arguments: Sequence[str], environment: dict[str, str] | None = None) -> float:
    """Seconds of a whole process, which must end well."""
    command = [sys.executable, *arguments]
    everything = {**os.environ, **(environment or {})}
    return seconds_of(
        lambda: subprocess.run(command, check=True, capture_output=True, env=everything)
    )


def measure_start(options: Options) -> None:
    """Processes that do next to nothing."""
    ways = {
        "python -c pass": ["-c", "pass"],
        "seqtutor --help": ["-m", "seqtutor", "--help"],
        "seqtutor tune --help": ["-m", "seqtutor", "tune", "--help"],
        "import seqtutor": ["-c", "import seqtutor"],
        "from seqtutor import tune": ["-c", "from seqtutor import tune"],
    }
    for name, arguments in ways.items():
        process(arguments)
        show(name, [process(arguments) for _ in range(options.runs)], "s")


def measure_first_step(options: Options) -> None:
    """A run of one collection, from the shell and back."""
    with tempfile.TemporaryDirectory() as parent:
        number = 0

        def tune(cache: Path | None) -> float:
            nonlocal number
            number += 1
            command = ["-m", "seqtutor", "tune", "melody", "--steps", "4096", "--samples", "0"]
            command += ["--evaluate", "0", "--output", f"{parent}/run{number}"]
            return process(command, {} if cache is None else {CACHE: str(cache), **ALL_PROGRAMS})

        tune(None)
        runs = range(options.runs)
        show("seqtutor tune, 4,096 steps, as it comes", [tune(None) for _ in runs], "s")
        empty = [tune(Path(parent, f"cache{run}")) for run in runs]
        show("  with an empty cache of compiled programs", empty, "s")
        filled = [tune(Path(parent, f"cache{run}")) for run in runs]
        show("  with a filled one", filled, "s")
        size = sum(one.stat().st_size for one in Path(parent, "cache0").rglob("*"))
        show("  size of the cache", [size / 2**20], "MiB")


def measure_melodies(options: Options) -> None:
    """Sampling and scoring as `evaluate` and `score` do it."""
    import numpy as np

    from seqtutor.measures.policy import evaluate
    from seqtutor.models.files import load_model
    from seqtutor.tasks.melody.evaluation import melody_measures
    from seqtutor.tasks.melody.scoring import score
    from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
    from seqtutor.tasks.melody.task import melody_task

    prior = load_model(SHIPPED_PRIOR).model
    number = options.melodies

    def once() -> tuple[float, float]:
        start = time.perf_counter()
        task = melody_task()
        tokens = evaluate(
            prior,
            prior,
            task.vocabulary,
            [melody_measures()],
            number=number,
            length=task.max_length,
        ).samples.tokens
        sampled = time.perf_counter() - start
        total = score(np.asarray(tokens)).total
        assert total.shape == tokens.shape
        return sampled, time.perf_counter() - start - sampled

    first, *others = [once() for _ in range(options.runs + 1)]
    show(f"{number:,} melodies: all, compiling too", [sum(first)], "s")
    show(f"{number:,} melodies: sampled, Table 1", [one for one, _ in others], "s")
    show(f"{number:,} melodies: nine rules at every step", [one for _, one in others], "s")
    show(f"{number:,} melodies: both", [sum(one) for one in others], "s")


def measure_pretraining(options: Options) -> None:
    """The papers' Note RNN on as many random melodies as there are real ones."""
    import jax
    import numpy as np

    from seqtutor.models.lstm import LSTM
    from seqtutor.training.pretrain import Sequences, train_by_maximum_likelihood
    from seqtutor.training.pretrain_settings import PretrainSettings

    draw = np.random.default_rng(0)
    tokens = draw.integers(0, 38, (40_000, 32), dtype=np.int32)
    sequences = Sequences(tokens, np.ones(tokens.shape, bool))
    few = Sequences(tokens[:512], np.ones((512, 32), bool))
    settings = PretrainSettings(epochs=options.epochs, patience=options.epochs)
    model = LSTM(38, (100,), key=jax.random.key(0))
    ends = [time.perf_counter()]
    train_by_maximum_likelihood(
        model, sequences, few, settings, on_epoch=lambda record: ends.append(time.perf_counter())
    )
    speeds = [tokens.size / (after - before) for before, after in pairwise(ends[1:])]
    show("pretraining, 100 cells, batch 128", speeds, "tokens/s", ",.0f")


def measure_memory(options: Options) -> None:
    """The loop of Ψ by its defaults, with the resident memory after each chunk."""
    from seqtutor.models.files import load_model
    from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
    from seqtutor.tasks.melody.task import melody_task
    from seqtutor.training.run import chunks
    from seqtutor.training.settings import TutorSettings
    from seqtutor.training.tutor import Tutor

    settings = TutorSettings.of("psi", steps=options.chunks * 20_480)
    tutor = Tutor(melody_task(), load_model(SHIPPED_PRIOR).model, settings)
    resident = []
    for _ in chunks(tutor):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        resident.append(pages * resource.getpagesize() / 2**20)
    tenth, half = max(1, len(resident) // 10), len(resident) // 2
    for when, at in (
        ("after a tenth of the run", tenth),
        ("after half of it", half),
        ("at its end", 0),
    ):
        show(f"memory {when}", [resident[at - 1]], "MiB", ".1f")
    gain = statistics.mean(resident[-tenth:]) - statistics.mean(resident[half : half + tenth])
    steps = (len(resident) - half - tenth) * 20_480 / 1e6
    show(
        f"growth over the last {steps:.1f} million steps",
        [gain * 1024 / steps],
        "KiB a million steps",
        ",.0f",
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    show("peak memory", [peak], "MiB", ".1f")


MEASURE: dict[Part, Callable[[Options], None]] = {
    "start": measure_start,
    "first-step": measure_first_step,
    "melodies": measure_melodies,
    "pretraining": measure_pretraining,
    "memory": measure_memory,
}
IN_FRESH_PROCESSES: tuple[Part, ...] = ("melodies", "pretraining", "memory")


def main(options: Options) -> None:
    """Measure each part; those with JAX in a process of their own."""
    for part in options.parts:
        if part in IN_FRESH_PROCESSES and not options.alone:
            numbers = {"--runs": options.runs, "--melodies": options.melodies}
            numbers |= {"--epochs": options.epochs, "--chunks": options.chunks}
            command = [sys.executable, __file__, "--alone", "--parts", part]
            for name, number in numbers.items():
                command += [name, str(number)]
            subprocess.run(command, check=True)
        else:
            MEASURE[part](options)


if __name__ == "__main__":
    main(tyro.cli(Options))
