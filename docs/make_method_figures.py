"""The learning curves on the pages of docs/methods, drawn from finished runs.

    python docs/make_method_figures.py runs/compare-melody --c 5

Every folder below the given one that holds a config.yaml and a metrics.jsonl is a run, such as
`seqtutor tune` and `seqtutor compare` leave. Runs that differ in nothing but the seed are averaged;
where some of them were stopped early, up to the first stop.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
import yaml

from seqtutor.errors import UserError
from seqtutor.report.plots import History, Quantity, training_curves
from seqtutor.report.style import method_style, save_figure
from seqtutor.runs.run_folder import CONFIG, METRICS, RunFolder

PAGES = {
    "q": ("q",),
    "psi": ("psi",),
    "g": ("g",),
    "path": ("path",),
    "rloo": ("rloo",),
    "ppo": ("ppo",),
    "grpo": ("grpo",),
    "merl": ("merl",),
    "reinforce": ("reinforce", "reinforce-baseline"),
    "rl-only": ("rl-only",),
    "dpo": ("dpo",),
}
"""The methods in the figure of each page."""

QUANTITIES = (
    Quantity("reward", "mean reward a step", "Reward"),
    Quantity("kl", "nats a step", "KL from the prior"),
    Quantity("entropy", "nats a step", "Entropy"),
    Quantity("distinct", "share of a collection", "Distinct sequences"),
)
LIMITS = {"kl": (0.0, None), "entropy": (0.0, None), "distinct": (0.0, 1.05)}
"""What cannot be negative starts at zero, so that a collapse looks like one."""
INCHES = (11.0, 2.9)
"""Four panels that stay readable at the width of a page."""


@dataclass(frozen=True)
class Options:
    """Draw the learning curves of docs/methods from finished runs."""

    runs: tyro.conf.Positional[Path]
    """Folder that is searched for runs, with all folders in it."""
    c: tuple[float, ...] = ()
    """Take only runs with one of these c; needed where a method has runs with several."""
    output: Path = Path(__file__).parent / "figures" / "methods"
    """Folder of the figures."""


@dataclass(frozen=True)
class Run:
    """A finished run: all its settings but the seed, the seed, and its records by quantity."""

    settings: Mapping[str, Any]
    seed: int
    history: History

    @property
    def tutor(self) -> Mapping[str, Any]:
        """The settings of the tutor."""
        return self.settings["tutor"]


def finished_runs(folder: Path) -> Iterator[Run]:
    """Every complete run below a folder, in the order of the paths."""
    for metrics in sorted(folder.rglob(METRICS)):
        run = RunFolder(metrics.parent)
        config = run.path / CONFIG
        if not (config.is_file() and run.is_complete):
            print(f"{run.path}: not a finished run, left out", file=sys.stderr)
            continue
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        content.pop("made_by", None)
        records = run.records()
        history = {name: np.array([record[name] for record in records]) for name in records[0]}
        yield Run(content, content["tutor"].pop("seed"), history)


def runs_by_method(runs: Sequence[Run], c: Sequence[float]) -> dict[str, list[Run]]:
    """The runs of each method, those with one of the given c where any are given.

    Raises:
        UserError: if runs of one method differ in more than the seed, or share a seed.
    """
    found: dict[str, list[Run]] = {}
    for run in runs:
        if not c or run.tutor["c"] in c:
            found.setdefault(run.tutor["method"], []).append(run)
    for method, seeds in found.items():
        values = sorted({run.tutor["c"] for run in seeds})
        if len(values) > 1:
            listed = ", ".join(f"{value:g}" for value in values)
            raise UserError(f"there are runs of {method} with c = {listed}; choose one with --c")
        if any(run.settings != seeds[0].settings for run in seeds):
            raise UserError(f"the runs of {method} differ in more than c and the seed")
        if len({run.seed for run in seeds}) < len(seeds):
            raise UserError(f"there are several runs of {method} with the same seed")
    return found


def label(method: str, runs: Sequence[Run]) -> str:
    """What the legend says of a method's runs."""
    tutor, count = runs[0].tutor, len(runs)
    seeds = "1 seed" if count == 1 else f"mean and 95 % interval of {count} seeds"
    name = method_style(method).label
    return f"{name}, c = {tutor['c']:g}, γ = {tutor['discount']:g}: {seeds}"


def draw(options: Options) -> list[Path]:
    """Write the figures of all pages whose methods have runs.

    Raises:
        UserError: if there are no runs, or they cannot be averaged.
    """
    found = runs_by_method(list(finished_runs(options.runs)), options.c)
    if not found:
        raise UserError(f"there are no finished runs to draw in {options.runs}")
    written = []
    for page, methods in PAGES.items():
        shown = {method: found[method] for method in methods if method in found}
        if not shown:
            continue
        figure = training_curves(
            {method: [run.history for run in runs] for method, runs in shown.items()},
            QUANTITIES,
            band="interval",
            labels={method: label(method, runs) for method, runs in shown.items()},
        )
        figure.set_size_inches(*INCHES)
        for panel, quantity in zip(figure.axes, QUANTITIES, strict=True):
            panel.set_ylim(*LIMITS.get(quantity.name, (None, None)))
        written.append(save_figure(figure, options.output / f"{page}.svg"))
    return written


def main() -> int:
    """Draw; the exit code is 2 if the runs cannot be used."""
    try:
        for path in draw(tyro.cli(Options)):
            print(path)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
