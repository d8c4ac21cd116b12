"""Measures of melodies: those of Table 1, and the share of the commonest first beat."""

from __future__ import annotations

import numpy as np

from seqtutor.measure import Estimate, Estimates, Measure, MeasureGroup
from seqtutor.measures.diversity import commonest_beginning
from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER
from seqtutor.tasks.melody.metrics import aggregate, count_melodies
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.table_1 import TABLE_1

FIRST_BEAT = Measure("commonest_first_beat", "Melodies with the commonest first beat", unit="share")


def melody_measures(rules: MelodyRuleSettings | None = None) -> MeasureGroup:
    """The measures of melodies by the key and lengths of the rules; the defaults if left out."""

    def estimate(tokens: np.ndarray, mask: np.ndarray) -> Estimates:
        melodies = [row[present] for row, present in zip(tokens, mask, strict=True)]
        first_beat = Estimate(commonest_beginning(tokens, STEPS_PER_QUARTER))
        counts = count_melodies(tokens if mask.all() else melodies, rules)
        return {**aggregate(counts), FIRST_BEAT.name: first_beat}

    return MeasureGroup((*TABLE_1, FIRST_BEAT), estimate)
