"""Weights that follow the means of terms, so that a policy has each as often as data have.

Of all policies whose terms f_k, summed over a sequence, have the means m_k, one has the smallest KL
divergence from the prior p: π* ∝ p·exp(Σ_k λ_k·f_k) (Csiszár 1975, "I-divergence geometry of
probability distributions and minimization problems"). It is the saddle point of

    L(π, λ) = −KL(π‖p) + Σ_k λ_k·(E_π[f_k] − m_k),

the maximum over π of its minimum over λ. The policy is tuned by any method for the reward
Σ_k w_k·f_k, and after each batch the weights make a step of dual ascent (Arrow, Hurwicz & Uzawa
1958, "Studies in linear and non-linear programming"),

    e_k = (m_k − mean of f_k in the batch)/(m_k·(1 − m_k)),
    λ_k ← λ_k + η·e_k,        w_k = λ_k + κ·e_k.

In place of m_k·(1 − m_k), the variance of a term that is a share, stands another term's own. The
last term is that of the augmented Lagrangian (Hestenes 1969, "Multiplier and gradient
methods"). With λ alone, means swing about their targets, and a policy that has left a mode for good
while the weights follow does not come back. At a fixed point the means are m_k wherever the policy
stands, also where it is not the optimum of its weights; with fixed weights they are m_k at the
optimum alone. Khalifa et al. 2021 (ICLR, "A distributional approach to controlled text generation")
aim at the same policy with fixed weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from seqtutor.settings import require

LEAST_VARIANCE = 0.02
"""Of a share, in place of m·(1 − m) where that is smaller: rare terms would make large steps."""
MOST_WEIGHT = 10.0
"""λ goes no further from 0, so that a mean out of reach does not become the only aim; where nothing
else is said."""
DAMPING = 20.0
"""κ/η, where nothing else is said."""

Scalars = dict[str, Float[Array, ""]]


class FollowingWeights(eqx.Module):
    """Weights by the name of a term.

    Attributes:
        settled: λ, what the steps so far have added up to.
        paid: w, those of the next batch.
    """

    settled: Scalars
    paid: Scalars

    @classmethod
    def first(cls, weights: Mapping[str, float]) -> FollowingWeights:
        """Before the first step."""
        settled = {name: jnp.asarray(weight, jnp.float32) for name, weight in weights.items()}
        return cls(settled, jax.tree.map(jnp.copy, settled))


@dataclass(frozen=True)
class Targets:
    """The means that terms are to have.

    Attributes:
        means: by the name of a term, of its sum over a sequence.
        rate: η, in nats at a distance of one variance.
        damping: κ/η. The larger κ, the faster a policy follows, and the louder the noise of the
            batches; the smaller η, the less it goes beyond its targets while the policy lags.
        variances: of terms that are no shares; the others' follow from their means.
        bound: the largest |λ|.

    Raises:
        UserError: if the rate, the damping, the bound or a variance is not positive.
    """

    means: Mapping[str, float]
    rate: float
    damping: float = DAMPING
    variances: Mapping[str, float] = field(default_factory=dict)
    bound: float = MOST_WEIGHT

    def __post_init__(self) -> None:
        for name in ("rate", "damping", "bound"):
            value = getattr(self, name)
            require(value > 0, f"the {name} of targets must be above 0, not {value}")
        for name, variance in self.variances.items():
            require(variance > 0, f"the variance of {name} must be above 0, not {variance}")

    def next_weights(self, weights: FollowingWeights, means: Scalars) -> FollowingWeights:
        """The weights after a batch in which the terms had these means."""
        settled, paid = dict(weights.settled), dict(weights.paid)
        for name, aim in self.means.items():
            variance = self.variances.get(name, max(aim * (1 - aim), LEAST_VARIANCE))
            step = self.rate / variance * (aim - means[name])
            settled[name] = jnp.clip(settled[name] + step, -self.bound, self.bound)
            paid[name] = settled[name] + self.damping * step
        return FollowingWeights(settled, paid)
