"""G-learning (Jaques et al. 2017, eq. 15, after Fox et al. 2016): the prior as a factor.

    G(s, a) = r/c + V(s')
    V(s)    = log Σ_a p(a|s)·exp G(s, a)                                  (eq. 15)
    y_t     = r_t/c + γ·V⁻(s_{t+1})                                       (eq. 15)
    L       = mean over t of Huber( G(s_t, a_t) − y_t )                   (eq. 15, there squared)
    π(a|s)  ∝ p(a|s)·exp G(s, a)                                          (eq. 15)

V⁻ is that of the target network. With the setting `trace` = λ > 0, y_t is the λ-return. These are
the equations of Ψ-learning with Ψ = log p + G, and so is the fixed point: at γ = 1 the optimum π*
of E[r]/c − KL(π‖p).
"""

from __future__ import annotations

from functools import partial

import jax

from seqtutor.methods.base import Equations, Proof
from seqtutor.methods.temporal_difference import PROOF_SETTINGS, method_of, soft_value
from seqtutor.objectives.temporal_difference import PerAction, PerState


def action_values(logits: PerAction, value: PerState) -> PerAction:
    """G = v + z; with z = 0 the policy is the prior."""
    return value[..., None] + logits


def reward(scaled_reward: PerState, log_prior: PerState) -> PerState:
    """r/c: the prior is in the value and in the policy."""
    del log_prior
    return scaled_reward


def state_value(action_values: PerAction, log_prior: PerAction) -> PerState:
    """V(s) = log Σ_a p(a|s)·exp G(s, a)."""
    return jax.nn.logsumexp(log_prior + action_values, axis=-1)


def policy_logits(action_values: PerAction, log_prior: PerAction) -> PerAction:
    """π(a|s) ∝ p(a|s)·exp G(s, a)."""
    return log_prior + action_values


EQUATIONS = Equations(action_values, reward, state_value, policy_logits)

METHOD = method_of(
    EQUATIONS,
    soft_value=partial(soft_value, EQUATIONS),
    name="g",
    symbol="G",
    summary="Soft Q-learning with the prior kept apart as a factor of the policy.",
    reference="Jaques et al. 2017, eq. 15; Fox et al. 2016",
    year=2015,
    logits_start="zero",
    needs_whole_prior=True,
    proof=Proof(PROOF_SETTINGS, follows_gradient=False),
    color="#009E73",
    line=(0, (6, 1.2, 1.2, 1.2)),
)
