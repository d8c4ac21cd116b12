"""What REINFORCE, its forms with baselines or entropy, and RLOO share: the score function's loss.

The gradient of an expected return is an expectation of the score times a weight,

    ∇J = E_π[ Σ_t w_t · ∇ log π(a_t|s_t) ],

and these methods differ only in w.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from seqtutor.methods.base import Experience, LossSettings, PerStep, Scalar, log_policy
from seqtutor.models.action_values import ValuedLogits
from seqtutor.objectives import policy_gradient
from seqtutor.objectives.policy_gradient import Mask


@dataclass(frozen=True)
class Generated:
    """What the policy has just generated.

    Attributes:
        scaled_rewards: r_t/c.
        log_policy: log π(a_t|s_t) of the tokens, as constants.
        log_prior: log p(a_t|s_t) of the tokens.
        mask: true up to and with a sequence's last token.
        discount: γ.
    """

    scaled_rewards: PerStep
    log_policy: PerStep
    log_prior: PerStep
    mask: Mask
    discount: float


Weights = Callable[[Generated, Any], PerStep]
"""w_t of every step, from what was generated and the method's settings."""


def loss(
    weights: Weights,
    online: ValuedLogits,
    target: ValuedLogits,
    experience: Experience,
    settings: LossSettings[Any],
) -> Scalar:
    """The surrogate whose gradient is −∇J."""
    del target
    own = log_policy(online, experience)
    generated = Generated(
        experience.rewards / settings.c,
        jax.lax.stop_gradient(own),
        experience.log_prior,
        experience.mask,
        settings.discount,
    )
    return policy_gradient.score_function_loss(
        own, weights(generated, settings.options), experience.mask
    )
