"""REINFORCE with KL in the reward and a leave-one-out baseline (Kool et al. 2019).

    ρ_t = r_t/c − log π(a_t|s_t) + log p(a_t|s_t)
    T_t = Σ_k γ^max(k−t, 0)·ρ_k,   P_t = Σ_{k < t} ρ_k      what a sequence earns, and has earned
    w_t = T_t less its prediction α_t + β_t·P_t, with α_t and β_t of the other N − 1 sequences
    L   = −(1/N) Σ_sequences Σ_t w_t·log π(a_t|s_t)

Ahmadian et al. 2024 use it for language models, with β = 0: the mean of the others' whole
returns. With β = 1, the default, each return is that from step t on. The first leaves nothing to
learn at the optimum, where T_0 of every sequence is log Z, and the second less noise far from it,
where what came before t says little about what comes after. A regression finds β at each step. At
γ = 1, −∇L estimates the gradient of E[r]/c − KL(π‖p) without bias, since the baseline of a sequence
at t depends on what it has generated before t and on the others alone; the optimum is π*.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import jax.numpy as jnp

from seqtutor.methods import score_function
from seqtutor.methods.base import Method, PerStep, Proof
from seqtutor.methods.score_function import Generated
from seqtutor.methods.settings import MethodSettings
from seqtutor.objectives.policy_gradient import leave_one_out_residuals, returns

Baseline = Literal["later return", "whole return", "regression"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)


@dataclass(frozen=True)
class Settings(MethodSettings):
    """Settings of REINFORCE with leave-one-out baselines."""

    baseline: Baseline = "later return"
    """What is subtracted of a return:
    - later return: what the sequence earned before the step, and the others' mean of what follows
    - whole return: the mean of the others' returns of whole sequences, as published
    - regression: what the others let expect after what the sequence has earned before the step
    """


def weights(generated: Generated, options: Settings) -> PerStep:
    """w_t; a sequence that has ended counts for the others with a later return of zero."""
    with_divergence = generated.scaled_rewards - (generated.log_policy - generated.log_prior)
    present = jnp.where(generated.mask, with_divergence, 0.0)
    later = returns(present, generated.mask, generated.discount)
    earlier = jnp.cumsum(present, axis=1) - present
    if options.baseline == "later return":
        return leave_one_out_residuals(later)
    given = earlier if options.baseline == "regression" else None
    return leave_one_out_residuals(later + earlier, given)


METHOD = Method(
    name="rloo",
    symbol="RLOO",
    summary=("REINFORCE with the KL divergence in the reward and the other sequences as baseline."),
    reference="Kool et al. 2019; Ahmadian et al. 2024",
    year=2019,
    settings=Settings,
    loss=partial(score_function.loss, weights),
    learns_from="collection",
    proof=Proof({"environments": 256}, iterations=3000),
    color="#56B4E9",
    line=(0, (8, 1.5)),
)
