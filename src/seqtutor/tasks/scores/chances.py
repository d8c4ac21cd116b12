"""How probable a model found what it might have written: shading behind the notes of a roll.

Figure 3 of Jaques et al. 2017 shows such probabilities over one melody. Here they lie behind the
notes that were drawn, so that a reader sees what else the model might have written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from seqtutor.exhibits import Picture

SHADED = (
    "Behind the notes of a piano roll is shaded what else the policy might have written in the "
    "same place, after what it had written before: a note of each pitch, whatever its length, and "
    "in the rows below them what is no note."
)
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
"""Probabilities from which on a square is darker."""
ROW_BELOW, GAP_BELOW = 10.0, 4.0
"""Height of a row for what is no note, and of the gap above the first, in units of the drawing."""


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

    def between(self, start: float, end: float) -> Chances:
        """The part from one time to another, in quarters, with times from its start on."""
        cut = [(max(onset, start), min(onset + own, end)) for onset, own in self.spans]
        steps = [place for place, (onset, stop) in enumerate(cut) if onset < stop]
        return replace(
            self,
            spans=[(cut[place][0] - start, cut[place][1] - cut[place][0]) for place in steps],
            of_pitches=self.of_pitches[steps],
            others={name: values[steps] for name, values in self.others.items()},
        )


def chances_of(
    probabilities: Float[np.ndarray, "step token"],
    spans: Sequence[tuple[float | Fraction, float | Fraction] | None],
    meanings: Sequence[int | str | None],
) -> Chances:
    """What a piece might have gone on with, from the probabilities of a model's tokens.

    Args:
        probabilities: of every token at each step.
        spans: onset and duration, in quarters, of what was written at each step; `None` where that
            takes no time.
        meanings: of each token the pitch of the note that it begins, or the name of what else it
            writes; `None` for what is not shown. Tokens of one meaning count together.
    """
    timed = [step for step, span in enumerate(spans) if span is not None]
    found: dict[int | str, Float[np.ndarray, " step"]] = {}
    for token, meaning in enumerate(meanings):
        if meaning is not None:
            found[meaning] = found.get(meaning, 0.0) + probabilities[timed, token]
    pitches = sorted(one for one in found if isinstance(one, int))
    return Chances(
        [(float(span[0]), float(span[1])) for span in spans if span is not None],
        pitches,
        np.stack([found[pitch] for pitch in pitches], axis=1),
        {name: own for name, own in found.items() if isinstance(name, str)},
    )


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
                squares[level].append(f"M{start:.4g} {high - pitch}h{width:.4g}v1h{-width:.4g}")
    parts = [
        f'<g class="chances" transform="translate({left:g},0) scale({quarter:.4g},{row:g})">',
        _paths(squares),
        "</g>",
    ]
    height = row * (high - low + 1)
    for place, (name, values) in enumerate(chances.others.items()):
        below: list[list[str]] = [[] for _ in LEVELS]
        for level, start, width in _runs(chances.spans, values):
            below[level].append(f"M{start:.4g} 0h{width:.4g}v1h{-width:.4g}")
        top = height + GAP_BELOW + ROW_BELOW * place
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
