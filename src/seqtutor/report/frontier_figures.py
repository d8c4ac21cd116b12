"""The figures of a comparison: the reward–KL frontier, diversity, and learning curves.

Each function returns the figure. matplotlib is imported when the first one is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seqtutor.report.frontier import BEST_OF_N, CONTROLS, PRIOR, TEMPERATURE, Frontier, Point
from seqtutor.report.plots import History, SeedBand, seed_band, short_count
from seqtutor.report.style import INK, QUIET, figure_style, method_style
from seqtutor.report.tables import format_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "*")
"""One for each value of c, from the smallest on; then from the first again."""

_CONTROL_LINES = {TEMPERATURE: (0, (1, 1.3)), BEST_OF_N: (0, (4, 1.5))}
_CONTROL_LABELS = {
    PRIOR: "the prior itself",
    TEMPERATURE: "at temperature T",
    BEST_OF_N: "best of n samples\n(KL: upper bound)",
}
_CONTROL_COLOR = "#555555"
_KL_TICKS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_DIVERSITY = (
    ("distinct", "Distinct {sequences}", "share of all"),
    ("entropy", "Entropy of the policy", "nats a step"),
    ("self_similarity", "Self-similarity", "mean cosine of 4-gram counts"),
)


def frontier_figure(
    points: Sequence[Point],
    frontiers: Sequence[Frontier],
    sequence: str = "sequence",
) -> Figure:
    """Reward against KL divergence: a line a method, and what the prior gives without training.

    Bars are 95 % intervals over seeds, of the controls over samples. A control that earns much
    less than every method and the prior leaves the figure at its lower edge.

    Args:
        points: all points, for the controls' marks.
        frontiers: the methods' are drawn.
        sequence: what a sequence is called.
    """
    from matplotlib.figure import Figure

    with figure_style():
        figure = Figure(figsize=(8.8, 5.0), layout="constrained")
        panel = figure.subplots()
        _draw_frontiers(panel, points, frontiers, "reward")
        _name_controls(panel, points)
        panel.set_ylim(*_limits(points, "reward"))
        panel.set_ylabel(f"mean reward a {sequence}")
        _finish_kl_axis(panel, points, sequence)
        _add_legend(figure, points, frontiers)
    return figure


def diversity_figure(
    points: Sequence[Point],
    frontiers: Sequence[Frontier],
    sequence: str = "sequence",
    sequences: str = "sequences",
) -> Figure:
    """Distinct sequences, entropy and self-similarity against KL divergence, side by side.

    Arguments as for `frontier_figure`; `sequences` is the plural.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    with figure_style():
        figure = Figure(figsize=(13.0, 4.0), layout="constrained")
        panels = figure.subplots(1, len(_DIVERSITY))
        for panel, (measure, title, label) in zip(panels, _DIVERSITY, strict=True):
            _draw_frontiers(panel, points, frontiers, measure)
            panel.set_title(title.format(sequences=sequences))
            panel.set_ylabel(label)
            panel.set_ylim(*_limits(points, measure))
            _finish_kl_axis(panel, points, sequence)
        panels[0].yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        _add_legend(figure, points, frontiers)
    return figure


def _draw_frontiers(
    panel: Axes, points: Sequence[Point], frontiers: Sequence[Frontier], measure: str
) -> None:
    methods = tuple(one.name for one in frontiers if one.is_over_c)
    markers = _markers(points)
    for order, frontier in enumerate(one for one in frontiers if one.is_over_c):
        style = method_style(frontier.name, methods)
        drawn = [point for point in frontier.points if _is_known(point, measure)]
        _line(panel, drawn, measure, style.color, style.line, zorder=3 + order / 100)
        for point in drawn:
            _mark(panel, point, measure, style.color, markers[point.setting], 4.6)
    prior = [point for point in points if point.name == PRIOR]
    for name, line in _CONTROL_LINES.items():
        own = [point for point in points if point.name == name]
        drawn = [point for point in [*prior, *own] if _is_known(point, measure)]
        drawn.sort(key=lambda point: point.setting)
        if any(point.name == name for point in drawn):
            _line(panel, drawn, measure, _CONTROL_COLOR, line, zorder=2.5, width=1.2)
        for point in drawn:
            if point.name == name:
                _mark(panel, point, measure, _CONTROL_COLOR, ".", 5.0)
    for point in prior:
        _mark(panel, point, measure, INK, "*", 10.0)


