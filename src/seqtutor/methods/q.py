"""Q-learning with the prior in the reward: the first method of Jaques et al. 2017.

    r(s, a) = log p(a|s) + r_T(s, a)/c                                    (eq. 3)
    y_t     = r_t + γ·max_a Q⁻(s_{t+1}, a)                                (eq. 4)
    L       = mean over t of Huber( Q(s_t, a_t) − y_t )                   (eq. 4, there squared)
    π(a|s)  ∝ exp Q(s, a)

Q⁻ is the target network. With the setting `trace` = λ > 0, y_t is the λ-return. The paper learns
with the greedy policy (eq. 5) and samples sequences from the softmax of Q afterwards; here the
softmax is the policy throughout.

The fixed point is not the optimum π* of E[r]/c − KL(π‖p), at any γ: a state is worth its best
continuation, where the objective counts all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from seqtutor.methods.base import Equations, Proof, no_objective
from seqtutor.methods.temporal_difference import (
    PROOF_SETTINGS,
    TemporalDifferenceSettings,
    method_of,
)
from seqtutor.objectives.temporal_difference import PerAction, PerState


@dataclass(frozen=True)
class Settings(TemporalDifferenceSettings):
    """Settings of Q-learning."""

    double_q: bool = False
    """The online network picks the action whose target value counts."""


def action_values(logits: PerAction, value: PerState) -> PerAction:
    """Q = v + z − max z, so that the network's scalar v is V(s)."""
    return value[..., None] + logits - jnp.max(logits, axis=-1, keepdims=True)


def reward(scaled_reward: PerState, log_prior: PerState) -> PerState:
    """r/c + log p(a|s) (eq. 3)."""
    return scaled_reward + log_prior


def state_value(action_values: PerAction, log_prior: PerAction | None) -> PerState:
    """V(s) = max_a Q(s, a) (eq. 4)."""
    del log_prior
    return jnp.max(action_values, axis=-1)


def double_q_value(target_values: PerAction, online_values: PerAction) -> PerState:
    """V(s) = Q⁻(s, argmax_a Q(s, a)) (van Hasselt et al. 2016, eq. 4)."""
    greedy = jnp.argmax(online_values, axis=-1, keepdims=True)
    return jnp.take_along_axis(target_values, greedy, axis=-1)[..., 0]


def bootstrap_value(
    target_values: PerAction, online_values: PerAction, options: Settings
) -> PerState:
    """V(s) of the target network: its maximum, or its value of the online network's choice."""
    if options.double_q:
        return double_q_value(target_values, online_values)
    return state_value(target_values, None)


def policy_logits(action_values: PerAction, log_prior: PerAction) -> PerAction:
    """π(a|s) ∝ exp Q(s, a)."""
    del log_prior
    return action_values


EQUATIONS = Equations(action_values, reward, state_value, policy_logits, bootstrap_value)

METHOD = method_of(
    EQUATIONS,
    name="q",
    symbol="Q",
    summary="Q-learning with log p as part of the reward; greedy values.",
    reference="Jaques et al. 2017, eq. 3–5",
    year=2016,  # RL Tuner
    settings=Settings,
    objective=no_objective,
    proof=Proof(PROOF_SETTINGS, follows_gradient=False),
    color="#D55E00",
    line=(0, (5, 1.5)),
)
