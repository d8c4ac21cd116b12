"""Judges of tunes: discriminators, trained afterwards, that tell a policy's tunes from real ones.

They look at tokens and know no rule, and no policy was tuned against them: they may find what a
reward makes worse and no rule looks at. Each policy has judges of its own.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Int

from seqtutor.adversarial.evaluation import RealSequences, divided
from seqtutor.adversarial.judges import Parts, train_judge
from seqtutor.adversarial.settings import JudgeSettings
from seqtutor.measure import Estimate, Estimates, Measure, MeasureGroup
from seqtutor.measures.estimates import mean_estimate
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.tunes.data import TunesData
from seqtutor.tasks.tunes.dataset import read_phrases
from seqtutor.tasks.tunes.priors import bars_of, source_of
from seqtutor.types import SequenceBatch
from seqtutor.vocabulary import Vocabulary

JUDGING = (
    Measure("taken_for_real", "Taken for real by fresh judges", unit="share"),
    Measure("judge_accuracy", "Right judgements", unit="share"),
)
"""Over judges: the share of unseen tunes that a judge takes for real; and the share of tunes, as
many real ones as others, that it tells rightly, ½ where it cannot."""
SETTINGS = JudgeSettings(epochs=20, patience=3)


def judge_measures(prior: PriorRecord, judges: int) -> MeasureGroup:
    """What so many judges say of tunes in the tokens of a prior; nothing of too few tunes.

    A judge learns from as many tunes as there are real phrases for training, stops by as many as
    for validation, and is measured on as many as for the test, 7,738 of music21 in all.
    """
    vocabulary, bars = prior.vocabulary, bars_of(prior)

    def estimate(tokens: np.ndarray, mask: np.ndarray) -> Estimates:
        real = _real_phrases(vocabulary, bars, source_of(prior))
        return judge_estimates(tokens, mask, real, vocabulary, judges)

    return MeasureGroup(JUDGING, estimate)


def judge_estimates(
    tokens: Int[np.ndarray, "tune time"],
    mask: Bool[np.ndarray, "tune time"],
    real: Parts,
    vocabulary: Vocabulary,
    judges: int,
) -> Estimates:
    """The estimates over judges whose weights and orders differ in their seeds.

    Which tunes a judge learns from and which it is measured on differs, too.
    """
    needed = sum(map(len, (real.training, real.validation, real.test)))
    if len(tokens) < needed:
        return {measure.name: Estimate(math.nan) for measure in JUDGING}
    taken, right = [], []
    for seed in range(judges):
        chosen = np.random.default_rng(seed).permutation(len(tokens))[:needed]
        own = SequenceBatch(jnp.asarray(tokens[chosen], jnp.int32), jnp.asarray(mask[chosen]))
        settings = replace(SETTINGS, seed=seed)
        found = train_judge(vocabulary.size, real, divided(own, real), settings).test
        right.append(found.accuracy)
        # As many real as generated ones: accuracy is the mean of the recall and of what is left.
        taken.append(1 + found.recall - 2 * found.accuracy)
    return {"taken_for_real": mean_estimate(taken), "judge_accuracy": mean_estimate(right)}


@lru_cache(maxsize=2)
def _real_phrases(vocabulary: Vocabulary, bars: int, source: Path | None) -> Parts:
    """The real phrases of a prior of this vocabulary, read again.

    Raises:
        UserError: if they cannot be read.
    """
    data = read_phrases(TunesData(data=source, bars=bars), vocabulary)
    return RealSequences.of(data).judging
