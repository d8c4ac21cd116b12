"""Which samples of a generator are worth hearing: those that deceive, those that fail, collapse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

Kind = Literal["false positive", "true negative", "collapsed", "real"]
GRAM = 4
"""Tokens in the runs whose repetition tells a collapsed sample."""


@dataclass(frozen=True)
class Exhibit:
    """A sample, why it was chosen, D(x), and the share of its runs of four that are different."""

    kind: Kind
    tokens: Int[np.ndarray, " time"]
    probability: float
    distinct: float


def choose_exhibits(
    tokens: Int[np.ndarray, "sample time"], logits: Float[np.ndarray, " sample"], each: int = 2
) -> list[Exhibit]:
    """The samples that look most and least real to a discriminator, and the most repetitive ones.

    False positives have D(x) > ½ and may be missing, true negatives D(x) ≤ ½. A collapsed sample
    has at most half of its runs of four tokens different. No sample is chosen twice.

    Args:
        tokens: samples of a generator.
        logits: those of the discriminator.
        each: how many of a kind at most.
    """
    distinct = distinct_runs(tokens)
    order = np.argsort(-logits, kind="stable")
    kinds: dict[Kind, list[int]] = {
        "false positive": [i for i in order if logits[i] > 0],
        "true negative": [i for i in order[::-1] if logits[i] <= 0],
        "collapsed": [i for i in np.argsort(distinct, kind="stable") if distinct[i] <= 0.5],
    }
    chosen: dict[int, Kind] = {}
    for kind, candidates in kinds.items():
        free = [int(index) for index in candidates if int(index) not in chosen]
        chosen |= dict.fromkeys(free[:each], kind)
    return [
        one for i, kind in chosen.items() for one in as_exhibits(kind, tokens[[i]], logits[[i]])
    ]


def as_exhibits(
    kind: Kind, tokens: Int[np.ndarray, "sample time"], logits: Float[np.ndarray, " sample"]
) -> list[Exhibit]:
    """All of some sequences, of one kind, with their D(x) by a discriminator's logits."""
    return [
        Exhibit(kind, row, float(1 / (1 + np.exp(-np.float64(logit)))), float(share))
        for row, logit, share in zip(tokens, logits, distinct_runs(tokens), strict=True)
    ]


def distinct_runs(tokens: Int[np.ndarray, "sample time"]) -> Float[np.ndarray, " sample"]:
    """Of each sample, how many of its runs of four tokens are different, as a share of all."""
    if tokens.shape[1] < GRAM:
        return np.ones(len(tokens))
    runs = np.lib.stride_tricks.sliding_window_view(tokens, GRAM, axis=1)
    return np.array([len(np.unique(one, axis=0)) / len(one) for one in runs])
