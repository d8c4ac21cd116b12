"""Q-learning with a prior, Ψ-learning, G-learning and the control without a prior.

Each method says what the network's output means, in four pure functions of a state's numbers:

    action values   what the output is called in the paper: Q, Ψ or G
    reward          what one step earns
    state value     V(s), what a state is worth to the step before it
    policy logits   log π(a|s) up to a constant

and all share one target (`lambda_returns`) and one loss (`huber` of the taken actions' errors).

Equation numbers are those of Jaques et al. 2017 (Sequence Tutor, ICML). r is the task's reward,
c the weight of staying near the prior p, γ the discount. All of them serve

    J(π) = E_π[ Σ_t γ^t ( r(s_t, a_t)/c − log π(a_t|s_t) + log p(a_t|s_t) ) ].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

PerAction = Float[Array, "*shape vocab"]
PerState = Float[Array, "*shape"]


@dataclass(frozen=True)
class TemporalDifferenceMethod:
    """One off-policy method; see the module's text for its four functions.

    `action_values` takes the network's logits and value; `reward` takes r/c and log p(a|s);
    `state_value` takes action values and log p(·|s), and so does `policy_logits`. `logits_start`
    says which logits make the first policy the prior itself: the prior's own, or zeros. Unless a
    method `needs_whole_prior`, its `state_value` may be given `None` for log p(·|s).
    """

    name: str
    action_values: Callable[[PerAction, PerState], PerAction]
    reward: Callable[[PerState, PerState], PerState]
    state_value: Callable[[PerAction, Any], PerState]
    policy_logits: Callable[[PerAction, PerAction], PerAction]
    logits_start: Literal["prior", "zero"]
    needs_whole_prior: bool = False


def reward_with_prior(scaled_reward: PerState, log_prior: PerState) -> PerState:
    """r/c + log p(a|s), the reward of Q- and Ψ-learning (eq. 3 and 7)."""
    return scaled_reward + log_prior


def reward_alone(scaled_reward: PerState, log_prior: PerState) -> PerState:
    """r/c: G-learning keeps the prior in the value (eq. 15), RL-only nowhere."""
    del log_prior
    return scaled_reward


def maximum_value(action_values: PerAction, log_prior: PerAction | None) -> PerState:
    """V(s) = max_a Q(s, a) (eq. 4)."""
    del log_prior
    return jnp.max(action_values, axis=-1)


def soft_value(action_values: PerAction, log_prior: PerAction | None) -> PerState:
    """V(s) = log Σ_a exp Ψ(s, a) (eq. 10)."""
    del log_prior
    return jax.nn.logsumexp(action_values, axis=-1)


def soft_value_under_prior(action_values: PerAction, log_prior: PerAction) -> PerState:
    """V(s) = log Σ_a p(a|s) exp G(s, a) (eq. 15)."""
    return jax.nn.logsumexp(log_prior + action_values, axis=-1)


def logits_from_values(action_values: PerAction, log_prior: PerAction) -> PerAction:
    """π(a|s) ∝ exp of the action value (eq. 14)."""
    del log_prior
    return action_values


def logits_from_values_and_prior(action_values: PerAction, log_prior: PerAction) -> PerAction:
    """π(a|s) ∝ p(a|s)·exp G(s, a) (eq. 15)."""
    return log_prior + action_values


def values_with_maximum(logits: PerAction, value: PerState) -> PerAction:
    """Q = v + z − max z, so that the network's scalar is V(s)."""
    return value[..., None] + logits - jnp.max(logits, axis=-1, keepdims=True)


def values_with_soft_maximum(logits: PerAction, value: PerState) -> PerAction:
    """Ψ = v + log softmax z, so that the network's scalar is V(s) and softmax z the policy."""
    return value[..., None] + jax.nn.log_softmax(logits, axis=-1)


def values_with_offset(logits: PerAction, value: PerState) -> PerAction:
    """G = v + z; with z = 0 the policy is the prior."""
    return value[..., None] + logits


Q = TemporalDifferenceMethod(
    "q",
    action_values=values_with_maximum,
    reward=reward_with_prior,
    state_value=maximum_value,
    policy_logits=logits_from_values,
    logits_start="prior",
)
PSI = TemporalDifferenceMethod(
    "psi",
    action_values=values_with_soft_maximum,
    reward=reward_with_prior,
    state_value=soft_value,
    policy_logits=logits_from_values,
    logits_start="prior",
)
G = TemporalDifferenceMethod(
    "g",
    action_values=values_with_offset,
    reward=reward_alone,
    state_value=soft_value_under_prior,
    policy_logits=logits_from_values_and_prior,
    logits_start="zero",
    needs_whole_prior=True,
)
RL_ONLY = TemporalDifferenceMethod(
    "rl-only",
    action_values=values_with_maximum,
    reward=reward_alone,
    state_value=maximum_value,
    policy_logits=logits_from_values,
    logits_start="prior",
)

METHODS = {method.name: method for method in (Q, PSI, G, RL_ONLY)}


def double_q_value(target_values: PerAction, online_values: PerAction) -> PerState:
    """V(s) = Q_target(s, argmax_a Q_online(s, a)) (van Hasselt et al. 2016, eq. 4)."""
    greedy = jnp.argmax(online_values, axis=-1, keepdims=True)
    return jnp.take_along_axis(target_values, greedy, axis=-1)[..., 0]


def of_action(
    per_action: Float[Array, "*shape vocab"], actions: Int[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Pick each taken action's number."""
    return jnp.take_along_axis(per_action, actions[..., None], axis=-1)[..., 0]


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

    λ = 0 is the one-step target of the papers (eq. 4, 12, 15). For λ > 0 the difference
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


def huber(errors: Float[Array, "*shape"], threshold: float) -> Float[Array, "*shape"]:
    """½e² within ±threshold, linear beyond (Huber 1964)."""
    size = jnp.abs(errors)
    return jnp.where(size <= threshold, 0.5 * errors**2, threshold * (size - 0.5 * threshold))
