"""Measures of melodies: those of Table 1, and those of openings and rhythm."""

from __future__ import annotations

import numpy as np

from seqtutor.errors import UserError
from seqtutor.measure import Estimate, Estimates, Measure, MeasureGroup
from seqtutor.measures.diversity import commonest_beginning, distinct_estimate
from seqtutor.measures.estimates import UNKNOWN, mean_share_estimate, share_estimate
from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER, symbols_of_tokens
from seqtutor.tasks.melody.metrics import aggregate, count_melodies
from seqtutor.tasks.melody.rhythm import bar_counts, rhythms
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.table_1 import TABLE_1
from seqtutor.tasks.melody.training_melodies import training_melodies

FIRST_TOKENS = 4
COMPARED = 10_000
"""Melodies at most that are compared with real ones, the first of those that are measured."""

VARIETY = (
    Measure("commonest_first_beat", "Melodies with the commonest first beat", "lower", "share"),
    Measure("commonest_first_four", "Melodies with the commonest four tokens", "lower", "share"),
    Measure("copies", "Copies of a training tune", "lower", "share"),
    Measure("rhythm_returns", "Bars with the rhythm of an earlier bar", "higher", "share"),
    Measure("distinct_rhythms", "Distinct rhythms (fewer in more melodies)", "higher", "share"),
)
"""What the rules do not reward: how melodies begin, whether they are new, and their rhythm."""


def melody_measures(rules: MelodyRuleSettings | None = None) -> MeasureGroup:
    """The measures of melodies; `rules`, by default the papers', have the key and the lengths."""

    def estimate(tokens: np.ndarray, mask: np.ndarray) -> Estimates:
        melodies = [row[present] for row, present in zip(tokens, mask, strict=True)]
        counts = count_melodies(tokens if mask.all() else melodies, rules)
        own = {**aggregate(counts), **variety(tokens, mask)}
        return {**own, "copies": copies(tokens, mask)}

    return MeasureGroup((*TABLE_1, *VARIETY), estimate)


def variety(tokens: np.ndarray, mask: np.ndarray, beat: int = STEPS_PER_QUARTER) -> Estimates:
    """The estimates of `VARIETY` but for the copies; both arrays are `["melody time"]`."""
    bars = bar_counts(tokens, mask)
    return {
        "commonest_first_beat": commonest_beginning(tokens, beat),
        "commonest_first_four": commonest_beginning(tokens, FIRST_TOKENS),
        "rhythm_returns": share_estimate(bars.returning, bars.bars),
        "distinct_rhythms": distinct_estimate(np.where(mask, rhythms(tokens), -1)),
    }


def copies(tokens: np.ndarray, mask: np.ndarray) -> Estimate:
    """The share of copies among the first `COMPARED` melodies of the commonest length.

    It is unknown if no real tune is so long, or music21's tunes are missing.
    """
    lengths = mask.sum(axis=1)
    length = int(np.bincount(lengths).argmax())
    chosen = np.flatnonzero(lengths == length)[:COMPARED]
    try:
        real = training_melodies(length)
    except UserError:
        return UNKNOWN
    return mean_share_estimate(real.copies(symbols_of_tokens(tokens[chosen, :length])))
