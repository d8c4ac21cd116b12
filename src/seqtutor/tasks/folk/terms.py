"""Terms of the folk task's reward that are computed from the lead sheet.

Each is a share between 0 and 1 of something that real tunes have much of and generated ones less.
Its reward grows up to the mean of real tunes and not beyond: a tune of chord tones alone, or one
that repeats four notes throughout, earns no more than a real one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from seqtutor.adversarial import discriminator_reward
from seqtutor.measure import Estimates, Measure, MeasureGroup
from seqtutor.measures.estimates import mean_share_estimate
from seqtutor.rewards import Reward
from seqtutor.rewards.weighted_sum import weighted_sum
from seqtutor.tasks.folk.model import LeadSheetReader
from seqtutor.tasks.folk.settings import FolkSettings
from seqtutor.tasks.scores.lead_sheet import LeadSheet, in_units
from seqtutor.vocabulary import Vocabulary

HALF_BARS = (Fraction(2), Fraction(3, 2))
"""Quarters of half a bar: two in 4/4 (a bar of 2/4), one and a half in 6/8 and 3/4."""
RUN = 4
"""Notes of a run that is looked for again."""


def chord_tones(sheet: LeadSheet) -> float:
    """Share of the notes on a beat of their chord whose pitch class belongs to it.

    A note is on a beat if it begins a whole number of quarters after the chord. NaN without such
    notes.
    """
    times = [note.onset for note in sheet.notes]
    times += [time for chord in sheet.chords for time in (chord.onset, chord.end)]
    whole, quarter = in_units(times)
    onsets, spans = whole[: len(sheet.notes)], whole[len(sheet.notes) :]
    chords = zip(spans[::2], spans[1::2], (one.pitch_classes for one in sheet.chords), strict=True)
    start, end, classes = next(chords, (0, 0, frozenset()))
    on_beat = []
    for note, onset in zip(sheet.notes, onsets, strict=True):
        while end <= onset and (following := next(chords, None)) is not None:
            start, end, classes = following
        if start <= onset < end and (onset - start) % quarter == 0:
            on_beat.append(note.pitch % 12 in classes)
    return _share(on_beat)


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found) if found else math.nan


def on_the_bar(sheet: LeadSheet) -> float:
    """Share of the chord changes that are whole half bars apart, in the metre that fits best.

    Tokens know no metre. Of the metres and places of the bar line the one with the largest share is
    taken, so that the share is 1 for a tune whose bars are all complete. NaN for fewer than two
    chords.
    """
    if len(sheet.chords) < 2:
        return np.nan
    times, _ = in_units([*HALF_BARS, *(chord.onset for chord in sheet.chords)])
    places = (Counter(time % half for time in times[2:]) for half in times[:2])
    return max(max(counts.values()) for counts in places) / len(sheet.chords)


def echoes(sheet: LeadSheet) -> float:
    """Share of the runs of four notes whose pitches and durations were heard before.

    The earlier run must have ended. NaN for a tune of fewer than four notes.
    """
    # Numerators and denominators, since the hash of a fraction is slow.
    notes = [(note.pitch, *note.duration.as_integer_ratio()) for note in sheet.notes]
    first: dict[tuple[tuple[int, int, int], ...], int] = {}
    found = []
    for place in range(len(notes) - RUN + 1):
        run = tuple(notes[place : place + RUN])
        found.append(first.setdefault(run, place) <= place - RUN)
    return _share(found)


def in_the_scale(sheet: LeadSheet) -> float:
    """Share of the notes that belong to the key's scale. NaN without notes."""
    scale = sheet.key.scale
    return _share([note.pitch % 12 in scale for note in sheet.notes])


def leaps(sheet: LeadSheet) -> float:
    """Share of the intervals between neighbouring notes that are wider than a fifth."""
    return _share([abs(one.pitch - other.pitch) > 7 for one, other in pairwise(sheet.notes)])


SHARES: Mapping[str, Callable[[LeadSheet], float]] = {
    "chord_tones": chord_tones,
    "on_the_bar": on_the_bar,
    "echoes": echoes,
}
"""The shares that are rewarded."""
TYPICAL: Mapping[str, float] = {"chord_tones": 0.82, "on_the_bar": 0.92, "echoes": 0.31}
"""Their means over sequences of 100 `interleaved` tokens of Nottingham's tunes."""

MEASURES = (
    Measure("chord_tones", "Chord tones on the beat", unit="share"),
    Measure("on_the_bar", "Chord changes on one metre", unit="share"),
    Measure("echoes", "Runs of four notes heard before", unit="share"),
    Measure("in_the_scale", "Notes of the scale (no reward)", unit="share"),
    Measure("leaps", "Leaps beyond a fifth (no reward)", unit="share"),
)
"""Rows of tables: the shares, and two that no term of the reward looks at."""


class LeadSheetTerms:
    """A host reward: the shares of each sequence, up to those of real tunes."""

    def __init__(self, reader: LeadSheetReader, names: tuple[str, ...]) -> None:
        self._reader, self._names = reader, names

    def __call__(
        self, tokens: Int[np.ndarray, "batch time"], mask: Bool[np.ndarray, "batch time"]
    ) -> dict[str, Float[np.ndarray, " batch"]]:
        """A number from 0 to 1 for each sequence and term; an undefined share is 0."""
        sheets = self._reader(tokens, mask)
        return {name: np.array([_earned(name, sheet) for sheet in sheets]) for name in self._names}


def _earned(name: str, sheet: LeadSheet) -> float:
    share = SHARES[name](sheet)
    return 0.0 if np.isnan(share) else min(share / TYPICAL[name], 1.0)


def sheet_measures(reader: LeadSheetReader) -> MeasureGroup:
    """The rows of `MEASURES`; a sequence without a share does not count."""
    functions = {**SHARES, "in_the_scale": in_the_scale, "leaps": leaps}

    def estimate(tokens: np.ndarray, mask: np.ndarray) -> Estimates:
        sheets = reader(tokens, mask)
        return {
            name: mean_share_estimate([f(one) for one in sheets]) for name, f in functions.items()
        }

    return MeasureGroup(MEASURES, estimate)


def folk_reward(
    settings: FolkSettings, vocabulary: Vocabulary, origin: Mapping[str, Any]
) -> Reward:
    """The terms that have a weight.

    Raises:
        UserError: if the discriminator cannot be read or has another vocabulary.
    """
    weights = {name: getattr(settings, name) for name in SHARES if getattr(settings, name)}
    rewards = []
    if settings.discriminator is not None and settings.discriminator_weight:
        weight = settings.discriminator_weight
        rewards.append(discriminator_reward(settings.discriminator, weight=weight))
    if weights:
        reader = LeadSheetReader(vocabulary, origin)
        rewards.append(Reward(LeadSheetTerms(reader, tuple(weights)), weights))
    return rewards[0] if len(rewards) == 1 else weighted_sum(rewards)
