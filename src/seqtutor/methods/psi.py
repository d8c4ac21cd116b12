"""Generalized Ψ-learning (Jaques et al. 2017, after Rawlik et al. 2012): soft action values.

    Ψ(s, a) = r/c + log p(a|s) + V(s')                                    (eq. 8)
    V(s)    = log Σ_a exp Ψ(s, a)                                         (eq. 12)
    y_t     = r_t/c + log p(a_t|s_t) + γ·V⁻(s_{t+1})                      (eq. 13, 14)
    L       = mean over t of Huber( Ψ(s_t, a_t) − y_t )                   (eq. 14, there squared)
    π(a|s)  ∝ exp Ψ(s, a)                                                 (eq. 11)

V⁻ is that of the target network. With the setting `trace` = λ > 0, y_t is the λ-return.

At γ = 1 the fixed point is the optimum π* of E[r]/c − KL(π‖p).
"""

from __future__ import annotations

from functools import partial

import jax

from seqtutor.methods.base import Equations, Proof
from seqtutor.methods.temporal_difference import PROOF_SETTINGS, method_of, soft_value
from seqtutor.objectives.temporal_difference import PerAction, PerState


def action_values(logits: PerAction, value: PerState) -> PerAction:
    """Ψ = v + log softmax z, so that the network's scalar v is V(s) and softmax z the policy."""
    return value[..., None] + jax.nn.log_softmax(logits, axis=-1)


def reward(scaled_reward: PerState, log_prior: PerState) -> PerState:
    """r/c + log p(a|s) (eq. 8)."""
    return scaled_reward + log_prior


def state_value(action_values: PerAction, log_prior: PerAction | None) -> PerState:
    """V(s) = log Σ_a exp Ψ(s, a) (eq. 12)."""
    del log_prior
    return jax.nn.logsumexp(action_values, axis=-1)


def policy_logits(action_values: PerAction, log_prior: PerAction) -> PerAction:
    """π(a|s) ∝ exp Ψ(s, a) (eq. 11)."""
    del log_prior
    return action_values


EQUATIONS = Equations(action_values, reward, state_value, policy_logits)

METHOD = method_of(
    EQUATIONS,
    soft_value=partial(soft_value, EQUATIONS),
    name="psi",
    symbol="Ψ",
    summary="Soft Q-learning whose action values hold the prior.",
    reference="Jaques et al. 2017, eq. 7–14; Rawlik et al. 2012",
    year=2012,
    proof=Proof(PROOF_SETTINGS, follows_gradient=False),
    color="#0072B2",
    line="-",
)
