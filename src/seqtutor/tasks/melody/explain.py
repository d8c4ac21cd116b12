"""What a melody earns, for people: note by note with the reasons, and a table of the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from seqtutor.report.tables import signed
from seqtutor.tasks.melody.marks import Bars, marks_of
from seqtutor.tasks.melody.rule_settings import RULE_NAMES

if TYPE_CHECKING:
    import numpy as np
    import rich.table
    from jaxtyping import Float

    from seqtutor.exhibits import Mark
    from seqtutor.tasks.melody.encoding import Note
    from seqtutor.tasks.melody.scoring import Scores
    from seqtutor.tasks.scores.keys import Key

_PLACE, _POINTS = 13, 7
"""Characters of the columns before the rule."""
_SHOWN = 0.005
"""What rounds to nothing is not listed."""


def earned_lines(
    notes: Sequence[Note], scores: Scores, key: Key, bars: Bars, width: int
) -> Iterator[str]:
    """Bar by bar the notes that earned or lost something: beat, note, points, rule and reason.

    Args:
        notes: of the melody.
        scores: what it earns.
        key: in which the rules count.
        bars: where the bars begin.
        width: of the lines at most, in characters.
    """
    yield f"  {'beat':<6}{'note':<5}{'points':>{_POINTS}}  rule: why"
    shown = -1
    for mark in marks_of(notes, len(scores.total), scores.rules, key, bars):
        bar, beat = bars.place(mark.first)
        lines = list(_reasons(mark, scores, width - _PLACE))
        if lines and bar != shown:
            shown = bar
            yield f"bar {bar}" if bar else "upbeat"
        place = f"  {beat:<6g}{mark.label:<5}"
        for line in lines:
            yield f"{place:<{_PLACE}}{line}"
            place = ""


def _reasons(mark: Mark, scores: Scores, width: int) -> Iterator[str]:
    """What each rule gave within a mark, without the place and the note."""
    for name in RULE_NAMES:
        given = float(scores.rules[name][mark.first : mark.end].sum())
        if abs(given) >= _SHOWN:
            first, *others = wrap(f"{name}: {mark.words[name]}", max(20, width - _POINTS - 2))
            yield f"{signed(given):>{_POINTS}}  {first}"
            yield from (" " * (_POINTS + 4) + other for other in others)


def rules_table(scores: Scores, bars: Bars, caption: str) -> rich.table.Table:
    """What each rule gave in all, in a bar on average, and in which bars.

    A total grows with the length of a melody; what a bar earns can be compared.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(caption=caption, box=SIMPLE_HEAD)
    table.add_column("Rule", no_wrap=True)
    table.add_column("Points", justify="right", no_wrap=True)
    table.add_column("A bar", justify="right", no_wrap=True)
    table.add_column("Bars")
    for name in RULE_NAMES:
        steps = scores.rules[name].nonzero()[0].tolist()
        found = sorted({bars.place(step)[0] for step in steps})
        table.add_row(name, *_points(scores.rules[name], bars), ranges(found))
    table.add_section()
    table.add_row("total", *_points(scores.total, bars))
    return table


def _points(earned: Float[np.ndarray, " time"], bars: Bars) -> tuple[str, str]:
    """What was earned in all, and in a bar on average."""
    return signed(float(earned.sum())), signed(float(earned.mean() * bars.length))


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in ascending order, with runs written as 3–7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)
