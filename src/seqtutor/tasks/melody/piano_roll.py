"""Melodies as pictures: small piano rolls beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from seqtutor.report.style import GRID, QUIET, figure_style, method_style, save_figure
from seqtutor.tasks.melody.encoding import Note, tokens_to_notes
from seqtutor.tasks.scores.keys import BLACK_KEYS, pitch_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELLED = frozenset({0, 4, 7})
_NARROWEST_RANGE = 12


def piano_roll_figure(
    melodies: Sequence[Sequence[int] | Int[np.ndarray, " time"]],
    titles: Sequence[str] | None = None,
    path: str | Path | None = None,
    colors: Sequence[str] | None = None,
    bar_length: int = 16,
    beat_length: int = 4,
    columns: int = 2,
    transposition: int = 0,
) -> Figure:
    """Draw melodies as piano rolls on a common range of pitches.

    A bar is a note and as long as it sounds; grey rows are black keys; strong vertical lines are
    bar lines, fine ones beats.

    Args:
        melodies: melody tokens.
        titles: one for each melody.
        path: where the figure is written (SVG, PNG or PDF by suffix).
        colors: one for each melody, by default that of Ψ for all.
        bar_length: sixteenths in a bar.
        beat_length: sixteenths in a beat.
        columns: panels side by side.
        transposition: semitones by which the melodies are moved.

    Raises:
        ValueError: if there is no melody, or not one title or colour for each.
        UserError: if a token is not a melody token or the file cannot be written.
    """
    from matplotlib.figure import Figure

    if not melodies:
        raise ValueError("no melody to draw")
    titles = titles or [""] * len(melodies)
    colors = colors or [method_style("psi").color] * len(melodies)
    if len(titles) != len(melodies) or len(colors) != len(melodies):
        raise ValueError(
            f"{len(melodies)} melodies need as many titles and colours, "
            f"not {len(titles)} and {len(colors)}"
        )
    notes = [tokens_to_notes(melody, transposition) for melody in melodies]
    low, high = _pitch_range([note.pitch for melody in notes for note in melody])
    length = max(len(melody) for melody in melodies)
    columns = min(columns, len(melodies))
    rows = math.ceil(len(melodies) / columns)
    panel_size = (max(2.6, 0.09 * length + 0.7), 0.5 + 0.07 * (high - low + 1))
    with figure_style():
        figure = Figure(
            figsize=(panel_size[0] * columns, panel_size[1] * rows + 0.3), layout="constrained"
        )
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for panel in grid.flat[len(melodies) :]:
            panel.set_axis_off()
        for panel, melody, title, color in zip(grid.flat, notes, titles, colors, strict=False):
            _draw_keys(panel, low, high)
            _draw_notes(panel, melody, color)
            panel.set_title(title)
        figure.supxlabel("bar", fontsize=9)
        figure.supylabel("pitch", fontsize=9)
        _finish_axes(grid, (low, high), length, bar_length, beat_length, len(melodies))
        if path is not None:
            save_figure(figure, path)
    return figure


def _pitch_range(pitches: Sequence[int]) -> tuple[int, int]:
    """Lowest and highest row: the melodies' range with a margin, an octave at least."""
    low, high = (min(pitches) - 1, max(pitches) + 1) if pitches else (60, 72)
    missing = max(0, _NARROWEST_RANGE - (high - low))
    return low - missing // 2, high + missing - missing // 2


def _draw_keys(panel: Axes, low: int, high: int) -> None:
    for pitch in range(low, high + 1):
        if pitch % 12 in BLACK_KEYS:
            panel.axhspan(pitch - 0.5, pitch + 0.5, color="#f1f1f1", linewidth=0, zorder=0)
        if pitch % 12 in (0, 5):
            # Where two white keys meet, and so no grey row parts them.
            panel.axhline(pitch - 0.5, color=GRID, linewidth=0.6, zorder=0)


def _draw_notes(panel: Axes, notes: Sequence[Note], color: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    for note in notes:
        # The box grows by the padding on each side; a small gap parts repeated notes.
        padding = 0.12
        panel.add_patch(
            FancyBboxPatch(
                (note.onset + 0.06 + padding, note.pitch - 0.4 + padding),
                note.duration - 0.12 - 2 * padding,
                0.8 - 2 * padding,
                boxstyle=f"round,pad={padding},rounding_size={padding}",
                facecolor=color,
                edgecolor="none",
                zorder=3,
            )
        )


def _finish_axes(
    grid: np.ndarray,
    pitches: tuple[int, int],
    length: int,
    bar_length: int,
    beat_length: int,
    count: int,
) -> None:
    low, high = pitches
    ticks = [pitch for pitch in range(low, high + 1) if pitch % 12 in _LABELLED]
    bars = list(range(0, length, bar_length))
    for index, panel in enumerate(grid.flat[:count]):
        panel.set_xlim(0, length)
        panel.set_ylim(low - 0.5, high + 0.5)
        for place in range(0, length, beat_length):
            bar_line = place % bar_length == 0
            panel.axvline(
                place,
                color=QUIET if bar_line else GRID,
                linewidth=0.9 if bar_line else 0.6,
                zorder=1,
            )
        panel.set_yticks(ticks, [pitch_name(pitch) for pitch in ticks])
        panel.set_xticks(bars, [str(number) for number in range(1, len(bars) + 1)])
        panel.tick_params(length=0)
        # With a part-filled last row, the panels above the gap are at the bottom as well.
        panel.tick_params(labelbottom=index + grid.shape[1] >= count)
