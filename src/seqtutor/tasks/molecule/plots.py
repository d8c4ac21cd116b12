"""Figures of the properties of molecules: sets of them, laid over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from seqtutor.report.style import QUIET, figure_style, method_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAILS = 0.5
"""Per cent of each set's values that may lie beyond either end of the axis."""

_BINS = 50
_PANELS_IN_A_ROW = 3


@dataclass(frozen=True)
class Property:
    """What a panel of `property_distributions` shows.

    Attributes:
        name: its key among a set's values.
        label: the axis's label, with the unit.
        is_count: whether it takes whole numbers only, which get a bin each.
    """

    name: str
    label: str
    is_count: bool = False


PROPERTIES = (
    Property("logp", "logP"),
    Property("qed", "QED"),
    Property("sa", "synthetic accessibility (1 is easy)"),
    Property("molecular_weight", "molecular weight (g/mol)"),
    Property("tpsa", "polar surface area (Å²)"),
    Property("largest_ring", "atoms in the largest ring", is_count=True),
)
"""Those that the reward speaks of, the size, and the polar surface."""


def property_distributions(
    sets: Mapping[str, Mapping[str, ArrayLike]],
    properties: Sequence[Property] = PROPERTIES,
    path: str | Path | None = None,
    background: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """The distribution of each property in each set, a panel for each property.

    A curve is a histogram of area one, so sets of any size compare; NaN is left out. The axis ends
    where no set has more than half a per cent beyond.

    Args:
        sets: by name ("prior", "psi" and other methods have their fixed colours) the values of
            each property, an array each.
        properties: what the panels show; those that no set has are left out.
        path: where the figure is written.
        background: the set that is drawn as a grey area, such as the training set.
        labels: names to show instead of those of the styles.

    Raises:
        ValueError: if no set has any of the properties.
        UserError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    shown = [one for one in properties if any(len(_values(s, one)) for s in sets.values())]
    if not shown:
        raise ValueError("no set has any of the properties to draw")
    columns = min(_PANELS_IN_A_ROW, len(shown))
    rows = -(-len(shown) // columns)
    with figure_style():
        figure = Figure(figsize=(3.4 * columns, 2.5 * rows + 0.5), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel, one in zip(panels, shown, strict=False):
            _draw(panel, one, sets, background, labels or {})
        for panel in panels[: len(shown) : columns]:
            panel.set_ylabel("density")
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside lower center", ncols=len(names), handlelength=3.2
        )
        if path is not None:
            save_figure(figure, path)
    return figure


def bin_edges(values: Sequence[Float[np.ndarray, " value"]], is_count: bool) -> np.ndarray:
    """Edges of bins that hold all but the tails of every set of values."""
    ends = [np.percentile(one, (TAILS, 100 - TAILS)) for one in values if len(one)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if is_count:
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, _BINS + 1)


def _values(one_set: Mapping[str, ArrayLike], one: Property) -> Float[np.ndarray, " value"]:
    values = np.asarray(one_set.get(one.name, ()), np.float64)
    return values[np.isfinite(values)]


def _draw(
    panel: Axes,
    one: Property,
    sets: Mapping[str, Mapping[str, ArrayLike]],
    background: str | None,
    labels: Mapping[str, str],
) -> None:
    from matplotlib.ticker import MaxNLocator

    values = {name: _values(one_set, one) for name, one_set in sets.items()}
    edges = bin_edges(list(values.values()), one.is_count)
    for name, own in values.items():
        style = method_style(name, tuple(sets))
        label = labels.get(name, style.label)
        # Each value counts, also one beyond the axis: the area within is what lies within.
        counts = np.histogram(own, edges)[0] / max(1, len(own)) / np.diff(edges)
        if name == background:
            panel.stairs(counts, edges, fill=True, color=QUIET, alpha=0.3, label=label)
        else:
            panel.stairs(counts, edges, color=style.color, linestyle=style.line, label=label)
    panel.set_xlabel(one.label)
    panel.set_xlim(edges[0], edges[-1])
    if one.is_count:
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
