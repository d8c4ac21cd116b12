"""Figures of the properties of sets of molecules, and the pictures in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from seqtutor.report.plots import bin_edges
from seqtutor.report.style import QUIET, figure_style, method_style, save_for_page_and_print
from seqtutor.task_records import Gallery

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWN = 2_000
"""Molecules of each set whose properties are drawn."""

_PANELS_IN_A_ROW = 3


@dataclass(frozen=True)
class Panel:
    """The property of a panel of `property_distributions`.

    Attributes:
        name: its key among a set's values.
        label: the axis's label, with the unit.
        is_count: whether it takes whole numbers only, which get a bin each.
    """

    name: str
    label: str
    is_count: bool = False


PANELS = (
    Panel("logp", "logP"),
    Panel("qed", "QED"),
    Panel("sa", "synthetic accessibility (1 is easy)"),
    Panel("molecular_weight", "molecular weight (g/mol)"),
    Panel("tpsa", "polar surface area (Å²)"),
    Panel("largest_ring", "atoms in the largest ring", is_count=True),
)
"""The properties of the usual rewards, the size, and the polar surface."""


def property_distributions(
    sets: Mapping[str, Mapping[str, ArrayLike]],
    shown: Sequence[Panel] = PANELS,
    background: str | None = None,
) -> Figure:
    """The distribution of each property in each set, a panel for each property.

    A curve is a histogram of area one, so sets of any size are comparable; NaN is left out. The
    axis ends where no set has more than half a per cent beyond.

    Args:
        sets: by name ("prior", "psi" and other methods have their fixed colours) the values of
            each property, an array each.
        shown: the panels; those of properties that no set has are left out.
        background: the set that is drawn as a grey area, such as the training set.

    Raises:
        ValueError: if no set has any of the properties.
    """
    from matplotlib.figure import Figure

    shown = [one for one in shown if any(len(_values(s, one)) for s in sets.values())]
    if not shown:
        raise ValueError("no set has any of the properties to draw")
    columns = min(_PANELS_IN_A_ROW, len(shown))
    rows = -(-len(shown) // columns)
    with figure_style():
        figure = Figure(figsize=(3.4 * columns, 2.5 * rows + 0.5), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel, one in zip(panels, shown, strict=False):
            _draw(panel, one, sets, background)
        for panel in panels[: len(shown) : columns]:
            panel.set_ylabel("density")
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside lower center", ncols=len(names), handlelength=3.2
        )
    return figure


def _values(one_set: Mapping[str, ArrayLike], one: Panel) -> Float[np.ndarray, " value"]:
    values = np.asarray(one_set.get(one.name, ()), np.float64)
    return values[np.isfinite(values)]


def _draw(
    panel: Axes, one: Panel, sets: Mapping[str, Mapping[str, ArrayLike]], background: str | None
) -> None:
    from matplotlib.ticker import MaxNLocator

    values = {name: _values(one_set, one) for name, one_set in sets.items()}
    edges = bin_edges(list(values.values()), one.is_count)
    for name, own in values.items():
        style = method_style(name, tuple(sets))
        # Values beyond the axis count, too: the area within is the share of values within.
        counts = np.histogram(own, edges)[0] / max(1, len(own)) / np.diff(edges)
        if name == background:
            panel.stairs(counts, edges, fill=True, color=QUIET, alpha=0.3, label=style.label)
        else:
            panel.stairs(counts, edges, color=style.color, linestyle=style.line, label=style.label)
    panel.set_xlabel(one.label)
    panel.set_xlim(edges[0], edges[-1])
    if one.is_count:
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)


def illustrate(gallery: Gallery) -> list[str]:
    """Draw the distributions of properties; gives paragraphs of Markdown with all pictures."""
    from seqtutor.tasks.molecule.encoding import decode
    from seqtutor.tasks.molecule.measurer import Measurer
    from seqtutor.tasks.molecule.references import resolve_reference, training_strings
    from seqtutor.tasks.molecule.scoring import MoleculeScorer

    source = resolve_reference(gallery.options.reference, gallery.prior)
    training = f"{Path(source).name}, training set"
    strings = {training: training_strings(source, DRAWN)}
    for name, drawn in gallery.samples.items():
        strings[name] = decode(drawn.sequences.tokens[:DRAWN], drawn.vocabulary)
    with MoleculeScorer.with_workers(Measurer(tuple(one.name for one in PANELS))) as scorer:
        scores = {name: scorer.score(own) for name, own in strings.items()}
    columns = {name: own.columns for name, own in scores.items() if own.is_valid.any()}
    paragraphs = [
        "The paper's columns are those of Table 2 of Jaques et al. (2017), whose prior was trained "
        "on other molecules and whose weights are not printed.\n"
    ]
    if columns:
        figure = property_distributions(columns, background=training)
        save_for_page_and_print(figure, gallery.folder / "properties")
        link = f"{gallery.folder.name}/properties.png"
        paragraphs.append(f"![Distributions of properties of valid molecules]({link})\n")
    for name, folder in gallery.folders.items():
        label, path = method_style(name).label, folder.relative_to(gallery.folder.parent)
        if (folder / "molecules.svg").is_file():
            paragraphs.append(f"![The first molecules, {label}]({path}/molecules.svg)\n")
        links = (f"[{one}]({path}/molecules.{one})" for one in ("csv", "smi", "sdf"))
        paragraphs.append(f"{label}: {', '.join(links)}\n")
    return paragraphs
