"""The notes and rests of a melody, each with its place in the bar and the reasons of its reward."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from seqtutor.exhibits import Mark
from seqtutor.tasks.melody.encoding import REST, STEPS_PER_QUARTER, Note
from seqtutor.tasks.melody.tune import Tune, downbeats_from
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.notation import Meter, bar_length, key_title, spelled_name

_VALUES = {
    1: "a sixteenth",
    2: "an eighth",
    3: "a dotted eighth",
    4: "a quarter",
    6: "a dotted quarter",
    8: "a half note",
    12: "a dotted half note",
    16: "a whole note",
}
_INTERVALS = (
    "the same note again",
    "a minor second",
    "a major second",
    "a minor third",
    "a major third",
    "a fourth",
    "a tritone",
    "a fifth",
    "a minor sixth",
    "a major sixth",
    "a minor seventh",
    "a major seventh",
    "an octave",
)
_REASONS = {
    "penalize_repeating": "repeated too often",
    "penalize_autocorrelation": "like what came 1 to 3 steps before",
    "motif": "completes a motif",
    "repeated_motif": "completes a motif heard before",
    "high_low_unique": "the highest or lowest note occurs once",
}


@dataclass(frozen=True)
class Bars:
    """Where a melody's bars begin, to say where a note stands.

    Attributes:
        downbeats: in sixteenths, ascending; what lies before the first is an upbeat.
        meter: numerator and denominator, or `None` for free metre, whose beats are quarters.
    """

    downbeats: tuple[int, ...]
    meter: Meter | None

    @classmethod
    def regular(cls, meter: Meter, length: int, first: Sequence[int] = (0,)) -> Bars:
        """Bars of one length within `length` sixteenths, after the first downbeats."""
        return cls(downbeats_from(first, length, max(1, int(_sixteenths(meter)))), meter)

    @classmethod
    def of_tune(cls, tune: Tune) -> Bars:
        """The bars of a tune that was read."""
        return cls(tune.downbeats, tune.meter)

    @property
    def length(self) -> float:
        """Sixteenths in a bar of the metre; of free metre, in one of 4/4."""
        return float(_sixteenths(self.meter or (4, 4)))

    def place(self, step: int) -> tuple[int, float]:
        """The bar, from 1 on, and the beat, from 1 on, of a sixteenth; an upbeat is bar 0.

        A beat is the unit of the metre's denominator. Those of an upbeat are the last ones of the
        bar that it completes.
        """
        bar = bisect_right(self.downbeats, step)
        passed = Fraction(step)
        if bar:
            passed -= self.downbeats[bar - 1]
        elif self.downbeats and self.meter:
            passed += max(Fraction(0), _sixteenths(self.meter) - self.downbeats[0])
        unit = Fraction(16, self.meter[1]) if self.meter else STEPS_PER_QUARTER
        return bar, float(passed / Fraction(unit)) + 1


def _sixteenths(meter: Meter) -> Fraction:
    return STEPS_PER_QUARTER * bar_length(meter)


def marks_of(
    notes: Sequence[Note], length: int, terms: Mapping[str, np.ndarray], key: Key, bars: Bars
) -> Iterator[Mark]:
    """The notes and rests in order, each with its reasons.

    Args:
        notes: of the melody.
        length: in sixteenths.
        terms: by the name of a rule, what each step earned.
        key: in which the rules count.
        bars: where the bars begin.
    """
    time, previous = 0, None
    for note in notes:
        if note.onset > time:
            yield _rest(time, note.onset, bars)
        words = _REASONS | _words_of(note, previous, terms, length, key)
        label = spelled_name(note.pitch, key)
        yield Mark(label, note.onset, note.end, _detail(note.onset, note.end, bars), words)
        time, previous = note.end, note
    if time < length:
        yield _rest(time, length, bars)


def _rest(start: int, end: int, bars: Bars) -> Mark:
    words = _REASONS | {"preferred_intervals": "the rest", "penalize_repeating": "too many rests"}
    return Mark(REST, start, end, _detail(start, end, bars), words)


def _detail(start: int, end: int, bars: Bars) -> str:
    bar, beat = bars.place(start)
    value = _VALUES.get(end - start, f"{end - start} sixteenths")
    return f"{value} in {f'bar {bar}' if bar else 'the upbeat'}, beat {beat:g}"


def _words_of(
    note: Note, previous: Note | None, terms: Mapping[str, np.ndarray], length: int, key: Key
) -> dict[str, str]:
    """The reasons that depend on the note and the one before."""
    nothing = np.zeros(length)
    leap = terms.get("leap_up_back", nothing)[note.onset : note.end].sum()
    repeats = terms.get("penalize_repeating", nothing)[note.onset] != 0
    is_tonic = note.pitch % 12 == key.tonic
    close = "the tonic at the close" if is_tonic else "what sounds on at the close"
    return {
        "key": f"not in {key_title(key)}",
        "tonic": "begins with the tonic" if note.onset == 0 else close,
        "penalize_repeating": "repeated too often" if repeats else "held too long",
        "preferred_intervals": _interval(note, previous),
        "leap_up_back": "resolves a leap" if leap > 0 else "a second leap in the same direction",
    }


def _interval(note: Note, previous: Note | None) -> str:
    held = "held" if note.duration > 1 else ""
    if previous is None:
        return held or "the first note"
    size = note.pitch - previous.pitch
    name = _INTERVALS[abs(size)] if abs(size) < len(_INTERVALS) else "more than an octave"
    direction = "" if size == 0 else " up" if size > 0 else " down"
    return ", ".join(filter(None, [name + direction, held]))
