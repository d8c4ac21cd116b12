"""Quality against diversity: generators beside the temperature sweep of maximum likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqtutor.measure import Estimates
from seqtutor.measures.intervals import mean_interval
from seqtutor.report.style import INK, QUIET, figure_style, method_style
from seqtutor.tasks.folk.variants import MAXIMUM_LIKELIHOOD, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Panel:
    """What stands on the axes: names of measures, and how they are called."""

    across: str
    up: str
    across_label: str
    up_label: str
    title: str


PANELS = (
    Panel("self_bleu", "bleu", "self-BLEU (← more varied)", "BLEU", "n-grams of real tunes"),
    Panel("self_bleu", "judge_mean", "self-BLEU (← more varied)", "mean D(x)", "Fresh judges"),
    Panel(
        "entropy",
        "cross_entropy",
        "H(p_gen), nats a token (more varied →)",
        "H(p_data, p_gen), nats a token",
        "Likelihood of real tunes (lower is better)",
    ),
)


def quality_and_diversity(
    generators: Mapping[str, Sequence[Estimates]],
    sweep: Mapping[float, Estimates],
) -> Figure:
    """Generators as points with 95 % intervals over seeds, the temperatures as a curve.

    Args:
        generators: by name, the measures of each seed; maximum likelihood among them.
        sweep: the measures of maximum likelihood by temperature other than one.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with figure_style():
        figure = Figure(figsize=(4.2 * len(PANELS), 3.9), layout=ConstrainedLayoutEngine())
        for axes, panel in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            _curve(axes, panel, generators[MAXIMUM_LIKELIHOOD], sweep)
            for name, evaluations in generators.items():
                _point(axes, panel, name, evaluations, tuple(generators))
            axes.set_title(panel.title)
            axes.set_xlabel(panel.across_label)
            axes.set_ylabel(panel.up_label)
            axes.grid(visible=True)
            axes.margins(0.08)
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=min(5, len(names)))
    return figure


def _curve(
    axes: Axes,
    panel: Panel,
    at_one: Sequence[Estimates],
    sweep: Mapping[float, Estimates],
) -> None:
    """The temperatures in order; each seed of maximum likelihood counts at one."""
    points = dict(sorted({**{t: [one] for t, one in sweep.items()}, 1.0: at_one}.items()))
    across, up = (
        [float(np.mean([one[measure].value for one in ones])) for ones in points.values()]
        for measure in (panel.across, panel.up)
    )
    axes.plot(across, up, color=QUIET, marker=".", linewidth=1.2, zorder=1, label="temperatures")
    for temperature, x, y in zip(points, across, up, strict=True):
        axes.annotate(
            f"{temperature:g}", (x, y), (3, 3), textcoords="offset points", fontsize=7, color=QUIET
        )


def _point(
    axes: Axes,
    panel: Panel,
    name: str,
    evaluations: Sequence[Estimates],
    names: tuple[str, ...],
) -> None:
    is_prior = name == MAXIMUM_LIKELIHOOD
    color = INK if is_prior else method_style(name, names).color
    values = [[one[panel.across].value, one[panel.up].value] for one in evaluations]
    (x, y), (x_half, y_half) = mean_interval(values)
    known = len(evaluations) > 1
    axes.errorbar(
        [x],
        [y],
        xerr=[x_half] if known else None,
        yerr=[y_half] if known else None,
        color=color,
        marker="*" if is_prior else "o",
        markersize=9 if is_prior else 5.5,
        linestyle="none",
        elinewidth=1,
        label=title_of(name),
        zorder=3,
    )