def _line(
    panel: Axes,
    points: Sequence[Point],
    measure: str,
    color: str,
    line: object,
    zorder: float,
    width: float = 1.6,
) -> None:
    panel.plot(
        [point.kl for point in points],
        [point.interval(measure).value for point in points],
        color=color,
        linestyle=line,
        linewidth=width,
        zorder=zorder,
    )


def _mark(panel: Axes, point: Point, measure: str, color: str, marker: str, size: float) -> None:
    """A point with its intervals in both directions."""
    from matplotlib.colors import to_rgba

    across, up = point.interval("kl"), point.interval(measure)
    panel.errorbar(
        [across.value],
        [up.value],
        xerr=_reach(min(across.half_width, across.value), across.half_width),
        yerr=_reach(up.half_width, up.half_width),
        color=color,
        marker=marker,
        markersize=size,
        markeredgecolor="white",
        markeredgewidth=0.5,
        ecolor=to_rgba(color, 0.6),
        elinewidth=0.9,
        zorder=4,
    )


def _reach(below: float, above: float) -> np.ndarray:
    return np.nan_to_num(np.array([[below], [above]]))


def _is_known(point: Point, measure: str) -> bool:
    return not math.isnan(point.interval(measure).value)


def _markers(points: Sequence[Point]) -> dict[float, str]:
    settings = sorted({point.setting for point in points if point.name not in CONTROLS})
    return {one: MARKERS[index % len(MARKERS)] for index, one in enumerate(settings)}


def _limits(points: Sequence[Point], measure: str) -> tuple[float, float]:
    """Room for every mean; an interval of few seeds may be cut.

    The tempered prior does not count for the reward: it can earn far less than anything else.
    """
    shown = [point for point in points if measure != "reward" or point.name != TEMPERATURE]
    means = [point.interval(measure).value for point in shown]
    low, high = np.nanmin(means), np.nanmax(means)
    margin = 0.07 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _name_controls(panel: Axes, points: Sequence[Point]) -> None:
    """The values of n and T beside their marks; at the lower edge those that lie below it."""
    from matplotlib.patheffects import withStroke

    low, _ = _limits(points, "reward")
    for point in points:
        if point.name not in (TEMPERATURE, BEST_OF_N):
            continue
        reward = point.interval("reward").value
        is_below = reward < low
        name = f"T = {point.setting:g}" if point.name == TEMPERATURE else f"n = {point.setting:g}"
        panel.annotate(
            f"{name}\n↓ {format_value(reward, 'integer')}" if is_below else name,
            (point.kl, max(reward, low)),
            (0, 3) if is_below else (5, -3),
            textcoords="offset points",
            ha="center" if is_below else "left",
            va="bottom" if is_below else "top",
            fontsize=6.5,
            linespacing=1.1,
            color=QUIET,
            zorder=2.7,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )


def _finish_kl_axis(panel: Axes, points: Sequence[Point], sequence: str) -> None:
    panel.set_xscale("function", functions=(np.arcsinh, np.sinh))
    largest = max(1.0, *(point.kl for point in points))
    panel.set_xlim(-0.15, np.sinh(1.05 * np.arcsinh(largest)))
    panel.set_xticks([tick for tick in _KL_TICKS if tick <= panel.get_xlim()[1]])
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.minorticks_off()
    panel.grid(True)
    panel.set_xlabel(f"KL divergence from the prior, nats a {sequence}")


