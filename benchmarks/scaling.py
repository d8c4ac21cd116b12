"""How the loop's speed grows with its sizes, as curves.

    python benchmarks/scaling.py --results scaling.jsonl --figure scaling.svg
    python benchmarks/scaling.py --curves environments --most 64 --seconds 0.5

Ψ on melodies, the whole loop: collection, nine rules, replay, updates. One size is changed at a
time, everything else stays at its default: environments 1 to 4,096, cells 64 to 1,024, length 32 to
1,024, seeds 1 to 32 in one program (`vmap`), one run over 1 and 2 devices (on a CPU, XLA's host
devices), and 1 and 2 processes with a run and a thread each. Every point is measured in processes
of its own and added to the file of results; what is there already is not measured again, so that
an interrupted series goes on where it was.

About seven minutes on two idle cores, of which most is compiling. On a GPU the curve of processes
means little; the others hold.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = Literal["environments", "cells", "length", "seeds", "devices", "processes"]
SIZES: dict[Curve, tuple[int, ...]] = {
    "environments": (1, 4, 16, 64, 256, 1024, 4096),
    "cells": (64, 128, 256, 512, 1024),
    "length": (32, 64, 128, 256, 512, 1024),
    "seeds": (1, 2, 4, 8, 16, 32),
    "devices": (1, 2),
    "processes": (1, 2),
}
AXES: dict[Curve, str] = {
    "environments": "sequences collected at a time",
    "cells": "cells of the LSTM",
    "length": "sixteenths in a melody",
    "seeds": "seeds in one program",
    "devices": "devices that share one run",
    "processes": "processes of one thread, a run each",
}
POINT = "SEQTUTOR_SCALING_POINT"
"""Holds the point, in the process that measures it."""
DEVICES = "--xla_force_host_platform_device_count"
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"


@dataclass(frozen=True)
class Options:
    """Measure the points that are missing, and draw all."""

    curves: tuple[Curve, ...] = tuple(SIZES)
    """Which of them."""
    most: int = 4096
    """No size above this."""
    seconds: float = 3.0
    """Of each point, once it is compiled."""
    results: Path = Path("scaling.jsonl")
    """File of the points, one a line."""
    figure: Path = Path("scaling.svg")
    """What to draw (.svg, .png or .pdf)."""


@dataclass(frozen=True)
class Point:
    """A curve's place, and how fast the loop was there."""

    curve: Curve
    size: int
    device: str = ""
    compiling: float = 0.0
    """Seconds until the first iteration was done."""
    steps: float = 0.0
    """Environment steps a second, of all seeds and processes together."""
    learned: float = 0.0
    """Learned transitions a second."""
    megabytes: float = 0.0
    """Peak memory of a process."""


@dataclass(frozen=True)
class Sizes:
    """What the loop is made of at a point."""

    environments: int = 128
    cells: int = 100
    length: int = 32
    seeds: int = 1

    @classmethod
    def of(cls, curve: Curve, size: int) -> Sizes:
        """The defaults, with the curve's own size changed."""
        return cls() if curve in ("devices", "processes") else cls(**{curve: size})


def measure(curve: Curve, size: int, seconds: float) -> Point:
    """Compile, run for so long, tell."""
    import resource

    import jax

    from seqtutor.models.lstm import LSTM
    from seqtutor.tasks.melody.settings import MelodySettings
    from seqtutor.tasks.melody.task import melody_task
    from seqtutor.training.seeds import advance_seeds, initial_states
    from seqtutor.training.settings import TutorSettings
    from seqtutor.training.tutor import Tutor

    sizes = Sizes.of(curve, size)
    settings = TutorSettings.of(
        "psi",
        environments=sizes.environments,
        replay_capacity=32 * sizes.environments,
        steps=10**9,
    )
    prior = LSTM(38, (sizes.cells,), key=jax.random.key(0))
    devices = size if curve == "devices" else 1
    tutor = Tutor(
        melody_task(MelodySettings(length=sizes.length)), prior, settings, devices=devices
    )
    by_seed = curve == "seeds"
    state: Any = initial_states(tutor, range(size)) if by_seed else tutor.initial_state()

    def advance() -> None:
        nonlocal state
        run = advance_seeds if by_seed else Tutor.advance
        state, _ = jax.block_until_ready(run(tutor, state, 1))

    start = time.perf_counter()
    advance()
    compiling = time.perf_counter() - start
    print("compiled", flush=True)
    sys.stdin.readline()
    done, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds or not done:
        advance()
        done += sizes.seeds
    learned = tutor.updates * tutor.batch * sizes.length
    return Point(
        curve,
        size,
        machine(),
        compiling,
        done * tutor.steps_per_iteration / taken,
        done * learned / taken,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def in_processes(curve: Curve, size: int, seconds: float) -> Point:
    """Measure a point in a process, or in several that start against the clock together."""
    flags = os.environ.get("XLA_FLAGS", "")
    if curve == "devices":
        flags += f" {DEVICES}={size}"
    if curve == "processes":
        flags += f" {ONE_THREAD}"
    environment = {**os.environ, "XLA_FLAGS": flags.strip()}
    environment[POINT] = json.dumps([curve, size, seconds])
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(
            [sys.executable, __file__], stdin=pipe, stdout=pipe, env=environment, text=True
        )
        for _ in range(size if curve == "processes" else 1)
    ]
    for process in started:
        assert process.stdout is not None
        if process.stdout.readline() != "compiled\n":
            raise SystemExit(f"the point {curve} {size} failed")
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    points = [Point(**json.loads(process.communicate()[0])) for process in started]
    together = {
        "steps": sum(point.steps for point in points),
        "learned": sum(point.learned for point in points),
    }
    return Point(**{**asdict(points[0]), **together})


