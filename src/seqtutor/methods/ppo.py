"""Proximal policy optimisation (Schulman et al. 2017) with KL in the reward.

    ρ_t = r_t/c − log π₀(a_t|s_t) + log p(a_t|s_t)
    A_t = Σ_{k ≥ 0} (γλ)^k·( ρ_{t+k} + γ·v₀(s_{t+k+1}) − v₀(s_{t+k}) )        (GAE, eq. 16)
    Â_t = (A_t − mean A)/σ,   σ = standard deviation of A
    x_t = π(a_t|s_t)/π₀(a_t|s_t)
    S_t = min( x_t·Â_t, clip(x_t, 1 ± ε)·Â_t )                                (PPO, eq. 7)
    L   = mean over t of β·Huber( (v(s_t) − v₀(s_t) − A_t)/σ ) − S_t

π₀ and v₀ are the network as it was when it generated the collection; on each collection there are
several updates. If the value is right, the fixed point at γ = 1 is the optimum π* of
E[r]/c − KL(π‖p).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from seqtutor.methods.base import (
    Experience,
    LossSettings,
    Method,
    Proof,
    Scalar,
    log_policy,
)
from seqtutor.methods.settings import BatchSettings, ValueSettings
from seqtutor.models.action_values import ValuedLogits
from seqtutor.objectives.policy_gradient import clipped_surrogate, generalised_advantages
from seqtutor.objectives.temporal_difference import PerAction, PerState, huber, masked_mean
from seqtutor.settings import NotNegative, Positive, Share


@dataclass(frozen=True)
class Settings(ValueSettings, BatchSettings):
    """Settings of proximal policy optimisation."""

    trace: Share = 0.95
    """λ of the advantages: 0 looks one step ahead, 1 to the end of the sequence."""
    clip: Positive = 0.2
    """ε: how far the ratio of new to old probability counts on either side of 1."""
    value_weight: NotNegative = 0.5
    """β, the weight of the value's loss beside the policy's."""


def loss(
    online: ValuedLogits,
    collector: ValuedLogits,
    experience: Experience,
    settings: LossSettings[Settings],
) -> Scalar:
    """The clipped surrogate and the value's error.

    Both are measured in standard deviations of the advantages, so that neither drowns the other.
    """
    options, mask = settings.options, experience.mask
    collector = jax.lax.stop_gradient(collector)
    own = log_policy(online, experience)
    log_collector = log_policy(collector, experience)
    advantages = generalised_advantages(
        experience.rewards / settings.c - (log_collector - experience.log_prior),
        collector.value,
        mask,
        discount=settings.discount,
        trace=options.trace,
    )
    mean = masked_mean(advantages, mask)
    deviation = jnp.sqrt(masked_mean((advantages - mean) ** 2, mask)) + 1e-8
    surrogate = clipped_surrogate(
        own - log_collector, (advantages - mean) / deviation, options.clip
    )
    value_errors = (online.value - collector.value - advantages) / deviation
    value_loss = masked_mean(huber(value_errors, options.huber_threshold), mask)
    return options.value_weight * value_loss - masked_mean(surrogate, mask)


def soft_value(output: ValuedLogits, log_prior: PerAction) -> PerState:
    """v(s), which at the fixed point is the optimum's."""
    del log_prior
    return output.value


METHOD = Method(
    name="ppo",
    symbol="PPO",
    summary="Several clipped updates on each collection, with a learned value.",
    reference="Schulman et al. 2017, eq. 7; Schulman et al. 2016, eq. 16",
    year=2017,
    settings=Settings,
    loss=loss,
    soft_value=soft_value,
    learns_from="collection batches",
    target="collector",
    proof=Proof(
        {"environments": 256, "updates": 4, "value_scale": 5.0},
        iterations=3000,
        # Otherwise the advantages are biased by a value that is not learned yet.
        gradient_settings={"trace": 1.0},
    ),
    color="#8C6BB1",
    line=(0, (4, 1, 1, 1)),
)
