"""How long the page of a run takes, how large it is, and what it holds.

    python benchmarks/page.py
    python benchmarks/page.py --task folk --folder runs/folk-rloo --samples 12

Without a folder, a short run of melodies is tuned first, which is not counted. The page is written
by `seqtutor report` as a process: once with what JAX has compiled before, as after `tune`, and once
with nothing, as on another machine. The bounds are those of 24 samples of the prior and as many of
the tuned policy: 10 MB, and 20 s on two idle cores. On a busy machine the CPU seconds, of all
processes together, tell more.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

MOST_BYTES, MOST_SECONDS = 10_000_000, 20.0
SHORT = ["--steps", "60000", "--evaluate", "0", "--samples", "2"]


@dataclass(frozen=True)
class Options:
    """Measure and print; the exit code is 1 if a page is too large or late."""

    task: str = "melody"
    """The task, or FILE.py:ATTRIBUTE."""
    folder: Path | None = None
    """Of a finished run."""
    samples: int = 24
    """Of each policy."""
    repetitions: int = 3
    """Of each kind; the median is printed."""


def written(
    task: str, folder: Path, samples: int, page: Path, cache: Path | None
) -> tuple[float, float]:
    """Seconds of one process that writes a page, and those of the CPU."""
    environment = dict(os.environ)
    if cache is not None:
        environment["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    command = [sys.executable, "-m", "seqtutor", "report", task, str(folder)]
    command += ["--output", str(page), "--samples", str(samples)]
    start, before = time.perf_counter(), cpu_of_children()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start, cpu_of_children() - before


def cpu_of_children() -> float:
    """Seconds of the CPU of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(options: Options) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = options.folder
        if folder is None:
            folder = scratch / "run"
            tune = [sys.executable, "-m", "seqtutor", "tune", options.task, "--output", str(folder)]
            subprocess.run([*tune, *SHORT], check=True, stdout=subprocess.DEVNULL)
        page = scratch / "page.html"
        arguments = (options.task, folder, options.samples, page)
        first = sorted(
            written(*arguments, scratch / f"empty-{i}") for i in range(options.repetitions)
        )
        again = sorted(written(*arguments, None) for _ in range(options.repetitions))
        text = page.read_text(encoding="utf-8")
    middle = options.repetitions // 2
    size = len(text.encode())
    print(f"{text.count('<article')} samples, {text.count('<audio')} sounds, ", end="")
    print(f"{text.count('<svg')} drawings: {size / 1e6:.2f} MB")
    for what, (seconds, cpu) in (("", again[middle]), ("with nothing compiled ", first[middle])):
        print(f"written {what}in {seconds:.1f} s, {cpu:.1f} CPU s")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return int(size > MOST_BYTES or again[middle][0] > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
