"""REINFORCE with the collection's mean reward as baseline (Bjare & Meredith 2020, unnumbered).

    w_t = G_t − mean of G_t over the N sequences
    L   = −(1/N) Σ_sequences Σ_t w_t·log π(a_t|s_t)

The mean holds each sequence's own return, so that the expected gradient is (1 − 1/N)·∇J. Its
optimum is that of `seqtutor.methods.reinforce`.
"""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp

from seqtutor.methods import reinforce, score_function
from seqtutor.methods.base import Method, PerStep
from seqtutor.methods.score_function import Generated
from seqtutor.methods.settings import MethodSettings


def weights(generated: Generated, options: MethodSettings) -> PerStep:
    """G_t less its mean; a sequence that has ended counts in it with a return of zero."""
    totals = reinforce.weights(generated, options)
    return totals - jnp.mean(totals, axis=0)


METHOD = Method(
    name="reinforce-baseline",
    symbol="REINFORCE with baseline",
    summary="The reward less the collection's mean.",
    reference="Williams 1992; Bjare & Meredith 2020",
    year=1992,
    loss=partial(score_function.loss, weights),
    learns_from="collection",
    objective=reinforce.objective,
    proof=reinforce.PROOF,
    color="#A6761D",
    line=(0, (7, 2, 1, 2)),
)
