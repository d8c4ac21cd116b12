"""What is logged of every collection."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from seqtutor.objectives.temporal_difference import masked_mean
from seqtutor.rewards import RewardBreakdown
from seqtutor.training.sharding import everywhere
from seqtutor.types import Trajectories

Metrics = dict[str, Float[Array, "..."]]
HostMetrics = dict[str, Float[np.ndarray, "..."]]


def measure(trajectories: Trajectories, breakdown: RewardBreakdown, devices: int = 1) -> Metrics:
    """Means over the steps of a collection, in nats and in reward."""
    mean = partial(masked_mean, mask=trajectories.mask)
    return (
        {"reward": mean(breakdown.total)}
        | measure_policy(trajectories, devices)
        | {f"reward/{name}": mean(term) for name, term in breakdown.terms.items()}
    )


def measure_policy(trajectories: Trajectories, devices: int = 1) -> Metrics:
    """What a collection shows of the policy itself, whatever its reward is.

    `kl`, `entropy` and `log_prior` are exact sums over the vocabulary at the visited states, also
    where other tokens than the policy's are explored, so that `kl` + `entropy` = −`log_prior`.
    `distinct` is the number of different sequences over the number of sequences in the batch.
    """
    probability = jnp.exp(trajectories.log_policy)
    log_ratio = trajectories.log_policy - trajectories.log_prior
    mean = partial(masked_mean, mask=trajectories.mask)
    return {
        "log_prior": mean(jnp.sum(probability * trajectories.log_prior, axis=-1)),
        "kl": mean(jnp.sum(probability * log_ratio, axis=-1)),
        "entropy": mean(-jnp.sum(probability * trajectories.log_policy, axis=-1)),
        # Sorting over devices would exchange more than the tokens.
        "distinct": distinct_in_batch(everywhere(trajectories.tokens, devices)),
    }


def distinct_in_batch(tokens: Int[Array, "batch time"]) -> Float[Array, ""]:
    """The number of different sequences over the number of sequences."""
    order = jnp.lexsort(tokens.T)
    ordered = tokens[order]
    new = jnp.any(ordered[1:] != ordered[:-1], axis=1)
    return (1 + jnp.sum(new)) / tokens.shape[0]
