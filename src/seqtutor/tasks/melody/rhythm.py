"""The rhythm of melodies: where notes begin, where they sound on, and where there is silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.tasks.melody.encoding import HOLD, LOWEST_PITCH_TOKEN
from seqtutor.tasks.melody.notation import Meter

SILENCE, SOUNDING, ONSET = 0, 1, 2
"""What a step of a rhythm is."""

BAR = Meter().bar_length
"""Sixteenths in a bar of 4/4."""


@dataclass(frozen=True)
class BarCounts:
    """Bars of each melody.

    Attributes:
        returning: whole bars whose rhythm is that of an earlier bar of the melody.
        bars: whole bars.
    """

    returning: Int[np.ndarray, " melody"]
    bars: Int[np.ndarray, " melody"]


def rhythms(tokens: Int[np.ndarray, "melody time"]) -> Int[np.ndarray, "melody time"]:
    """`ONSET`, `SOUNDING` or `SILENCE` at each step.

    Melodies that sound alike have equal rhythms: a hold after a note-off, or before the first note,
    is silence.
    """
    steps = np.arange(tokens.shape[1])
    # The step at which what holds prolong began; −1 before the first token that is no hold.
    began = np.maximum.accumulate(np.where(tokens == HOLD, -1, steps), axis=1)
    prolonged = np.take_along_axis(tokens, np.maximum(began, 0), axis=1)
    sounding = (began >= 0) & (prolonged >= LOWEST_PITCH_TOKEN)
    found = np.where(sounding, SOUNDING, SILENCE)
    found[tokens >= LOWEST_PITCH_TOKEN] = ONSET
    return found.astype(np.int8)


def bar_counts(
    tokens: Int[np.ndarray, "melody time"],
    mask: Bool[np.ndarray, "melody time"] | None = None,
    bar: int = BAR,
) -> BarCounts:
    """Count the bars of each melody, and those whose rhythm returns.

    Two bars have one rhythm if the same happens at each of their steps: a note begins, sounds on,
    or there is silence. The first bar of a melody never counts as a return.

    Args:
        tokens: melodies that begin with a bar.
        mask: true up to the end of each melody; all of it if left out.
        bar: sixteenths in a bar.
    """
    number = tokens.shape[1] // bar
    cut = rhythms(tokens)[:, : number * bar].reshape(len(tokens), number, bar)
    lengths = np.full(len(tokens), tokens.shape[1]) if mask is None else mask.sum(axis=1)
    bars = lengths // bar
    returning = np.zeros(len(tokens), int)
    for place in range(1, number):
        same = (cut[:, :place] == cut[:, place : place + 1]).all(axis=2).any(axis=1)
        returning += same & (place < bars)
    return BarCounts(returning, bars)
