"""Figures of training runs and of what a policy is about to choose.

Each function returns the figure. matplotlib is imported when the first one is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from seqtutor.measures.intervals import mean_interval
from seqtutor.report.style import INK, QUIET, figure_style, method_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Mapping[str, ArrayLike]
"""One seed's run: "step" and named quantities, arrays of one length."""

Band = Literal["range", "interval"]

TAILS = 0.5
"""Per cent of each set's values that may lie beyond either end of a histogram's axis."""
_FEWEST_BINS, _MOST_BINS = 10, 50


@dataclass(frozen=True)
class Quantity:
    """What a panel of `training_curves` shows.

    Attributes:
        name: its key in the histories.
        label: the axis's label, with the unit.
        title: stands above the panel.
        reference: a value to compare with, drawn as a thin dashed line, and what it is.
    """

    name: str
    label: str
    title: str = ""
    reference: tuple[float, str] | None = None


@dataclass(frozen=True)
class SeedBand:
    """A quantity over training: the mean of the seeds and the band around it, `Float["step"]`."""

    step: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def seed_band(seeds: Sequence[History], name: str, band: Band = "range") -> SeedBand:
    """Mean over seeds at the steps that all of them have measured.

    The band is from the smallest to the largest seed ("range") or the 95 % t interval of the mean
    ("interval"); with one seed it has no width.

    Raises:
        ValueError: if there is no seed, or no step that all share.
    """
    if not seeds:
        raise ValueError(f"no seed to draw {name!r} of")
    steps = reduce(np.intersect1d, [np.asarray(seed["step"]) for seed in seeds])
    if steps.size == 0:
        raise ValueError("the seeds share no step")
    values = np.stack([_at(seed, name, steps) for seed in seeds])
    if band == "range":
        return SeedBand(steps, values.mean(axis=0), values.min(axis=0), values.max(axis=0))
    mean, half_width = mean_interval(values)
    half_width = np.nan_to_num(half_width)
    return SeedBand(steps, mean, mean - half_width, mean + half_width)


def _at(seed: History, name: str, steps: np.ndarray) -> np.ndarray:
    _, _, places = np.intersect1d(steps, np.asarray(seed["step"]), return_indices=True)
    return np.asarray(seed[name], dtype=np.float64)[places]


def training_curves(
    histories: Mapping[str, Sequence[History]],
    quantities: Sequence[Quantity],
    band: Band = "range",
    step_label: str = "environment steps",
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Quantities during training, one panel each, side by side; one line a method.

    The line is the mean over seeds, the band as `seed_band` says.

    Args:
        histories: for each method, one history per seed.
        quantities: what the panels show.
        band: what the band shows.
        step_label: what a step counts.
        labels: names to show instead of those of the methods' styles.

    Raises:
        ValueError: if a method's seeds share no step.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    methods = tuple(histories)
    with figure_style():
        figure = Figure(
            figsize=(4.4 * len(quantities), 3.5), layout=ConstrainedLayoutEngine(wspace=0.06)
        )
        panels = figure.subplots(1, len(quantities), squeeze=False)[0]
        for panel, quantity in zip(panels, quantities, strict=True):
            for method in methods:
                style = method_style(method, methods)
                curve = seed_band(histories[method], quantity.name, band)
                label = (labels or {}).get(method, style.label)
                panel.fill_between(
                    curve.step, curve.low, curve.high, color=style.color, alpha=0.16, linewidth=0
                )
                panel.plot(
                    curve.step,
                    curve.mean,
                    color=style.color,
                    linestyle=style.line,
                    marker="o" if len(curve.step) == 1 else "",
                    label=label,
                )
            _finish_curve_panel(panel, quantity, step_label)
            if (last := panel.dataLim.x1) == panel.dataLim.x0:
                panel.set_xlim(0, 1.25 * last or 1)
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside lower center", ncols=len(names), handlelength=3.2
        )
    return figure


