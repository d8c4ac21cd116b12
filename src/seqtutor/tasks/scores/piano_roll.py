"""Piano rolls as SVG for a page, whose notes can be pointed at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from seqtutor.exhibits import Picture
from seqtutor.tasks.scores.chances import ROW_BELOW, Chances, shading
from seqtutor.tasks.scores.keys import BLACK_KEYS, Key
from seqtutor.tasks.scores.notation import spelled_name

_LEFT, _BOTTOM, _ROW, _ROW_SHADED = 26.0, 14.0, 5.5, 7.0
_NARROWEST, _QUARTER = 320.0, 14.0
"""Width of the picture, and the least of a quarter, in units."""
_LABEL = 34.0
"""Room for the number of a bar, in units."""
_MARGIN, _FEWEST_ROWS = 2, 14
_INSET = 1.2
"""Between a note and the edge of its row, if the row is shaded."""


@dataclass(frozen=True)
class RollNote:
    """A note: onset and duration in quarters, MIDI pitch, and the mark that it stands for."""

    onset: float
    duration: float
    pitch: int
    mark: int | None = None


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
    low, high = _range([note.pitch for note in notes], [] if chances is None else chances.likely)
    quarter = max(_QUARTER, (_NARROWEST - _LEFT) / max(length, 1e-9))
    row = _ROW if chances is None else _ROW_SHADED
    end, strip = _LEFT + quarter * length, 13.0 if chords else 0.0
    last_bar = upbeat + bar * max(0, math.ceil((length - upbeat) / bar - 1e-6) - 1)
    # The last bar may be shorter than its label.
    width = max(end, _LEFT + quarter * last_bar + _LABEL)
    height = row * (high - low + 1)
    parts = [_keys(low, high, width, row, key)]
    if chances is not None:
        parts.append(shading(chances, low, high, row, _LEFT, quarter))
        height += 1 + ROW_BELOW * len(chances.others)
    parts += [
        _lines(length, bar, beat, upbeat, quarter, height + strip),
        _notes(notes, high, row, 0.0 if chances is None else _INSET, quarter),
        _chords(chords, height, quarter),
        f'<path class="cursor" data-cursor="" data-start="{_LEFT}" data-end="{end:.1f}" '
        f'data-seconds="{seconds:.3f}" d="M0,0V{height + strip:.1f}"/>',
    ]
    svg = (
        f'<svg class="roll" viewBox="0 0 {width:.1f} {height + strip + _BOTTOM:.1f}">'
        f"{''.join(parts)}</svg>"
    )
    return Picture(svg, _in_words(notes, length, chords, chances, key), "theme")


def _range(pitches: Sequence[int], likely: Sequence[int]) -> tuple[int, int]:
    """The lowest and the highest row, of the notes and of what was probable."""
    every = [*pitches, *likely] or [60]
    low, high = min(every) - _MARGIN, max(every) + _MARGIN
    low -= max(0, _FEWEST_ROWS - (high - low)) // 2
    return low, max(high, low + _FEWEST_ROWS)


def _notes(notes: Sequence[RollNote], high: int, row: float, inset: float, quarter: float) -> str:
    """The notes, each so far within its row that shading around it can be seen."""
    parts = []
    for note in notes:
        mark = "" if note.mark is None else f' data-mark="{note.mark}"'
        parts.append(
            f'<rect class="note"{mark} x="{_LEFT + quarter * note.onset:.1f}" '
            f'y="{row * (high - note.pitch) + inset:.1f}" '
            f'width="{max(1.0, quarter * note.duration - 0.8):.1f}" '
            f'height="{row - 2 * inset:.1f}" rx="1"/>'
        )
    return "".join(parts)


def _chords(chords: Sequence[tuple[float, float, str]], top: float, quarter: float) -> str:
    """A box with its name for each chord."""
    return "".join(
        f'<rect class="chord" x="{_LEFT + quarter * onset:.1f}" y="{top + 1:.1f}" '
        f'width="{max(1.0, quarter * duration - 0.8):.1f}" height="11.0"/>'
        f'<text x="{_LEFT + quarter * (onset + 0.1):.1f}" y="{top + 10:.1f}">{escape(name)}</text>'
        for onset, duration, name in chords
    )


def _keys(low: int, high: int, width: float, row: float, key: Key) -> str:
    parts = []
    for pitch in range(low, high + 1):
        top = row * (high - pitch)
        if pitch % 12 in BLACK_KEYS:
            parts.append(
                f'<path class="black" d="M{_LEFT},{top:.1f}h{width - _LEFT:.1f}v{row}H{_LEFT}"/>'
            )
        if pitch % 12 in (0, 7):
            parts.append(
                f'<text x="{_LEFT - 3}" y="{max(top + row, 8.0):.1f}" text-anchor="end">'
                f"{spelled_name(pitch, key)}</text>"
            )
    return "".join(parts)


def _lines(
    length: float, bar: float, beat: float, upbeat: float, quarter: float, height: float
) -> str:
    parts = []
    number = -math.floor(upbeat / beat)
    while upbeat + beat * number < length:
        time = beat * number  # From the first bar line on.
        x = _LEFT + quarter * (upbeat + time)
        is_bar = time >= 0 and abs(time / bar - round(time / bar)) < 1e-6
        kind = "bar" if is_bar else "beat"
        parts.append(f'<path class="{kind}" d="M{x:.1f},0V{height:.1f}"/>')
        if is_bar:
            parts.append(
                f'<text x="{x + 2:.1f}" y="{height + 10:.1f}">bar {round(time / bar) + 1}</text>'
            )
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
