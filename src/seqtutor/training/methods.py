"""The methods as the tutor's loop sees them: where they learn from, and their loss.

The mathematics is in `seqtutor.objectives`; here it meets networks, experience and settings. A
method has no loop of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqtutor.models.action_values import ValuedLogits
from seqtutor.objectives import path, policy_gradient
from seqtutor.objectives.policy_gradient import Earnings
from seqtutor.objectives.temporal_difference import (
    METHODS as TEMPORAL_DIFFERENCE_METHODS,
)
from seqtutor.objectives.temporal_difference import (
    PerAction,
    TemporalDifferenceMethod,
    double_q_value,
    huber,
    lambda_returns,
    of_action,
)
from seqtutor.training.replay import Experience
from seqtutor.training.settings import SYMBOLS, TutorSettings

Scalar = Float[Array, ""]
Loss = Callable[[ValuedLogits, ValuedLogits, Experience, TutorSettings], Scalar]
ErrorSizes = Callable[
    [ValuedLogits, ValuedLogits, Experience, TutorSettings], Float[Array, " batch"]
]


@dataclass(frozen=True)
class Method:
    """What the loop needs to know of a way to learn.

    Attributes:
        name: on the command line.
        policy_logits: log π(·|s) up to a constant, from the network's output and log p(·|s).
        loss: of a batch, from the outputs of the network and of its target on it.
        learns_from: `replay`: sequences of the past, drawn at random · `collection`: all of the
            newest sequences, once · `collection batches`: parts of the newest sequences in turn.
        target: `average`: a network that follows slowly · `collector`: the network as it was when
            it generated the newest sequences.
        logits_start: the network's first logits, which make the first policy the prior.
        error_sizes: of each sequence, by which prioritised replay draws it; only of methods that
            learn from a replay.
        needs_whole_prior: whether the loss reads log p(·|s) of the whole vocabulary, and not only
            that of the sequences' own tokens.
    """

    name: str
    policy_logits: Callable[[ValuedLogits, PerAction], PerAction]
    loss: Loss
    learns_from: Literal["replay", "collection", "collection batches"]
    target: Literal["average", "collector"]
    logits_start: Literal["prior", "zero"] = "prior"
    error_sizes: ErrorSizes | None = None
    needs_whole_prior: bool = False

    @property
    def symbol(self) -> str:
        """What tables and figures call it."""
        return SYMBOLS[self.name]


def masked_mean(numbers: Float[Array, "batch time"], mask: Bool[Array, "batch time"]) -> Scalar:
    """Mean over the steps that are real."""
    return jnp.sum(jnp.where(mask, numbers, 0.0)) / jnp.maximum(jnp.sum(mask), 1)


def temporal_difference_errors(
    method: TemporalDifferenceMethod,
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: TutorSettings,
) -> Float[Array, "batch time"]:
    """Errors of the taken actions' values from their λ-return targets."""
    online_values = method.action_values(online.logits, online.value)
    target_values = jax.lax.stop_gradient(method.action_values(target.logits, target.value))
    if settings.double_q:
        state_values = double_q_value(target_values, jax.lax.stop_gradient(online_values))
    else:
        state_values = method.state_value(target_values, experience.whole_log_prior)
    targets = lambda_returns(
        method.reward(experience.rewards / settings.c, experience.log_prior),
        state_values,
        of_action(target_values, experience.tokens),
        experience.mask,
        discount=settings.discount,
        trace=settings.trace,
    )
    return of_action(online_values, experience.tokens) - targets


def temporal_difference_loss(
    method: TemporalDifferenceMethod,
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: TutorSettings,
) -> Scalar:
    """Mean Huber loss of the errors over the steps, each sequence's with its weight."""
    errors = temporal_difference_errors(method, online, target, experience, settings)
    losses = huber(errors, settings.huber_threshold)
    if experience.weights is not None:
        losses = losses * experience.weights[:, None]
    return masked_mean(losses, experience.mask)


def mean_error_sizes(
    method: TemporalDifferenceMethod,
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: TutorSettings,
) -> Float[Array, " batch"]:
    """The mean size of each sequence's errors."""
    errors = temporal_difference_errors(method, online, target, experience, settings)
    sizes = jnp.where(experience.mask, jnp.abs(errors), 0.0)
    return jnp.sum(sizes, axis=1) / jnp.maximum(jnp.sum(experience.mask, axis=1), 1)