def _finish_curve_panel(panel: Axes, quantity: Quantity, step_label: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    panel.set_title(quantity.title)
    panel.set_ylabel(quantity.label)
    panel.set_xlabel(step_label)
    panel.grid(axis="y")
    panel.margins(x=0.01, y=0.08)
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    if quantity.reference is not None:
        value, name = quantity.reference
        panel.axhline(value, color=QUIET, linewidth=0.9, linestyle="--", zorder=1)
        # Room for the name between the line and the panel's title.
        low, high = panel.get_ylim()
        panel.set_ylim(low, max(high, value + 0.1 * (high - low)))
        panel.annotate(
            name,
            (0.02, value),
            (0, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            # Curves come from below: above the line, on the left, there are none as a rule.
            ha="left",
            va="bottom",
            color=QUIET,
            fontsize=8,
        )


def short_count(value: float) -> str:
    """Write a count briefly: 0, 500, 20k, 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:g}"


def bin_edges(values: Sequence[Float[np.ndarray, " value"]], is_count: bool) -> np.ndarray:
    """Edges of bins that hold all but the tails of every set of values.

    Small sets get wide bins, so that chance does not look like structure.
    """
    ends = [np.percentile(one, (TAILS, 100 - TAILS)) for one in values if len(one)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if is_count:
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    if low == high:
        low, high = low - 0.5, high + 0.5
    bins = np.sqrt(min(len(one) for one in values if len(one)))
    return np.linspace(low, high, int(np.clip(bins, _FEWEST_BINS, _MOST_BINS)) + 1)


def token_probabilities(
    probabilities: Mapping[str, Float[np.ndarray, "time vocabulary"]],
    tokens: Mapping[str, Int[np.ndarray, " time"]],
    token_names: Sequence[str],
    shown_names: Sequence[str] | None = None,
    step_label: str = "step",
    group: int | None = None,
) -> Figure:
    """What each policy was about to choose at each step of a sequence, one panel a method.

    Darker is more probable, on a scale of square roots so that small probabilities show; a ring
    marks the token that was sampled.

    Args:
        probabilities: for each method, the distribution at each step.
        tokens: for each method, the sampled sequence.
        token_names: one name for each token of the vocabulary.
        shown_names: which names stand on the axis; by default as many as there is room for.
        step_label: what a step is.
        group: steps between the thin vertical lines, a bar of music for instance.

    Raises:
        ValueError: if shapes do not fit together.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    methods = tuple(probabilities)
    _check_shapes(probabilities, tokens, len(token_names))
    time = max(len(tokens[method]) for method in methods)
    panel_height = min(3.9, 0.4 + 0.092 * len(token_names))
    with figure_style():
        figure = Figure(
            figsize=(max(4.5, 1.4 + 0.2 * time), 0.5 + panel_height * len(methods)),
            layout="constrained",
        )
        panels = figure.subplots(len(methods), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        norm = PowerNorm(0.5, 0.0, 1.0)
        for panel, method in zip(panels, methods, strict=True):
            style = method_style(method, methods)
            _draw_probabilities(panel, probabilities[method], tokens[method], norm, style.color)
            panel.set_title(style.label, color=style.color)
            if group is not None:
                for place in range(group, time, group):
                    panel.axvline(place - 0.5, color=QUIET, linewidth=0.7, zorder=2)
        room = int(panel_height * 72 / 9)
        for panel in panels:
            panel.tick_params(axis="y", labelsize=6.5)
        places = _label_places(token_names, shown_names, room)
        panels[0].set_yticks(places, [token_names[place] for place in places])
        panels[-1].set_xlabel(step_label)
        panels[-1].set_xticks(range(0, time, _tick_spacing(time, group)))
        bar = figure.colorbar(
            ScalarMappable(norm, "Greys"),
            ax=list(panels),
            aspect=22,
            pad=0.015,
            shrink=0.9 / len(panels),
            anchor=(0.0, 1.0),
        )
        ticks = [0, 0.01, 0.05, 0.2, 0.5, 1]
        bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        bar.set_label("probability")
        bar.outline.set_visible(False)
    return figure


def _tick_spacing(time: int, group: int | None) -> int:
    """Steps between the labels: a whole part or a multiple of a group, at most about 12 labels."""
    candidates = [1, 2, 4, 8, 16, 32, 64, 128] if group is None else _parts(group)
    return next((step for step in candidates if time <= 12 * step), max(1, time // 12))


def _parts(group: int) -> list[int]:
    divisors = [step for step in range(1, group) if group % step == 0]
    return divisors + [group * factor for factor in (1, 2, 4, 8, 16)]


def _check_shapes(
    probabilities: Mapping[str, np.ndarray], tokens: Mapping[str, np.ndarray], vocabulary: int
) -> None:
    if not probabilities:
        raise ValueError("no method to draw")
    for method, table in probabilities.items():
        if np.shape(table) != (len(tokens[method]), vocabulary):
            raise ValueError(
                f"the probabilities of {method} have the shape {np.shape(table)}, not "
                f"{(len(tokens[method]), vocabulary)}"
            )


def _draw_probabilities(
    panel: Axes, table: np.ndarray, tokens: np.ndarray, norm: Any, color: str
) -> None:
    panel.imshow(
        np.asarray(table).T, origin="lower", aspect="auto", cmap="Greys", norm=norm, zorder=1
    )
    panel.scatter(
        np.arange(len(tokens)),
        np.asarray(tokens),
        s=30,
        facecolors="none",
        edgecolors=color,
        linewidths=1.5,
        zorder=3,
        label="sampled",
    )
    panel.tick_params(length=2)
    for side in panel.spines.values():
        side.set_visible(True)
        side.set_color(INK)
        side.set_linewidth(0.6)


def _label_places(names: Sequence[str], shown: Sequence[str] | None, room: int) -> list[int]:
    if shown is not None:
        return [names.index(name) for name in shown]
    return list(range(0, len(names), max(1, math.ceil(len(names) / room))))