def read(path: Path) -> dict[tuple[str, int], Point]:
    """The points that have been measured."""
    lines = path.read_text().splitlines() if path.is_file() else []
    points = [Point(**json.loads(line)) for line in lines]
    return {(point.curve, point.size): point for point in points}


def draw(points: Sequence[Point], path: Path) -> None:
    """A panel for each curve."""
    from matplotlib.figure import Figure

    from seqtutor.report.style import QUIET, figure_style, save_figure

    curves = [curve for curve in SIZES if any(point.curve == curve for point in points)]
    with figure_style():
        columns = min(3, len(curves))
        rows = -(-len(curves) // columns)
        figure = Figure(figsize=(3.3 * columns, 2.7 * rows), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for curve, panel in zip(curves, axes, strict=False):
            draw_curve(panel, curve, [point for point in points if point.curve == curve])
        for panel in axes[len(curves) :]:
            panel.set_axis_off()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
        figure.supxlabel(points[0].device, fontsize=8, color=QUIET)
    save_figure(figure, path)


def draw_curve(panel: Axes, curve: Curve, points: Sequence[Point]) -> None:
    """Environment steps and learned transitions a second, both axes logarithmic."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    from seqtutor.report.style import method_style

    ordered = sorted(points, key=lambda point: point.size)
    sizes = [point.size for point in ordered]
    series = {
        "environment steps a second": ([point.steps for point in ordered], "psi"),
        "learned transitions a second": ([point.learned for point in ordered], "q"),
    }
    for label, (values, look) in series.items():
        style = method_style(look)
        panel.plot(
            sizes, values, color=style.color, linestyle=style.line, marker="o", ms=3, label=label
        )
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
    every = [value for values, _ in series.values() for value in values]
    is_wide = max(every) > 50 * min(every)
    panel.yaxis.set_major_locator(LogLocator(10, subs=(1.0,) if is_wide else (1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(EngFormatter(sep=""))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_minor_locator(NullLocator())
    panel.margins(y=0.1)
    panel.grid(axis="y")
    panel.set_xlabel(AXES[curve])


def machine() -> str:
    """What this process computes on, for a reader."""
    import jax

    from seqtutor.machine import device, usable_cores

    name = device()
    return f"{usable_cores()} cores, {name}" if jax.default_backend() == "cpu" else name


def main(options: Options) -> None:
    """Measure what is missing, print and draw everything."""
    row = "{:<14}{:>7}{:>12}{:>16}{:>18}{:>10}"
    print(row.format("", "size", "compiling", "env. steps/s", "learned trans./s", "MiB"))
    points = read(options.results)
    for curve in options.curves:
        for size in (size for size in SIZES[curve] if size <= options.most):
            if (curve, size) not in points:
                points[curve, size] = point = in_processes(curve, size, options.seconds)
                with options.results.open("a") as file:
                    file.write(json.dumps(asdict(point)) + "\n")
            point = points[curve, size]
            numbers = (f"{point.steps:,.0f}", f"{point.learned:,.0f}", f"{point.megabytes:,.0f}")
            print(row.format(curve, size, f"{point.compiling:.1f} s", *numbers), flush=True)
    draw(list(points.values()), options.figure)
    print(f"drawn: {options.figure}")


if __name__ == "__main__":
    if POINT in os.environ:
        print(json.dumps(asdict(measure(*json.loads(os.environ[POINT])))))
    else:
        main(tyro.cli(Options))