def path_errors(
    online: ValuedLogits, target: ValuedLogits, experience: Experience, settings: TutorSettings
) -> Float[Array, " batch"]:
    """Whole sequences' errors of path consistency."""
    del target
    weights = path.log_weights(
        experience.rewards / settings.c,
        _log_policy(online, experience),
        experience.log_prior,
        experience.mask,
        settings.discount,
    )
    if settings.log_partition == "learned":
        return path.learned_partition_errors(weights, online.value[:, 0])
    return path.batch_partition_errors(weights)


def path_loss(
    online: ValuedLogits, target: ValuedLogits, experience: Experience, settings: TutorSettings
) -> Scalar:
    """Mean Huber loss of the errors, each with its weight."""
    errors = path_errors(online, target, experience, settings)
    losses = huber(errors, settings.huber_threshold)
    if experience.weights is not None:
        losses = losses * experience.weights
    return jnp.mean(losses)


def score_function_loss(
    weights: Callable[[Earnings, TutorSettings], policy_gradient.PerStep],
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: TutorSettings,
) -> Scalar:
    """The surrogate of REINFORCE and its kin, with weights of the policy's own earnings."""
    del target
    log_policy = _log_policy(online, experience)
    earned = Earnings(
        experience.rewards / settings.c,
        jax.lax.stop_gradient(log_policy),
        experience.log_prior,
        experience.mask,
        settings.discount,
    )
    return policy_gradient.score_function_loss(
        log_policy, weights(earned, settings), experience.mask
    )


def ppo_loss(
    online: ValuedLogits, collector: ValuedLogits, experience: Experience, settings: TutorSettings
) -> Scalar:
    """The clipped surrogate with KL in the reward, and the value's error beside it.

    Both are measured in standard deviations of the advantages, so that neither drowns the other.
    """
    collector = jax.lax.stop_gradient(collector)
    mask, log_policy = experience.mask, _log_policy(online, experience)
    log_collector = _log_policy(collector, experience)
    advantages = policy_gradient.generalised_advantages(
        experience.rewards / settings.c - (log_collector - experience.log_prior),
        collector.value,
        mask,
        discount=settings.discount,
        trace=settings.trace,
    )
    mean = masked_mean(advantages, mask)
    deviation = jnp.sqrt(masked_mean((advantages - mean) ** 2, mask)) + 1e-8
    surrogate = policy_gradient.clipped_surrogate(
        log_policy - log_collector, (advantages - mean) / deviation, settings.clip
    )
    value_errors = (online.value - collector.value - advantages) / deviation
    value_loss = masked_mean(huber(value_errors, settings.huber_threshold), mask)
    return settings.value_weight * value_loss - masked_mean(surrogate, mask)


def _log_policy(output: ValuedLogits, experience: Experience) -> Float[Array, "batch time"]:
    return of_action(jax.nn.log_softmax(output.logits), experience.tokens)


def _logits_alone(output: ValuedLogits, log_prior: PerAction) -> PerAction:
    del log_prior
    return output.logits


def _of_temporal_difference(method: TemporalDifferenceMethod) -> Method:
    def policy_logits(output: ValuedLogits, log_prior: PerAction) -> PerAction:
        values = method.action_values(output.logits, output.value)
        return method.policy_logits(values, log_prior)

    return Method(
        method.name,
        policy_logits,
        partial(temporal_difference_loss, method),
        learns_from="replay",
        target="average",
        logits_start=method.logits_start,
        error_sizes=partial(mean_error_sizes, method),
        needs_whole_prior=method.needs_whole_prior,
    )


def _of_score_function(
    name: str,
    weights: Callable[[Earnings, TutorSettings], policy_gradient.PerStep],
) -> Method:
    return Method(
        name,
        _logits_alone,
        partial(score_function_loss, weights),
        learns_from="collection",
        target="collector",
    )


METHODS = {
    method.name: method
    for method in (
        *map(_of_temporal_difference, TEMPORAL_DIFFERENCE_METHODS.values()),
        Method("path", _logits_alone, path_loss, "replay", "collector", error_sizes=path_errors),
        _of_score_function("rloo", lambda e, _: policy_gradient.leave_one_out(e)),
        Method("ppo", _logits_alone, ppo_loss, "collection batches", "collector"),
        _of_score_function(
            "merl",
            lambda e, settings: policy_gradient.maximum_entropy(e, settings.entropy_weight),
        ),
        _of_score_function("reinforce", lambda e, _: policy_gradient.reinforce(e)),
        _of_score_function(
            "reinforce-baseline",
            lambda e, _: policy_gradient.reinforce_with_baseline(e),
        ),
    )
}
"""All methods by name; `TutorSettings` knows the same names."""
