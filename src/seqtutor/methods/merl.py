"""Maximum-entropy REINFORCE (Bjare & Meredith 2020, eq. 2): the reward and the policy's entropy.

    w_t = Σ_{k ≥ t} γ^{k−t}·( r_k/c − α·log π(a_k|s_k) ) − α                  (eq. 2)
    L   = −(1/N) Σ_sequences Σ_t w_t·log π(a_t|s_t)

With `baseline` the mean of Σ_{k ≥ t} γ^{k−t}·r_k/c over the N sequences is taken off each w_t:
their maximum-entropy model was trained so.

The sum runs over the steps of a sequence. With one reward R at the end and α = c = γ = 1 the first
step's weight is the published R − log π(τ) − 1. The prior is only where the policy starts: the
optimum of E[r]/c + α·H(π) is π(τ) ∝ exp(r(τ)/(α·c)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp

from seqtutor.methods import score_function
from seqtutor.methods.base import Method, Objective, PerStep, Proof
from seqtutor.methods.score_function import Generated
from seqtutor.methods.settings import MethodSettings
from seqtutor.objectives.policy_gradient import returns
from seqtutor.settings import NotNegative


@dataclass(frozen=True)
class Settings(MethodSettings):
    """Settings of maximum-entropy REINFORCE."""

    entropy_weight: NotNegative = 1.0
    """α, the weight of the policy's entropy beside r/c."""
    baseline: bool = False
    """Whether the collection's mean reward is taken off, as in the experiments of the paper."""


def weights(generated: Generated, options: Settings) -> PerStep:
    """Σ (r/c − α·log π) − α (eq. 2), and with the baseline less the mean of Σ r/c."""
    alpha = options.entropy_weight
    with_entropy = generated.scaled_rewards - alpha * generated.log_policy
    found = returns(with_entropy, generated.mask, generated.discount) - alpha
    if not options.baseline:
        return found
    earned = returns(generated.scaled_rewards, generated.mask, generated.discount)
    return found - jnp.mean(earned, axis=0)


def objective(options: Settings) -> Objective:
    """E[r]/c + α·H(π)."""
    return Objective(prior_weight=0.0, entropy_weight=options.entropy_weight)


METHOD = Method(
    name="merl",
    symbol="MERL",
    summary="REINFORCE with the policy's entropy in the reward, without a prior.",
    reference="Bjare & Meredith 2020, eq. 2",
    year=2020,
    settings=Settings,
    loss=partial(score_function.loss, weights),
    learns_from="collection",
    objective=objective,
    # By default it has no baseline: its noise does not vanish at the optimum.
    proof=Proof({"environments": 512, "learning_rate": 2e-2}, iterations=4000, at_discount=False),
    color="#7F3B08",
    line=(0, (2, 1)),
)
