"""Counts of simulated studies."""

from __future__ import annotations

import numpy as np

from seqtutor.study.bradley_terry import probabilities
from seqtutor.study.tally import Tally


def studies(number, listeners, each, strengths, position=0.0, ties=-0.7, spread=0.0, seed=0):
    """Balanced studies: every listener answers every ordered pair `each` times."""
    generator = np.random.default_rng(seed)
    own = np.array(strengths) + spread * generator.standard_normal(
        (number, listeners, len(strengths))
    )
    terms = np.broadcast_to([position, ties], (*own.shape[:2], 2))
    chance = probabilities(np.concatenate([own[..., 1:] - own[..., :1], terms], axis=-1))
    counts = generator.multinomial(each, chance).astype(float)
    names = tuple(f"m{place}" for place in range(len(strengths)))
    voters = tuple(f"l{place}" for place in range(listeners))
    return [Tally(names, voters, one) for one in counts]
