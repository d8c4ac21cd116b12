"""REINFORCE with KL in the reward and a leave-one-out baseline (Kool et al. 2019).

    G_t = Σ_{k ≥ t} γ^{k−t}·( r_k/c − log π(a_k|s_k) + log p(a_k|s_k) )
    w_t = G_t − mean of G_t over the other N − 1 sequences
    L   = −(1/N) Σ_sequences Σ_t w_t·log π(a_t|s_t)

Ahmadian et al. 2024 use it for language models. At γ = 1, −∇L estimates the gradient of
E[r]/c − KL(π‖p) without bias, since no sequence is in its own baseline; the optimum is π*.
"""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp

from seqtutor.methods import score_function
from seqtutor.methods.base import Method, PerStep, Proof
from seqtutor.methods.score_function import Generated
from seqtutor.methods.settings import MethodSettings
from seqtutor.objectives.policy_gradient import returns


def weights(generated: Generated, options: MethodSettings) -> PerStep:
    """G_t less the others' mean; a sequence that has ended counts in it with a return of zero."""
    del options
    with_divergence = generated.scaled_rewards - (generated.log_policy - generated.log_prior)
    totals = returns(with_divergence, generated.mask, generated.discount)
    others = jnp.sum(totals, axis=0) - totals
    return totals - others / (totals.shape[0] - 1)


METHOD = Method(
    name="rloo",
    symbol="RLOO",
    summary=("REINFORCE with the KL divergence in the reward and the other sequences as baseline."),
    reference="Kool et al. 2019; Ahmadian et al. 2024",
    year=2019,
    loss=partial(score_function.loss, weights),
    learns_from="collection",
    proof=Proof({"environments": 256}, iterations=3000),
    color="#56B4E9",
    line=(0, (8, 1.5)),
)
