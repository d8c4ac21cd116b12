"""Policy gradients: returns, the score function's loss, advantages and the clipped surrogate.

A return G_t sums what follows step t: Σ_{k≥0} γ^k r_{t+k}, with nothing after the last token. For a
reward paid at the end and γ = 1 it is the reward R of the whole sequence at every step.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

PerStep = Float[Array, "batch time"]
Mask = Bool[Array, "batch time"]
Scalar = Float[Array, ""]


def returns(rewards: PerStep, mask: Mask, discount: float) -> PerStep:
    """G_t = r_t + γ·G_{t+1}, zero past the last token."""

    def back(
        later: Float[Array, " batch"], reward: Float[Array, " batch"]
    ) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
        total = reward + discount * later
        return total, total

    present = jnp.where(mask, rewards, 0.0)
    _, totals = jax.lax.scan(back, jnp.zeros_like(present[:, 0]), present.T, reverse=True)
    return totals.T


def leave_one_out_residuals(
    returns: PerStep, predictor: PerStep | None = None, ridge: float = 1.0
) -> PerStep:
    """Each return less what the other sequences of the batch let expect at the same step.

    That is their mean or, with a predictor x, the value α + β·x of their regression on it. With S
    the mean of (x − x̄)² over all N sequences, the β without i minimises Σ (G − α − β·x)² +
    ridge·S·β², and so is pulled towards zero as by `ridge` sequences more. The residual of the
    regression on all N over 1 − h_i is that without i, where h_i = 1/N + (x_i − x̄)²/((N + ridge)·S)
    is the leverage.

    Args:
        returns: G of at least two sequences.
        predictor: x.
        ridge: how strongly β is pulled towards zero.
    """
    number = returns.shape[0]
    residuals = returns - jnp.mean(returns, axis=0)
    leverage = jnp.full_like(returns, 1 / number)
    if predictor is not None:
        x = predictor - jnp.mean(predictor, axis=0)
        squares = jnp.sum(x**2, axis=0) * (1 + ridge / number)
        squares = jnp.where(squares > 0, squares, 1.0)
        residuals = residuals - x * (jnp.sum(x * residuals, axis=0) / squares)
        leverage = leverage + x**2 / squares
    return residuals / (1 - leverage)


def score_function_loss(log_policy: PerStep, weights: PerStep, mask: Mask) -> Scalar:
    """−(1/N) Σ_sequences Σ_t w_t·log π(a_t|s_t); minus its gradient estimates ∇J.

    The weights are constants: no gradient goes through them.
    """
    surrogate = jnp.where(mask, jax.lax.stop_gradient(weights) * log_policy, 0.0)
    return -jnp.sum(surrogate) / mask.shape[0]


def generalised_advantages(
    rewards: PerStep, values: PerStep, mask: Mask, *, discount: float, trace: float
) -> PerStep:
    """A_t = Σ_k (γλ)^k δ_{t+k}, δ_t = r_t + γ·V_{t+1} − V_t (Schulman et al. 2016, eq. 16).

    `values` are V_t before each token; V is zero past the last one.
    """
    present = jnp.where(mask, values, 0.0)
    following = jnp.concatenate([present[:, 1:], jnp.zeros_like(present[:, :1])], axis=1)
    errors = rewards + discount * following - present
    return returns(errors, mask, discount * trace)


def clipped_surrogate(log_ratio: PerStep, advantages: PerStep, clip: float) -> PerStep:
    """min( ρA, clip(ρ, 1 ± ε)·A ), ρ = π/π_collector (Schulman et al. 2017, eq. 7)."""
    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1.0 - clip, 1.0 + clip)
    return jnp.minimum(ratio * advantages, clipped * advantages)
