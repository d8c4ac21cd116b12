"""Group relative policy optimisation (Shao et al. 2024, DeepSeekMath): clipped updates, no critic.

    R   = Σ_t γ^t·( r_t/c − log π₀(a_t|s_t) + log p(a_t|s_t) )
    Â   = (R − mean R)/σ,   mean and standard deviation over the group     (outcome supervision)
    x_t = π(a_t|s_t)/π₀(a_t|s_t)
    L   = −mean over t of min( x_t·Â, clip(x_t, 1 ± ε)·Â )                 (eq. 3)

The group is the batch; π₀ generated it. In eq. 3 the divergence is not in R. There the loss has
β·(p/π − log p/π − 1) at each token (eq. 4), whose gradient on samples of π is that of KL(p‖π), the
divergence the other way round: the fixed point is then another than the optimum π* of
E[r]/c − KL(π‖p). The setting `divergence` chooses. Eq. 3 also divides each sequence's sum by its
own length, which weighs the tokens of short sequences more; here all tokens weigh the same
(Liu et al. 2025, "Understanding R1-Zero-like training").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from seqtutor.methods.base import (
    Experience,
    LossSettings,
    Method,
    Objective,
    PerSequence,
    PerStep,
    Proof,
    Scalar,
    log_policy,
)
from seqtutor.methods.settings import BatchSettings
from seqtutor.models.action_values import ValuedLogits
from seqtutor.objectives.policy_gradient import clipped_surrogate
from seqtutor.objectives.temporal_difference import masked_mean
from seqtutor.settings import Positive


@dataclass(frozen=True)
class Settings(BatchSettings):
    """Settings of group relative policy optimisation."""

    clip: Positive = 0.2
    """ε: how far the ratio of new to old probability counts on either side of 1."""
    divergence: Literal["reward", "loss"] = "reward"
    """Where the divergence from the prior is counted:
    - reward: in the return of a sequence, so that the fixed point is the optimum
    - loss: at each token of the loss, as published
    """


def group_advantages(returns: PerSequence) -> PerSequence:
    """Â = (R − mean R)/σ over the batch."""
    centred = returns - jnp.mean(returns)
    return centred / (jnp.std(returns) + 1e-8)


def divergence_estimate(log_ratio: PerStep) -> PerStep:
    """p/π − log p/π − 1 for log_ratio = log p/π (eq. 4): never negative, KL(π‖p) in expectation."""
    return jnp.expm1(log_ratio) - log_ratio


def loss(
    online: ValuedLogits,
    collector: ValuedLogits,
    experience: Experience,
    settings: LossSettings[Settings],
) -> Scalar:
    """The clipped surrogate of the group's advantages; with the divergence, if it belongs here."""
    options, mask = settings.options, experience.mask
    own = log_policy(online, experience)
    log_collector = jax.lax.stop_gradient(log_policy(collector, experience))
    rewards = experience.rewards / settings.c
    if options.divergence == "reward":
        rewards = rewards - (log_collector - experience.log_prior)
    discounts = settings.discount ** jnp.arange(mask.shape[1])
    returns = jnp.where(mask, rewards, 0.0) @ discounts
    advantages = jnp.broadcast_to(group_advantages(returns)[:, None], mask.shape)
    surrogate = clipped_surrogate(own - log_collector, advantages, options.clip)
    if options.divergence == "loss":
        # In units of σ, as the advantages are, so that c keeps its meaning.
        weight = 1.0 / (jnp.std(returns) + 1e-8)
        surrogate = surrogate - weight * divergence_estimate(experience.log_prior - own)
    return -masked_mean(surrogate, mask)


def objective(options: Settings) -> Objective | None:
    """E[r]/c − KL(π‖p), if the divergence is counted in the return."""
    return Objective() if options.divergence == "reward" else None


METHOD = Method(
    name="grpo",
    symbol="GRPO",
    summary="Several clipped updates on each collection, relative to the mean of its returns.",
    reference="Shao et al. 2024, eq. 3, 4",
    year=2024,
    settings=Settings,
    loss=loss,
    learns_from="collection batches",
    target="collector",
    objective=objective,
    proof=Proof({"environments": 256, "batch": 256, "updates": 2}, iterations=3000),
    color="#332288",
    line=(0, (6, 2, 2, 2)),
)
