"""Path consistency: at the optimum one equation holds for every sequence, whoever generated it.

    w(τ)   = Σ_t γ^t ( r_t/c + log p(a_t|s_t) − log π(a_t|s_t) )
    e(τ)   = log Z − w(τ)
    L      = mean over τ of Huber( e(τ) )
    π(a|s) = softmax z

For γ = 1, e(τ) = 0 is π*(τ) = p(τ)·exp(r(τ)/c)/Z in logarithms: the optimum of E[r]/c − KL(π‖p) is
the fixed point. The squared error over whole sequences is path consistency learning (Nachum et al.
2017; relative to a prior: Nachum et al. 2018, Trust-PCL) and, for generative models, relative
trajectory balance (Venkatraman et al. 2024). The sequences may come from any behaviour, so that it
learns from a replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from seqtutor.methods.base import (
    Experience,
    LossSettings,
    Method,
    PerSequence,
    PerStep,
    Proof,
    Scalar,
    log_policy,
)
from seqtutor.methods.settings import ReplaySettings, ValueSettings
from seqtutor.models.action_values import ValuedLogits
from seqtutor.objectives.temporal_difference import huber


@dataclass(frozen=True)
class Settings(ValueSettings, ReplaySettings):
    """Settings of path consistency."""

    log_partition: Literal["learned", "batch"] = "learned"
    """Whether log Z is the network's value of the empty sequence, or estimated on each batch."""


def log_weights(
    scaled_rewards: PerStep,
    log_policy: PerStep,
    log_prior: PerStep,
    mask: Bool[Array, "batch time"],
    discount: float,
) -> PerSequence:
    """w(τ), which would be log Z for every sequence if the policy were the optimum."""
    terms = jnp.where(mask, scaled_rewards + log_prior - log_policy, 0.0)
    return terms @ discount ** jnp.arange(terms.shape[1])


def learned_partition_errors(weights: PerSequence, log_partition: PerSequence) -> PerSequence:
    """Log Z − w, with log Z learned beside the policy."""
    return log_partition - weights


def batch_partition_errors(weights: PerSequence) -> PerSequence:
    """Log Z − w, with the batch's mean of w for log Z, a constant (VarGrad, Richter et al. 2020).

    Half the mean square of these errors is half the variance of the weights over the batch.
    """
    return jax.lax.stop_gradient(jnp.mean(weights)) - weights


def path_errors(
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: LossSettings[Settings],
) -> PerSequence:
    """e(τ) of each sequence."""
    del target
    weights = log_weights(
        experience.rewards / settings.c,
        log_policy(online, experience),
        experience.log_prior,
        experience.mask,
        settings.discount,
    )
    if settings.options.log_partition == "learned":
        return learned_partition_errors(weights, online.value[:, 0])
    return batch_partition_errors(weights)


def loss(
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: LossSettings[Settings],
) -> Scalar:
    """Mean Huber loss of the errors, each with its weight."""
    own = path_errors(online, target, experience, settings)
    losses = huber(own, settings.options.huber_threshold)
    if experience.weights is not None:
        losses = losses * experience.weights
    return jnp.mean(losses)


METHOD = Method(
    name="path",
    symbol="Path",
    summary="Every sequence must satisfy one equation, whoever generated it.",
    reference="Nachum et al. 2018, Trust-PCL; Venkatraman et al. 2024",
    year=2017,
    family="path consistency",
    settings=Settings,
    loss=loss,
    error_sizes=path_errors,
    learns_from="replay",
    proof=Proof(
        {"environments": 64, "replay_capacity": 1024, "updates": 2, "value_scale": 5.0},
        variants={
            "learned log Z": {"log_partition": "learned"},
            "batch log Z": {"log_partition": "batch"},
        },
    ),
    color="#E69F00",
    line=(0, (3, 1, 1, 1, 1, 1)),
)
