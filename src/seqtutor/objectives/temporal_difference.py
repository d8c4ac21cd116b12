"""Pure functions on steps: those that every method uses, and the λ-return.

The equations of Q-, Ψ- and G-learning stand in `seqtutor.methods`, a file each.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

PerAction = Float[Array, "*shape vocab"]
PerState = Float[Array, "*shape"]


def of_action(
    per_action: Float[Array, "*shape vocab"], actions: Int[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Pick each taken action's number."""
    return jnp.take_along_axis(per_action, actions[..., None], axis=-1)[..., 0]


def masked_mean(
    numbers: Float[Array, "batch time"], mask: Bool[Array, "batch time"]
) -> Float[Array, ""]:
    """Mean over the steps where the mask is true; 0 if there are none."""
    return jnp.sum(jnp.where(mask, numbers, 0.0)) / jnp.maximum(jnp.sum(mask), 1)


def huber(errors: Float[Array, "*shape"], threshold: float) -> Float[Array, "*shape"]:
    """½e² within ±threshold, linear beyond (Huber 1964)."""
    size = jnp.abs(errors)
    return jnp.where(size <= threshold, 0.5 * errors**2, threshold * (size - 0.5 * threshold))


def lambda_returns(
    rewards: Float[Array, "batch time"],
    state_values: Float[Array, "batch time"],
    taken_values: Float[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    *,
    discount: float,
    trace: float,
) -> Float[Array, "batch time"]:
    """Targets y_t for the value of each taken action.

        y_t = r_t + γ·( V_{t+1} + λ·( y_{t+1} − q_{t+1} ) ),   V = y = 0 past the last token

    λ = 0 is the one-step target of Jaques et al. 2017 (eq. 4, 14, 15). For λ > 0 the difference
    y − q of the next taken action is passed back. At a method's fixed point y = q for every
    action, taken by whatever behaviour, so that no importance weights are needed; for Ψ, with
    V − q = −log π, this is the path consistency of Nachum et al. 2017 (PCL, eq. 15).

    `state_values` are V_t, `taken_values` q_t of the token taken at t, both from the target
    network; `mask` is true up to and with a sequence's last token.
    """

    def back(
        later: Float[Array, " batch"], at: tuple[Array, Array, Array, Array]
    ) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
        reward, value, taken, present = at
        target = reward + discount * later
        bootstrap = value + trace * (target - taken)
        return jnp.where(present, bootstrap, 0.0), target

    steps = (rewards.T, state_values.T, taken_values.T, mask.T)
    _, targets = jax.lax.scan(back, jnp.zeros_like(rewards[:, 0]), steps, reverse=True)
    return targets.T