def _add_legend(figure: Figure, points: Sequence[Point], frontiers: Sequence[Frontier]) -> None:
    """On the right: methods, values of c by their marks, and controls, each under a heading."""
    from matplotlib.lines import Line2D

    groups = {
        "At each c": _method_handles(frontiers),
        "Weight of the prior": _setting_handles(points),
        "Without training": _control_handles(points),
    }
    handles: list[Line2D] = []
    for heading, own in groups.items():
        handles += [Line2D([], [], linestyle="", label=heading), *own]
    legend = figure.legend(
        handles=handles, loc="outside right upper", handlelength=3.0, fontsize=8, labelspacing=0.45
    )
    for text in legend.get_texts():
        if text.get_text() in groups:
            text.set_fontweight("bold")


def _method_handles(frontiers: Sequence[Frontier]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    methods = tuple(one.name for one in frontiers if one.is_over_c)
    styles = [method_style(name, methods) for name in methods]
    return [Line2D([], [], color=s.color, linestyle=s.line, label=s.label) for s in styles]


def _setting_handles(points: Sequence[Point]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=QUIET, linestyle="", marker=marker, label=f"c = {setting:g}")
        for setting, marker in _markers(points).items()
    ]


def _control_handles(points: Sequence[Point]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    present = {point.name for point in points}
    handles = []
    for name in CONTROLS:
        if name in present:
            is_prior = name == PRIOR
            handles.append(
                Line2D(
                    [],
                    [],
                    color=INK if is_prior else _CONTROL_COLOR,
                    linestyle="" if is_prior else _CONTROL_LINES[name],
                    linewidth=1.2,
                    marker="*" if is_prior else ".",
                    markersize=9 if is_prior else 5,
                    label=_CONTROL_LABELS[name],
                )
            )
    return handles


def learning_curves(
    histories: Mapping[float, Mapping[str, Sequence[History]]],
) -> Figure:
    """Reward against environment steps, and against seconds; a column for each c, a line a method.

    Lines are means over seeds, of the reward and of the time at which a step was made; bands are
    95 % intervals of the reward, cut where they leave the range of the lines.

    Args:
        histories: for each c and method, one run for each seed, with `step`, `seconds`, `reward`.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    methods = tuple(dict.fromkeys(name for runs in histories.values() for name in runs))
    with figure_style():
        figure = Figure(figsize=(1.2 + 2.9 * len(histories), 5.4), layout="constrained")
        panels = figure.subplots(2, len(histories), squeeze=False, sharey=True, sharex="row")
        for column, (c, runs) in enumerate(histories.items()):
            panels[0, column].set_title(f"c = {c:g}")
            for name, seeds in runs.items():
                style = method_style(name, methods)
                for panel, curve in zip(panels[:, column], _curves(seeds), strict=True):
                    panel.fill_between(
                        curve.step, curve.low, curve.high, color=style.color, alpha=0.14, lw=0
                    )
                    panel.plot(
                        curve.step, curve.mean, color=style.color, ls=style.line, linewidth=1.4
                    )
        _finish_learning_panels(panels)
        styles = [method_style(name, methods) for name in methods]
        figure.legend(
            handles=[Line2D([], [], color=s.color, ls=s.line, label=s.label) for s in styles],
            loc="outside lower center",
            ncols=min(len(styles), max(3, 2 * len(histories))),
            handlelength=3.0,
        )
    return figure


def _curves(seeds: Sequence[History]) -> tuple[SeedBand, SeedBand]:
    """Reward over steps, and over the mean time at which the seeds had made those steps."""
    reward, seconds = (seed_band(seeds, name, "interval") for name in ("reward", "seconds"))
    return reward, replace(reward, step=seconds.mean)


def _finish_learning_panels(panels: np.ndarray) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    lines = [np.asarray(line.get_ydata()) for panel in panels.flat for line in panel.lines]
    low = min(line.min() for line in lines)
    high = max(line.max() for line in lines)
    margin = 0.05 * (high - low) or 1.0
    for panel in panels.flat:
        panel.set_ylim(low - margin, high + margin)
        panel.grid(axis="y")
        panel.margins(x=0.01)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    for row, label in zip(panels, ("environment steps", "seconds of training"), strict=True):
        row[0].set_ylabel("mean reward a step")
        for panel in row:
            panel.set_xlabel(label)
