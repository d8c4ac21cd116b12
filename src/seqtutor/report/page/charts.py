"""Small charts as SVG text, for a page: lines with bands, histograms, bars and points.

matplotlib's figures have their colours and letters fixed. Here text stays text, and colours are
names that the page's style sheet resolves, so that a chart follows light and dark and can be read
aloud. Every function returns an `<svg>` element that is as wide as its place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float

from seqtutor.measures.intervals import Interval
from seqtutor.report.plots import SeedBand, short_count

WIDTH, HEIGHT = 420, 250
"""Units of a chart; a unit is about a pixel."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 28, 40
_LETTER = 6.9
"""Mean width of a letter of the charts' text."""
_RING, _CROSS = "m-2,0a2,2 0 1 0 4,0a2,2 0 1 0 -4,0", "m-2,-2l4,4m0,-4l-4,4"
_ROW = 12
"""Height of a bar with its gap."""


@dataclass(frozen=True)
class Ink:
    """How a policy is drawn: the number of its colour in the style sheet, and its dashes."""

    number: int
    dashes: str = ""

    @property
    def stroke(self) -> str:
        """The attributes of a line."""
        dashes = f' stroke-dasharray="{self.dashes}"' if self.dashes else ""
        return f'stroke="var(--ink-{self.number})"{dashes}'

    @property
    def fill(self) -> str:
        """The attribute of an area."""
        return f'fill="var(--ink-{self.number})"'


