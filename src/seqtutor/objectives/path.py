"""Path consistency: at the optimum one equation holds for every sequence, whoever generated it.

    log Z + Σ_t γ^t ( log π(a_t|s_t) − log p(a_t|s_t) − r_t/c ) = 0

For γ = 1 this is π*(τ) = p(τ)·exp(r(τ)/c)/Z in logarithms. Its squared error over whole sequences
is path consistency learning (Nachum et al. 2017; relative to a prior: Nachum et al. 2018,
Trust-PCL) and, for generative models, relative trajectory balance (Venkatraman et al. 2024).
The sequences may come from any behaviour, so that replayed ones teach as well.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

PerStep = Float[Array, "batch time"]
PerSequence = Float[Array, " batch"]


def log_weights(
    scaled_rewards: PerStep,
    log_policy: PerStep,
    log_prior: PerStep,
    mask: Bool[Array, "batch time"],
    discount: float,
) -> PerSequence:
    """Σ_t γ^t ( r_t/c + log p − log π ): what log Z would be if the policy were the optimum."""
    terms = jnp.where(mask, scaled_rewards + log_prior - log_policy, 0.0)
    return terms @ discount ** jnp.arange(terms.shape[1])


def learned_partition_errors(weights: PerSequence, log_partition: PerSequence) -> PerSequence:
    """The error log Z − weight, with log Z learned beside the policy."""
    return log_partition - weights


def batch_partition_errors(weights: PerSequence) -> PerSequence:
    """The same with log Z estimated by the batch's mean, a constant (VarGrad, Richter et al. 2020).

    Half the mean square of these errors is half the variance of the weights over the batch.
    """
    return jax.lax.stop_gradient(jnp.mean(weights)) - weights
