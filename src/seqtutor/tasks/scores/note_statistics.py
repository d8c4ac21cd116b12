"""Distributions of notes for a page: durations, intervals, pitch classes, first and last notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from seqtutor.exhibits import Distribution, Fact
from seqtutor.tasks.scores.keys import PITCH_NAMES

Voice = Sequence[tuple[Fraction, int]]
"""The notes of a piece in order: duration in quarters, and MIDI pitch."""

_MOST_DURATIONS = 10
_WIDEST = 12
"""Semitones from which on an interval counts as one of so many."""


def facts_of_pitches(pitches: Sequence[int]) -> dict[str, Fact]:
    """What is said of the notes of a piece."""
    extent = max(pitches) - min(pitches) if pitches else 0
    return {"notes": len(pitches), "range in semitones": extent}


def note_distributions(policies: Mapping[str, Sequence[Voice]]) -> list[Distribution]:
    """What the pieces of each policy are made of."""
    pitches = {name: [p for voice in own for _, p in voice] for name, own in policies.items()}
    intervals = {
        name: [b - a for voice in own for (_, a), (_, b) in pairwise(voice)]
        for name, own in policies.items()
    }
    ends = {
        place: {n: [voice[i][1] for voice in own if voice] for n, own in policies.items()}
        for place, i in (("First", 0), ("Last", -1))
    }
    return [
        _durations(policies),
        Distribution(
            "Intervals",
            "semitones up (+) or down (−)",
            {n: np.clip(np.array(own, float), -_WIDEST, _WIDEST) for n, own in intervals.items()},
            is_count=True,
        ),
        _pitch_classes("Pitches", pitches),
        *(_pitch_classes(f"{place} notes", own) for place, own in ends.items()),
    ]


def _pitch_classes(title: str, pitches: Mapping[str, Sequence[int]]) -> Distribution:
    values = {name: np.array(own, float) % 12 for name, own in pitches.items()}
    return Distribution(title, "pitch class", values, categories=PITCH_NAMES)


def _durations(policies: Mapping[str, Sequence[Voice]]) -> Distribution:
    """The commonest durations one by one, the others together."""
    found = {name: [d for voice in own for d, _ in voice] for name, own in policies.items()}
    counts = Counter(duration for own in found.values() for duration in own)
    common = sorted(duration for duration, _ in counts.most_common(_MOST_DURATIONS))
    places = {duration: place for place, duration in enumerate(common)}
    names = [_shown(duration) for duration in common]
    if len(counts) > len(common):
        names.append("other")

    def values(own: Sequence[Fraction]) -> Float[np.ndarray, " note"]:
        return np.array([places.get(duration, len(common)) for duration in own], float)

    return Distribution(
        "Durations", "quarters", {n: values(own) for n, own in found.items()}, categories=names
    )


def _shown(duration: Fraction) -> str:
    whole, rest = divmod(duration, 1)
    return " ".join(str(part) for part in (whole, rest) if part) or "0"
