"""One look for all figures.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), which people with the
common kinds of colour blindness can tell apart. Each method also has a line style of its own, so
that a figure stays readable in black and white.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtutor.errors import UserError
from seqtutor.files import atomic_write
from seqtutor.methods.registry import is_method, method_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_FORMATS = (".svg", ".png", ".pdf")

INK = "#222222"
QUIET = "#767676"
GRID = "#e3e3e3"

_MATPLOTLIB_SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.color": INK,
    "figure.facecolor": "white",
    "savefig.dpi": 160,
    # Without a fixed salt the ids in an SVG differ from run to run.
    "svg.hashsalt": "seqtutor",
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn everywhere: its name, colour and line style."""

    label: str
    color: str
    line: Any


_OTHERS: dict[str, tuple[str, Any]] = {
    "prior": ("#555555", (0, (1, 1.2))),
    "constant": ("#999933", (0, (4, 2))),
    "random": ("#AA4499", (0, (1, 1))),
    "frozen": ("#882255", (0, (5, 1, 1, 1, 1, 1))),
    "untrained": ("#44AA99", (0, (3, 3))),
    "real-tunes": ("#EE7733", "-"),
    "SMC": ("#000000", (0, (2, 1))),
}
"""Colours and line styles beside those of methods: the prior and the controls of experiments, those
of any number of particles alike."""
_SPARE_COLORS = ("#1B9E77", "#999933", "#AA4499", "#882255", "#44AA99")


def method_style(method: str, others: tuple[str, ...] = ()) -> MethodStyle:
    """The style of a method; one without a colour of its own gets a spare one.

    Args:
        method: its name on the command line, such as `psi`.
        others: every method of the figure in order, so that no spare colour is given twice.
    """
    label, color, line = _own_style(method)
    if color is None:
        names = dict.fromkeys((*others, method))
        spare = [name for name in names if _own_style(name)[1] is None]
        color = _SPARE_COLORS[spare.index(method) % len(_SPARE_COLORS)]
    return MethodStyle(label, color, line)


def _own_style(name: str) -> tuple[str, str | None, Any]:
    """Label, colour if there is one of its own, and line style."""
    if is_method(name):
        method = method_named(name)
        return method.symbol, method.color, method.line
    return name, *_OTHERS.get(name.partition(" of ")[0], (None, "-"))


def figure_style() -> AbstractContextManager[None]:
    """Within this context matplotlib draws in the package's style; nothing outlasts it."""
    import matplotlib as mpl

    return mpl.rc_context(_MATPLOTLIB_SETTINGS)


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as the format its suffix names; the same figure gives the same bytes.

    Raises:
        UserError: if the suffix is not one of `FIGURE_FORMATS` or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FIGURE_FORMATS:
        raise UserError(
            f"cannot draw a figure as {path.name}; use one of {', '.join(FIGURE_FORMATS)}"
        )
    # No version and no date in the file.
    metadata = {
        ".svg": {"Date": None, "Creator": None},
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    }[suffix]
    drawn = io.BytesIO()
    with figure_style():
        figure.savefig(drawn, format=suffix[1:], metadata=metadata)
    return atomic_write(path, drawn.getvalue())


def save_for_page_and_print(figure: Figure, stem: Path) -> None:
    """Write a figure twice, as PNG for pages and as SVG for print, beside each other.

    Args:
        figure: drawn once for both.
        stem: the path without a suffix.

    Raises:
        UserError: if a file cannot be written.
    """
    for suffix in (".svg", ".png"):
        save_figure(figure, stem.with_name(stem.name + suffix))
