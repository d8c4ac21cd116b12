"""How long the page of a run takes, how large it is, and what it holds.

    python benchmarks/page.py
    python benchmarks/page.py --task folk --folder runs/folk-rloo --samples 12

Without a folder, a short run of melodies is tuned first, which is not counted. The page is written
by `seqtutor report` as a process: once with what JAX has compiled before, as after `tune`, and once
with nothing, as on another machine. The bounds are those of 24 samples of the prior and as many of
the tuned policy: 10 MB, and 20 s on two idle cores.
"""

from __future__ import annotations

import os
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


def written(task: str, folder: Path, samples: int, page: Path, cache: Path | None) -> float:
    """Seconds of one process that writes a page."""
    environment = dict(os.environ)
    if cache is not None:
        environment["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    command = [sys.executable, "-m", "seqtutor", "report", task, str(folder)]
    command += ["--output", str(page), "--samples", str(samples)]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def main(options: Options) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = options.folder
        if folder is None:
            folder = scratch / "run"
            tune = [sys.executable, "-m", "seqtutor", "tune", options.task, "--output", str(folder)]
            subprocess.run([*tune, *SHORT], check=True, capture_output=True)
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
    print(f"written in {again[middle]:.1f} s, with nothing compiled in {first[middle]:.1f} s")
    return int(size > MOST_BYTES or again[middle] > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
