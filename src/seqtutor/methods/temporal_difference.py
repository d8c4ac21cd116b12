"""What Q-, Ψ- and G-learning and the control without a prior share: settings, errors, loss.

Each of them serves

    J(π) = E_π[ Σ_t γ^t ( r(s_t, a_t)/c − log π(a_t|s_t) + log p(a_t|s_t) ) ]

in its own way, which its `Equations` state. The network's scalar output carries the level of the
values and its logits the differences between tokens, so that a level of hundreds is learned without
disturbing the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from seqtutor.methods.base import (
    Equations,
    Experience,
    LossSettings,
    Method,
    PerSequence,
    PerStep,
    Scalar,
)
from seqtutor.methods.settings import ReplaySettings, TargetSettings, ValueSettings
from seqtutor.models.action_values import ValuedLogits
from seqtutor.objectives.temporal_difference import (
    PerAction,
    PerState,
    huber,
    lambda_returns,
    masked_mean,
    of_action,
)
from seqtutor.settings import Share

FAMILY = "temporal difference"


@dataclass(frozen=True)
class TemporalDifferenceSettings(ValueSettings, TargetSettings, ReplaySettings):
    """Settings of a temporal-difference method."""

    trace: Share = 0.8
    """λ of the returns: 0 looks one step ahead as the papers do, 1 to the end of the sequence."""


Settings = LossSettings[TemporalDifferenceSettings]

PROOF_SETTINGS = {
    "environments": 64,
    "replay_capacity": 1024,
    "updates": 4,
    "trace": 0.9,
    "target_rate": 0.1,
    "value_scale": 5.0,
}
"""Settings with which these methods come near their fixed points on tiny problems."""


def td_errors(
    equations: Equations,
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: Settings,
) -> PerStep:
    """The taken actions' values less their targets, the λ-returns of the target network."""
    online_values = equations.action_values(online.logits, online.value)
    target_values = jax.lax.stop_gradient(equations.action_values(target.logits, target.value))
    if equations.bootstrap_value is None:
        state_values = equations.state_value(target_values, experience.whole_log_prior)
    else:
        fixed = jax.lax.stop_gradient(online_values)
        state_values = equations.bootstrap_value(target_values, fixed, settings.options)
    targets = lambda_returns(
        equations.reward(experience.rewards / settings.c, experience.log_prior),
        state_values,
        of_action(target_values, experience.tokens),
        experience.mask,
        discount=settings.discount,
        trace=settings.options.trace,
    )
    return of_action(online_values, experience.tokens) - targets


def loss(
    equations: Equations,
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: Settings,
) -> Scalar:
    """Mean Huber loss of the errors over the steps, each sequence's with its weight.

    Jaques et al. 2017, eq. 4, 14 and 15, have the square of the error.
    """
    own = td_errors(equations, online, target, experience, settings)
    losses = huber(own, settings.options.huber_threshold)
    if experience.weights is not None:
        losses = losses * experience.weights[:, None]
    return masked_mean(losses, experience.mask)


def error_sizes(
    equations: Equations,
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: Settings,
) -> PerSequence:
    """The mean absolute error of each sequence."""
    own = td_errors(equations, online, target, experience, settings)
    sizes = jnp.where(experience.mask, jnp.abs(own), 0.0)
    return jnp.sum(sizes, axis=1) / jnp.maximum(jnp.sum(experience.mask, axis=1), 1)


def policy_logits(equations: Equations, output: ValuedLogits, log_prior: PerAction) -> PerAction:
    """The policy that the equations give for the network's output."""
    return equations.policy_logits(equations.action_values(output.logits, output.value), log_prior)


def soft_value(equations: Equations, output: ValuedLogits, log_prior: PerAction) -> PerState:
    """V(s) that the equations give for the network's output."""
    return equations.state_value(equations.action_values(output.logits, output.value), log_prior)


def method_of(equations: Equations, **record: Any) -> Method:
    """The record of a temporal-difference method; `record` has what is not the same for all."""
    same: dict[str, Any] = {
        "family": FAMILY,
        "equations": equations,
        "loss": partial(loss, equations),
        "error_sizes": partial(error_sizes, equations),
        "policy_logits": partial(policy_logits, equations),
        "settings": TemporalDifferenceSettings,
        "learns_from": "replay",
        "target": "average",
        "discount": 0.8,
    }
    return Method(**{**same, **record})
