"""Piano rolls as SVG for a page, whose notes can be pointed at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from seqtutor.exhibits import Picture
from seqtutor.tasks.scores.keys import BLACK_KEYS, pitch_name

_LEFT, _BOTTOM, _ROW = 26.0, 14.0, 5.5
_NARROWEST, _QUARTER = 400.0, 14.0
"""Width of the picture, and the least of a quarter, in units."""
_LABEL = 34.0
"""Room for the number of a bar, in units."""
_MARGIN, _FEWEST_ROWS = 2, 14


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
    """
    pitches = [note.pitch for note in notes] or [60]
    low, high = min(pitches) - _MARGIN, max(pitches) + _MARGIN
    low -= max(0, _FEWEST_ROWS - (high - low)) // 2
    high = max(high, low + _FEWEST_ROWS)
    quarter = max(_QUARTER, (_NARROWEST - _LEFT) / max(length, 1e-9))
    end, strip = _LEFT + quarter * length, 13.0 if chords else 0.0
    last_bar = upbeat + bar * max(0, math.ceil((length - upbeat) / bar - 1e-6) - 1)
    # The last bar may be shorter than its label.
    width = max(end, _LEFT + quarter * last_bar + _LABEL)
    height = _ROW * (high - low + 1)

    def x(time: float) -> str:
        return f"{_LEFT + quarter * time:.1f}"

    parts = [_keys(low, high, width), _lines(length, bar, beat, upbeat, quarter, height + strip)]
    for note in notes:
        mark = "" if note.mark is None else f' data-mark="{note.mark}"'
        parts.append(
            f'<rect class="note"{mark} x="{x(note.onset)}" y="{_ROW * (high - note.pitch):.1f}" '
            f'width="{max(1.0, quarter * note.duration - 0.8):.1f}" height="{_ROW}" rx="1"/>'
        )
    for onset, duration, name in chords:
        parts.append(
            f'<rect class="chord" x="{x(onset)}" y="{height + 1:.1f}" '
            f'width="{max(1.0, quarter * duration - 0.8):.1f}" height="{strip - 2:.1f}"/>'
            f'<text x="{x(onset + 0.1)}" y="{height + 10:.1f}">{escape(name)}</text>'
        )
    parts.append(
        f'<path class="cursor" data-cursor="" data-start="{_LEFT}" data-end="{end:.1f}" '
        f'data-seconds="{seconds:.3f}" d="M0,0V{height + strip:.1f}"/>'
    )
    svg = (
        f'<svg class="roll" viewBox="0 0 {width:.1f} {height + strip + _BOTTOM:.1f}">'
        f"{''.join(parts)}</svg>"
    )
    return Picture(svg, _in_words(notes, length, chords), "theme")


def _keys(low: int, high: int, width: float) -> str:
    parts = []
    for pitch in range(low, high + 1):
        top = _ROW * (high - pitch)
        if pitch % 12 in BLACK_KEYS:
            parts.append(
                f'<path class="black" d="M{_LEFT},{top:.1f}h{width - _LEFT:.1f}v{_ROW}H{_LEFT}"/>'
            )
        if pitch % 12 in (0, 7):
            parts.append(
                f'<text x="{_LEFT - 3}" y="{max(top + _ROW, 8.0):.1f}" text-anchor="end">'
                f"{pitch_name(pitch)}</text>"
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
    notes: Sequence[RollNote], length: float, chords: Sequence[tuple[float, float, str]]
) -> str:
    if not notes:
        return f"piano roll of {length:g} quarters of silence"
    pitches = [note.pitch for note in notes]
    with_chords = f" and {len(chords)} chords" if chords else ""
    return (
        f"piano roll of {len(notes)} notes{with_chords} in {length:g} quarters, from "
        f"{pitch_name(min(pitches))} to {pitch_name(max(pitches))}"
    )
