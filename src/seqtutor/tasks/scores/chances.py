"""How probable a model found what it might have written: shading behind the notes of a roll.

Figure 3 of Jaques et al. 2017 shows such probabilities over one melody. Here they lie behind the
notes that were drawn, so that a reader sees what else the model might have written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from seqtutor.exhibits import Picture

LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
"""Probabilities from which on a square is darker."""
ROW_BELOW = 9.0
"""Height of a row for what is no note, in units of the drawing."""


@dataclass(frozen=True)
class Chances:
    """Probabilities of what a piece might have gone on with, after what came before.

    Attributes:
        spans: onset and duration of each step, in quarters.
        pitches: MIDI numbers.
        of_pitches: that a note of each pitch begins at a step.
        others: by its name, of what is no note, such as "rest".
    """

    spans: Sequence[tuple[float, float]]
    pitches: Sequence[int]
    of_pitches: Float[np.ndarray, "step pitch"]
    others: Mapping[str, Float[np.ndarray, " step"]]

    @property
    def likely(self) -> list[int]:
        """Pitches that were probable enough, at one step at least, to be within the drawing."""
        most = self.of_pitches.max(axis=0, initial=0.0)
        return [pitch for pitch, own in zip(self.pitches, most, strict=True) if own >= LEVELS[1]]


def shading(chances: Chances, low: int, high: int, row: float, left: float, quarter: float) -> str:
    """Squares behind the notes, and the rows below them with their names.

    Args:
        chances: to be drawn.
        low: pitch of the lowest row.
        high: pitch of the highest row.
        row: height of a row.
        left: of the first step.
        quarter: width of a quarter.
    """
    squares: list[list[str]] = [[] for _ in LEVELS]
    for pitch, values in zip(chances.pitches, chances.of_pitches.T, strict=True):
        if low <= pitch <= high:
            for level, start, width in _runs(chances.spans, values):
                squares[level].append(f"M{start:g} {high - pitch}h{width:g}v1h{-width:g}")
    parts = [
        f'<g class="chances" transform="translate({left:g},0) scale({quarter:.4g},{row:g})">',
        _paths(squares),
        "</g>",
    ]
    height = row * (high - low + 1)
    for place, (name, values) in enumerate(chances.others.items()):
        below: list[list[str]] = [[] for _ in LEVELS]
        for level, start, width in _runs(chances.spans, values):
            below[level].append(f"M{start:g} 0h{width:g}v1h{-width:g}")
        top = height + ROW_BELOW * place + 1
        scale = f"scale({quarter:.4g},{ROW_BELOW - 1:g})"
        parts += [
            f'<text x="{left - 3:g}" y="{top + 7:g}" text-anchor="end">{name}</text>',
            f'<g class="chances" transform="translate({left:g},{top:g}) {scale}">',
            _paths(below),
            "</g>",
        ]
    return "".join(parts)


def _runs(
    spans: Sequence[tuple[float, float]], values: Float[np.ndarray, " step"]
) -> Iterator[tuple[int, float, float]]:
    """Level, onset and duration of what is drawn in a row; neighbours of one level are one."""
    level, start, end = -1, 0.0, 0.0
    for (onset, duration), value in zip(spans, values, strict=True):
        own = bisect_right(LEVELS, float(value)) - 1
        if own != level or onset != end:
            if level >= 0:
                yield level, start, end - start
            level, start = own, onset
        end = onset + duration
    if level >= 0:
        yield level, start, end - start


def _paths(squares: Sequence[Sequence[str]]) -> str:
    return "".join(
        f'<path class="chance-{level}" d="{"".join(own)}"/>'
        for level, own in enumerate(squares)
        if own
    )


def key_of_shading() -> Picture:
    """What the shades mean; it is narrow, so that a telephone need not shrink it."""
    parts = ['<text x="0" y="11">Probability of a note at a step, from</text>']
    width = 52
    for level, least in enumerate(LEVELS):
        x = width * level
        parts.append(
            f'<g class="chances"><path class="chance-{level}" d="M{x} 18h14v12h-14"/></g>'
            f'<text x="{x + 17}" y="28">{100 * least:.0f} %</text>'
        )
    words = ", ".join(f"{100 * least:.0f} %" for least in LEVELS)
    alt = f"key of the shading behind notes: darker from probabilities of {words} on"
    size = f"0 0 {width * len(LEVELS)} 32"
    svg = f'<svg class="chance-key" viewBox="{size}">{"".join(parts)}</svg>'
    return Picture(svg, alt, "theme")
