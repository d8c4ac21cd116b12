"""Q-learning on the reward alone: the control without a prior of Jaques et al. 2017.

    y_t    = r_t/c + γ·max_a Q⁻(s_{t+1}, a)                               (eq. 2)
    L      = mean over t of Huber( Q(s_t, a_t) − y_t )                    (eq. 2, there squared)
    π(a|s) ∝ exp Q(s, a)

Everything but the reward is that of `seqtutor.methods.q`.
"""

from __future__ import annotations

from dataclasses import replace

from seqtutor.methods import q
from seqtutor.methods.base import Proof, no_objective
from seqtutor.methods.temporal_difference import PROOF_SETTINGS, method_of
from seqtutor.objectives.temporal_difference import PerState


def reward(scaled_reward: PerState, log_prior: PerState) -> PerState:
    """r/c."""
    del log_prior
    return scaled_reward


EQUATIONS = replace(q.EQUATIONS, reward=reward)

METHOD = method_of(
    EQUATIONS,
    name="rl-only",
    symbol="RL only",
    summary="Q-learning on the reward alone: the control.",
    reference="Jaques et al. 2017, section 5",
    settings=q.Settings,
    objective=no_objective,
    proof=Proof(PROOF_SETTINGS, at_discount=False, follows_gradient=False),
    color="#CC79A7",
    line=(0, (2.5, 1.2)),
)