@dataclass(frozen=True)
class _Frame:
    """A chart's ranges and its place in the drawing."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float
    left: float = _LEFT
    height: float = HEIGHT

    def x(self, value: float) -> float:
        share = (value - self.low_x) / (self.high_x - self.low_x)
        return round(self.left + share * (WIDTH - self.left - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low_y) / (self.high_y - self.low_y)
        return round(self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM), 1)

    def path(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        """The points of a line that goes on where a value is known."""
        known = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
        return "M" + "L".join(f"{self.x(x)},{self.y(y)}" for x, y in known) if known else ""


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two ends, at equal distances: 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def line_chart(
    bands: Sequence[tuple[Ink, SeedBand]],
    alt: str,
    x_axis: str,
    y_axis: str,
    reference: float | None = None,
) -> str:
    """Curves with the bands around them; `reference` is a value to compare with, dashed.

    A curve with a single value is a point; the axis of the steps begins at 0 where there is one.
    """
    lows = [float(np.nanmin(band.low)) for _, band in bands]
    highs = [float(np.nanmax(band.high)) for _, band in bands]
    known = [reference] if reference is not None and math.isfinite(reference) else []
    low, high = _widened(min([*lows, *known]), max([*highs, *known]))
    first = min(float(band.step.min()) for _, band in bands)
    last = max(float(band.step.max()) for _, band in bands)
    frame = _Frame(*((first, last) if first < last else (0.0, 1.25 * last or 1.0)), low, high)
    parts = [_axes(frame, x_axis, y_axis)]
    for value in known:
        y = frame.y(value)
        parts.append(f'<path class="reference" d="M{_LEFT},{y}H{WIDTH - _RIGHT}"/>')
    for ink, band in bands:
        upper = frame.path(list(band.step), list(band.high))
        lower = frame.path(list(band.step)[::-1], list(band.low)[::-1])
        parts.append(f'<path class="band" {ink.fill} d="{upper}{lower.replace("M", "L")}Z"/>')
        path = frame.path(list(band.step), list(band.mean))
        parts.append(f'<path class="line" {ink.stroke} d="{path}"/>')
        if path and "L" not in path:
            at_x, at_y = path[1:].split(",")
            parts.append(f'<circle class="point" {ink.fill} cx="{at_x}" cy="{at_y}" r="4"/>')
    return _svg("".join(parts), alt)


def histogram(
    values: Sequence[tuple[Ink, Float[np.ndarray, " value"]]],
    edges: Float[np.ndarray, " edge"],
    alt: str,
    x_axis: str,
    is_count: bool = False,
) -> str:
    """The share of values in each bin, a line of steps for each set."""
    shares = [np.histogram(own, edges)[0] / max(1, len(own)) for _, own in values]
    highest = max((float(share.max()) for share in shares), default=0.0)
    frame = _Frame(float(edges[0]), float(edges[-1]), 0.0, (highest or 1.0) * 1.05)
    whole = is_count and edges[-1] - edges[0] <= 24
    labels = [(v, _number(v)) for v in ticks(edges[0], edges[-1]) if not whole or v == round(v)]
    parts = [_axes(frame, x_axis, "share", labels, is_share=True)]
    for (ink, _), share in zip(values, shares, strict=True):
        xs = np.repeat(edges, 2)
        ys = np.concatenate([[0.0], np.repeat(share, 2), [0.0]])
        path = frame.path(list(xs), list(ys))
        parts.append(f'<path class="band" {ink.fill} d="{path}Z"/>')
        parts.append(f'<path class="line" {ink.stroke} d="{path}"/>')
    return _svg("".join(parts), alt)


def category_chart(
    values: Sequence[tuple[Ink, Float[np.ndarray, " value"]]],
    categories: Sequence[str],
    alt: str,
    x_axis: str,
) -> str:
    """The share of each category, bars side by side."""
    shares = [
        np.bincount(own.astype(int), minlength=len(categories)) / max(1, len(own))
        for _, own in values
    ]
    highest = max((float(share.max()) for share in shares), default=0.0)
    frame = _Frame(0.0, float(len(categories)), 0.0, (highest or 1.0) * 1.05)
    room = (WIDTH - _LEFT - _RIGHT) / len(categories)
    every = max(1, math.ceil((max(map(len, categories)) + 1) * _LETTER / room))
    labels = [(i + 0.5, name) for i, name in enumerate(categories) if i % every == 0]
    parts = [_axes(frame, x_axis, "share", labels, is_share=True)]
    width = 0.8 / len(values)
    for place, ((ink, _), share) in enumerate(zip(values, shares, strict=True)):
        for category, own in enumerate(share):
            left = frame.x(category + 0.1 + place * width)
            right = frame.x(category + 0.1 + (place + 1) * width)
            top, bottom = frame.y(float(own)), frame.y(0.0)
            if bottom - top > 0.05:
                parts.append(_rectangle(left, top, right - left - 0.5, bottom - top, ink.fill))
    return _svg("".join(parts), alt)


def bar_chart(
    rows: Sequence[tuple[str, Sequence[tuple[Ink, Interval]]]], alt: str, x_axis: str
) -> str:
    """For each row a bar for each policy, to the left of zero or to the right of it."""
    ends = [end for _, bars in rows for _, one in bars for end in _ends(one)]
    low, high = _widened(min(0.0, *ends), max(0.0, *ends))
    left = min(190.0, 14 + max(len(label) for label, _ in rows) * _LETTER)
    heights = [len(bars) * _ROW + 9 for _, bars in rows]
    frame = _Frame(low, high, 0, 1, left, _TOP + sum(heights) + _BOTTOM)
    labels = [(value, _number(value)) for value in ticks(low, high)]
    parts = [_x_axis(frame, x_axis, labels, has_grid=True)]
    top = float(_TOP)
    for (label, bars), height in zip(rows, heights, strict=True):
        middle = top + height / 2 + 1
        parts.append(
            f'<text class="row" x="{left - 6}" y="{middle:.1f}" text-anchor="end">'
            f"{escape(label)}</text>"
        )
        for place, (ink, one) in enumerate(bars):
            y = top + 3 + place * _ROW
            parts.append(_bar(frame, y, ink, one))
        top += height
    zero = frame.x(0)
    parts.append(f'<path class="axis" d="M{zero},{_TOP}V{frame.height - _BOTTOM}"/>')
    return _svg("".join(parts), alt, frame.height)


def _bar(frame: _Frame, y: float, ink: Ink, one: Interval) -> str:
    if math.isnan(one.value):
        return ""
    zero, end = frame.x(0), frame.x(one.value)
    bar = _rectangle(min(zero, end), y, max(abs(end - zero), 0.8), 10, ink.fill)
    low, high = (frame.x(value) for value in _ends(one))
    return bar + f'<path class="whisker" d="M{low},{y + 5}H{high}"/>'


def point_chart(
    points: Sequence[tuple[Ink, str, Interval, Interval]], alt: str, x_axis: str, y_axis: str
) -> str:
    """Named points with the intervals of both coordinates; both axes reach zero or beyond."""
    xs = [end for _, _, x, _ in points for end in _ends(x)]
    ys = [end for _, _, _, y in points for end in _ends(y)]
    low, high = _widened(min(ys), max(ys))
    frame = _Frame(min(0.0, *xs), _widened(0.0, max(xs) or 1.0)[1] * 1.1, low, high)
    parts = [_axes(frame, x_axis, y_axis)]
    for ink, label, x, y in points:
        left, right = (frame.x(end) for end in _ends(x))
        bottom, top = (frame.y(end) for end in _ends(y))
        at_x, at_y = frame.x(x.value), frame.y(y.value)
        anchor = "end" if at_x > WIDTH * 0.7 else "start"
        beside = at_x + (-9 if anchor == "end" else 9)
        parts.append(
            f'<path class="whisker" d="M{left},{at_y}H{right}M{at_x},{bottom}V{top}"/>'
            f'<circle class="point" {ink.fill} cx="{at_x}" cy="{at_y}" r="5"/>'
            f'<text class="row" x="{beside:.1f}" y="{at_y - 8:.1f}" text-anchor="{anchor}">'
            f"{escape(label)}</text>"
        )
    return _svg("".join(parts), alt)


def map_chart(
    points: Sequence[tuple[Ink, Float[np.ndarray, "point 2"]]],
    every: Float[np.ndarray, "all 2"],
    alt: str,
    x_axis: str,
    y_axis: str,
) -> str:
    """Many points without names; the frame is that of `every`.

    Sets whose colours look alike differ in their shape: rings, crosses and discs take turns.
    """
    (low_x, low_y), (high_x, high_y) = every.min(axis=0), every.max(axis=0)
    frame = _Frame(*_widened(float(low_x), float(high_x)), *_widened(float(low_y), float(high_y)))
    labels = [(value, _number(value)) for value in ticks(frame.low_x, frame.high_x)]
    parts = [_axes(frame, x_axis, y_axis, labels)]
    for ink, own in points:
        places = [(frame.x(x), frame.y(y)) for x, y in own.tolist()]
        if ink.number % 3 == 2:
            path = "".join(f"M{x},{y}h.01" for x, y in places)
            parts.append(f'<path class="discs" {ink.stroke} d="{path}"/>')
            continue
        shape = _RING if ink.number % 3 == 0 else _CROSS
        path = "".join(f"M{x},{y}{shape}" for x, y in places)
        parts.append(f'<path class="outlines" stroke="var(--ink-{ink.number})" d="{path}"/>')
    return _svg("".join(parts), alt)


def _ends(one: Interval) -> tuple[float, float]:
    """The ends of an interval; the value twice where they are not known."""
    if math.isnan(one.low) or math.isnan(one.high):
        return one.value, one.value
    return one.low, one.high


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _rectangle(x: float, y: float, width: float, height: float, fill: str) -> str:
    return (
        f'<rect class="bar" {fill} x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}"/>'
    )


def _axes(
    frame: _Frame,
    x_axis: str,
    y_axis: str,
    x_labels: Sequence[tuple[float, str]] | None = None,
    is_share: bool = False,
) -> str:
    if x_labels is None:
        x_labels = [(value, short_count(value)) for value in ticks(frame.low_x, frame.high_x, 5)]
    parts = [_x_axis(frame, x_axis, x_labels)]
    for value in ticks(frame.low_y, frame.high_y, 5):
        y = frame.y(value)
        label = f"{100 * value:g} %" if is_share else _number(value)
        parts.append(
            f'<path class="grid" d="M{_LEFT},{y}H{WIDTH - _RIGHT}"/>'
            f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )
    # Above the axis, where it can be read without turning the head.
    parts.append(f'<text class="name" x="4" y="13">{escape(y_axis)}</text>')
    return "".join(parts)


def _x_axis(
    frame: _Frame, name: str, labels: Sequence[tuple[float, str]], has_grid: bool = False
) -> str:
    bottom = frame.height - _BOTTOM
    parts = [f'<path class="axis" d="M{frame.left},{bottom}H{WIDTH - _RIGHT}"/>']
    for value, label in labels:
        x = frame.x(value)
        if has_grid:
            parts.append(f'<path class="grid" d="M{x},{_TOP}V{bottom}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 15}" text-anchor="middle">{escape(label)}</text>')
    middle = (frame.left + WIDTH - _RIGHT) / 2
    parts.append(
        f'<text class="name" x="{middle:.0f}" y="{frame.height - 6}" text-anchor="middle">'
        f"{escape(name)}</text>"
    )
    return "".join(parts)


def _svg(content: str, alt: str, height: float = HEIGHT) -> str:
    return (
        f'<svg class="chart" role="img" aria-label="{escape(alt)}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}">{content}</svg>'
    )
