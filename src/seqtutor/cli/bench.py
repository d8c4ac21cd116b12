"""`seqtutor bench`: how fast this machine learns, beside how fast it could."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtutor.settings import require
from seqtutor.training.settings import TutorSettings

if TYPE_CHECKING:
    from seqtutor.report.tables import Table
    from seqtutor.runs.devices import Place
    from seqtutor.runs.speed import LoopSpeed
    from seqtutor.task_spec import TaskSpec

NOTE = """\
Ceiling: the largest float32 matrix product of one step, alone, in turns with the loop; a loop \
does other work besides, and half of it is good. \
First chunk: with compiling, or reading what was compiled before."""

MOST_SPREAD = 1.5
"""The longest round over the shortest, beyond which the figures are not to be trusted."""


@dataclass(frozen=True)
class Options:
    """Measure on this machine, in about half a minute a method, how fast policies learn.

    The whole loop is measured, by the task's usual settings: generating, rewarding, replaying and
    updating. Close other programs first.
    """

    methods: tuple[str, ...] = ("psi",)
    """Methods to measure, one after the other."""
    prior: Path | None = None
    """Folder of the prior; the one that comes with the package if not given."""
    rounds: int = 5
    """Turns of the loop and of the matrix product; the median counts."""
    seconds: float = 3.0
    """Of each turn of the loop, at least."""
    iterations: int = 5
    """Collections of sequences, each with its updates, in one compiled call."""
    devices: int = 1
    """Devices that share the work. On a CPU a device is a core."""
    json: bool = False
    """Print JSON instead of a table."""

    def __post_init__(self) -> None:
        require(len(self.methods) > 0, "give --methods at least one method")
        for name in ("rounds", "seconds", "iterations", "devices"):
            value = getattr(self, name)
            require(0 < value < math.inf, f"--{name} must be a number above 0, not {value}")


@dataclass(frozen=True)
class Report:
    """All that is printed."""

    machine: dict[str, Any]
    help_seconds: float
    peak_memory_mebibytes: float | None
    methods: dict[str, LoopSpeed]


def run(spec: TaskSpec[Any], options: Options) -> None:
    """Measure and print."""
    from seqtutor.machine import machine_facts, peak_memory
    from seqtutor.runs.devices import Place
    from seqtutor.runs.terminal import print_table

    spec.require_dependencies()
    place = Place(devices=options.devices)
    with place.joined():
        waited = help_seconds()
        speeds = {method: _speed(spec, method, options, place) for method in options.methods}
        report = Report(machine_facts(), waited, peak_memory(), speeds)
    if options.json:
        content = asdict(report)
        for method, speed in speeds.items():
            content["methods"][method]["share"] = speed.share
        print(json.dumps(content, indent=1))
        return
    print_table(table(report))
    print(NOTE)
    spread = max(speed.spread for speed in speeds.values())
    if spread > MOST_SPREAD:
        print(
            f"Some rounds took {spread:.1f} times as long as others: the machine had other work, "
            "and these figures say little. Close other programs and measure again."
        )
    memory = report.peak_memory_mebibytes
    ends = "" if memory is None else f" · {memory:,.0f} MiB of memory at most"
    print(f"seqtutor --help takes {waited:.2f} s{ends}")


def _speed(spec: TaskSpec[Any], method: str, options: Options, place: Place) -> LoopSpeed:
    from seqtutor.runs.config import RunConfig
    from seqtutor.runs.progress import console
    from seqtutor.runs.speed import measure_loop
    from seqtutor.runs.tuning import completed, open_tutor

    preset = spec.preset()
    tutor_settings = TutorSettings.of(method, **preset.tutor(method))
    console.print(f"Measuring {tutor_settings.symbol} (compiling first)")
    config = RunConfig(spec.name, tutor_settings, preset.settings(method), options.prior)
    config, _ = completed(spec, config)
    with open_tutor(spec, config, place=place) as tutor:
        return measure_loop(
            tutor, iterations=options.iterations, rounds=options.rounds, seconds=options.seconds
        )


def help_seconds() -> float:
    """What one waits for `seqtutor --help`."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "seqtutor", "--help"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def table(report: Report) -> Table:
    """A column for each method."""
    from seqtutor.report.tables import Cell, Column, Row, Table

    speeds = list(report.methods.values())

    def row(label: str, text: str, name: str) -> Row:
        return Row(label, tuple(Cell(text.format(getattr(speed, name))) for speed in speeds))

    on = report.machine
    shared = f", shared by {on['devices']} devices" if on["devices"] > 1 else ""
    return Table(
        title=f"The loop on {on['device']}, {on['cores']} cores{shared}, JAX {on['jax']}",
        columns=tuple(Column(TutorSettings.of(method).symbol) for method in report.methods),
        rows=(
            row("environment steps a second", "{:,.0f}", "environment_steps_per_second"),
            row("learned transitions a second", "{:,.0f}", "learned_transitions_per_second"),
            row("matrix products, Gflop/s", "{:,.1f}", "gflop_per_second"),
            row("ceiling, Gflop/s", "{:,.1f}", "ceiling_gflop_per_second"),
            row("share of the ceiling", "{:.0%}", "share"),
            row("first chunk, seconds", "{:.1f}", "first_seconds"),
        ),
    )
