"""Piano rolls as SVG for a page, whose notes can be pointed at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from seqtutor.exhibits import Picture
from seqtutor.tasks.scores.chances import GAP_BELOW, ROW_BELOW, Chances, shading
from seqtutor.tasks.scores.keys import BLACK_KEYS, Key
from seqtutor.tasks.scores.notation import spelled_name

_LEFT, _BOTTOM, _ROW, _ROW_SHADED = 26.0, 14.0, 5.5, 7.0
_NARROWEST, _QUARTER = 320.0, 14.0
"""Width of the picture, and the least of a quarter, in units."""
_LONGEST = 23.0
"""Quarters of a line: what is longer is drawn in several, so that a narrow card can be read."""
_BARS_OF_A_LINE = (8, 4, 2, 1)
_LABEL = 34.0
"""Room for the number of a bar, in units."""
_MARGIN, _FEWEST_ROWS = 2, 14
_INSET = 1.2
"""Between a note and the edge of its row, if the row is shaded."""
_STRIP = 13.0
"""Height of the chords."""


@dataclass(frozen=True)
class RollNote:
    """A note: onset and duration in quarters, MIDI pitch, and the mark that it stands for."""

    onset: float
    duration: float
    pitch: int
    mark: int | None = None


@dataclass(frozen=True)
class _Line:
    """What is drawn from one time to another, in quarters, with the place of it in the picture."""

    start: float
    end: float
    quarter: float

    @property
    def right(self) -> float:
        """Where its time ends."""
        return self.x(self.end)

    def x(self, time: float) -> float:
        """Where a time lies."""
        return _LEFT + self.quarter * (time - self.start)

    def box(self, onset: float, duration: float) -> tuple[float, float] | None:
        """Left and width of what lasts so long; `None` if it is not in this line."""
        start, end = max(onset, self.start), min(onset + duration, self.end)
        if start >= end - 1e-9:
            return None
        return self.x(start), max(1.0, self.quarter * (end - start) - 0.8)


def piano_roll(
    notes: Sequence[RollNote],
    length: float,
    bar: float,
    beat: float,
    seconds: float,
    chords: Sequence[tuple[float, float, str]] = (),
    upbeat: float = 0.0,
    chances: Chances | None = None,
    key: Key | None = None,
) -> Picture:
    """Draw notes over time; grey rows are black keys, strong lines are bar lines.

    A long piece has several lines of whole bars.

    Args:
        notes: in order of time.
        length: of the piece, in quarters.
        bar: quarters in a bar.
        beat: quarters in a beat.
        seconds: how long the piece lasts, for the line that moves while it sounds.
        chords: onset, duration and name of each, drawn below the notes.
        upbeat: quarters before the first bar line.
        chances: what the model might have written, as shading behind the notes.
        key: spells the pitches; C major by default.
    """
    key = key or Key(0)
    lines = _lines(length, bar, upbeat)
    row, inset = (_ROW, 0.0) if chances is None else (_ROW_SHADED, _INSET)
    pace = seconds / max(length, 1e-9)
    parts, top = [], 0.0
    for line in lines:
        there = [one for one in notes if line.box(one.onset, one.duration) is not None]
        own = None if chances is None else chances.between(line.start, line.end)
        low, high = _range([one.pitch for one in there], [] if own is None else own.likely)
        below = row * (high - low + 1)
        drawn = [_keys(low, high, line, row, key)]
        if own is not None:
            drawn.append(shading(own, low, high, row, _LEFT, line.quarter))
            below += GAP_BELOW + ROW_BELOW * len(own.others)
        bottom = below + (_STRIP if chords else 0.0)
        drawn += [
            _bars(line, bar, beat, upbeat, bottom),
            _notes(there, high, row, inset, line),
            _chords(chords, below, line),
            f'<path class="cursor" data-cursor="" data-start="{_LEFT}" '
            f'data-end="{line.right:.1f}" data-from="{pace * line.start:.3f}" '
            f'data-to="{pace * line.end:.3f}" d="M0,0V{bottom:.1f}"/>',
        ]
        parts.append(f'<g transform="translate(0,{top:.1f})">{"".join(drawn)}</g>')
        top += bottom + _BOTTOM
    # The last bar may be shorter than its label.
    starts = [upbeat + bar * math.floor((line.end - upbeat) / bar - 1e-6) for line in lines]
    width = max(
        max(line.right, line.x(max(start, line.start)) + _LABEL)
        for line, start in zip(lines, starts, strict=True)
    )
    svg = f'<svg class="roll" viewBox="0 0 {width:.1f} {top:.1f}">{"".join(parts)}</svg>'
    words = _in_words(notes, length, chords, chances, key)
    return Picture(svg, words, "theme", "Piano roll" if len(lines) > 1 else "")


def _lines(length: float, bar: float, upbeat: float) -> list[_Line]:
    """The lines of a piece; all but the last have as many bars, and the first one the upbeat.

    What would be a quarter of a line, or less, is added to the one before.
    """
    bars = next((n for n in _BARS_OF_A_LINE if n * bar <= _LONGEST), 1)
    ends = [length]
    if length > _LONGEST:
        number = math.ceil((length - upbeat) / (bars * bar) - 0.25 - 1e-6)
        ends = [upbeat + bars * bar * place for place in range(1, number)] + [length]
    starts = [0.0, *ends[:-1]]
    longest = max(end - start for start, end in zip(starts, ends, strict=True))
    quarter = max(_QUARTER, (_NARROWEST - _LEFT) / max(longest, 1e-9))
    return [_Line(start, end, quarter) for start, end in zip(starts, ends, strict=True)]


def _range(pitches: Sequence[int], likely: Sequence[int]) -> tuple[int, int]:
    """The lowest and the highest row, of the notes and of what was probable."""
    every = [*pitches, *likely] or [60]
    low, high = min(every) - _MARGIN, max(every) + _MARGIN
    low -= max(0, _FEWEST_ROWS - (high - low)) // 2
    return low, max(high, low + _FEWEST_ROWS)


def _notes(notes: Sequence[RollNote], high: int, row: float, inset: float, line: _Line) -> str:
    """The notes, each so far within its row that shading around it can be seen."""
    parts = []
    for note in notes:
        if (box := line.box(note.onset, note.duration)) is None:
            continue
        mark = "" if note.mark is None else f' data-mark="{note.mark}"'
        parts.append(
            f'<rect class="note"{mark} x="{box[0]:.1f}" '
            f'y="{row * (high - note.pitch) + inset:.1f}" width="{box[1]:.1f}" '
            f'height="{row - 2 * inset:.1f}" rx="1"/>'
        )
    return "".join(parts)


def _chords(chords: Sequence[tuple[float, float, str]], top: float, line: _Line) -> str:
    """A box with its name for each chord."""
    return "".join(
        f'<rect class="chord" x="{box[0]:.1f}" y="{top + 1:.1f}" width="{box[1]:.1f}" '
        f'height="11.0"/><text x="{box[0] + 1.5:.1f}" y="{top + 10:.1f}">{escape(name)}</text>'
        for onset, duration, name in chords
        if (box := line.box(onset, duration)) is not None
    )


def _keys(low: int, high: int, line: _Line, row: float, key: Key) -> str:
    parts = []
    for pitch in range(low, high + 1):
        top = row * (high - pitch)
        if pitch % 12 in BLACK_KEYS:
            width = line.right - _LEFT
            parts.append(f'<path class="black" d="M{_LEFT},{top:.1f}h{width:.1f}v{row}H{_LEFT}"/>')
        if pitch % 12 in (0, 7):
            parts.append(
                f'<text x="{_LEFT - 3}" y="{max(top + row, 8.0):.1f}" text-anchor="end">'
                f"{spelled_name(pitch, key)}</text>"
            )
    return "".join(parts)


def _bars(line: _Line, bar: float, beat: float, upbeat: float, height: float) -> str:
    """The lines of bars and beats; a bar has its number where there is room for it."""
    parts = []
    word = "bar " if line.quarter * bar >= _LABEL else ""
    number = math.ceil((line.start - upbeat) / beat - 1e-6)
    while (time := upbeat + beat * number) < line.end - 1e-6:
        x, bars = line.x(time), beat * number / bar
        is_bar = number >= 0 and abs(bars - round(bars)) < 1e-6
        parts.append(f'<path class="{"bar" if is_bar else "beat"}" d="M{x:.1f},0V{height:.1f}"/>')
        if is_bar:
            label = f"{word}{round(bars) + 1}"
            parts.append(f'<text x="{x + 2:.1f}" y="{height + 10:.1f}">{label}</text>')
        number += 1
    return "".join(parts)


def _in_words(
    notes: Sequence[RollNote],
    length: float,
    chords: Sequence[tuple[float, float, str]],
    chances: Chances | None,
    key: Key,
) -> str:
    shaded = ""
    if chances is not None:
        shaded = ", shaded by the probabilities of " + ", ".join(["notes", *chances.others])
    if not notes:
        return f"piano roll of {length:g} quarters of silence{shaded}"
    pitches = [note.pitch for note in notes]
    with_chords = f" and {len(chords)} chords" if chords else ""
    return (
        f"piano roll of {len(notes)} notes{with_chords} in {length:g} quarters, from "
        f"{spelled_name(min(pitches), key)} to {spelled_name(max(pitches), key)}{shaded}"
    )
