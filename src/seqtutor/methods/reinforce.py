"""REINFORCE (Williams 1992; Bjare & Meredith 2020, eq. 1): the reward alone.

    w_t = G_t = Σ_{k ≥ t} γ^{k−t}·r_k/c                                       (eq. 1)
    L   = −(1/N) Σ_sequences Σ_t w_t·log π(a_t|s_t)

With one reward R at the end and γ = 1, w_t = R/c at every step. The optimum is a sequence of the
greatest reward, with probability one.
"""

from __future__ import annotations

from functools import partial

from seqtutor.methods import score_function
from seqtutor.methods.base import Method, Objective, PerStep, Proof
from seqtutor.methods.score_function import Generated
from seqtutor.methods.settings import MethodSettings
from seqtutor.objectives.policy_gradient import returns


def weights(generated: Generated, options: MethodSettings) -> PerStep:
    """G_t (eq. 1)."""
    del options
    return returns(generated.scaled_rewards, generated.mask, generated.discount)


def objective(options: MethodSettings) -> Objective:
    """E[r]/c alone."""
    del options
    return Objective(prior_weight=0.0, entropy_weight=0.0)


# With a larger learning rate it settles on a sequence before it has seen what the others earn.
PROOF = Proof({"environments": 256, "learning_rate": 3e-3}, at_discount=False)

METHOD = Method(
    name="reinforce",
    symbol="REINFORCE",
    summary="The reward alone.",
    reference="Williams 1992; Bjare & Meredith 2020, eq. 1",
    year=1992,
    loss=partial(score_function.loss, weights),
    learns_from="collection",
    objective=objective,
    proof=PROOF,
    color="#000000",
    line=(0, (1, 2)),
)
