"""Direct preference optimisation: a policy from votes on pairs of sequences, without a reward.

    û(x)   = c·log( π(x)/p(x) )
    d      = û(left) − û(right)
    L      = −mean over votes of log P(vote | d)
    π(a|s) = softmax z

(Rafailov et al. 2023, "Direct preference optimization", eq. 7, whose β is c and whose reference
model is the prior.) P(vote | d) is that of Davidson (`objectives/paired_comparison.py`), as in Chen
et al. 2024, "On extending direct preference optimization to accommodate ties", with a bias towards
the left side; without ties and bias it is σ(d), that of the paper.

A policy π is the optimum of E[u]/c − KL(π‖p) for u = û: for every listener of that likelihood with
utilities u, the expected loss over all pairs is least at π ∝ p·exp(u/c), the optimum that the
methods with a reward share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp

from seqtutor.methods.base import (
    Experience,
    LossSettings,
    Method,
    PerSequence,
    Proof,
    Scalar,
    log_policy,
)
from seqtutor.methods.settings import VoteSettings
from seqtutor.models.action_values import ValuedLogits
from seqtutor.objectives.paired_comparison import vote_log_likelihood
from seqtutor.settings import NotNegative


@dataclass(frozen=True)
class Settings(VoteSettings):
    """Settings of direct preference optimisation."""

    tie: NotNegative | None = None
    """ν of Davidson's likelihood: how likely a tie is, beside either side where both are equally
    good; 0 counts a tie as half a vote for each side. By default estimated from the votes."""
    side_bias: float | None = None
    """b: how much the left side is favoured, in nats. By default estimated from the votes."""


def implicit_utilities(online: ValuedLogits, experience: Experience, c: float) -> PerSequence:
    """û(x) = c·log π(x)/p(x) of each sequence."""
    ratios = log_policy(online, experience) - experience.log_prior
    return c * jnp.sum(jnp.where(experience.mask, ratios, 0.0), axis=1)


def loss(
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: LossSettings[Settings],
) -> Scalar:
    """Mean negative log-likelihood of the votes."""
    del target
    tie, bias = settings.options.tie or 0.0, settings.options.side_bias or 0.0
    votes = experience.tokens.shape[0] // 2
    utilities = implicit_utilities(online, experience, settings.c)
    shares = jnp.sum(jnp.where(experience.mask, experience.rewards, 0.0), axis=1)
    likelihoods = vote_log_likelihood(
        shares[:votes],
        utilities[:votes] - utilities[votes:],
        None if tie == 0 else math.log(tie),
        bias,
    )
    return -jnp.mean(likelihoods)


METHOD = Method(
    name="dpo",
    symbol="DPO",
    summary="From votes on pairs of sequences, without a reward.",
    reference="Rafailov et al. 2023",
    year=2023,
    family="preference optimisation",
    settings=Settings,
    loss=loss,
    learns_from="votes",
    proof=Proof(
        {"environments": 8, "updates": 8, "batch": 128, "learning_rate_final_share": 0.02},
        iterations=800,
        variants={
            "without ties": {"tie": 0.0},
            "with ties and a bias": {"tie": 0.7, "side_bias": 0.4},
        },
        at_discount=False,
        follows_gradient=False,
    ),
    color="#8C564B",
    line=(0, (5, 1)),
)
