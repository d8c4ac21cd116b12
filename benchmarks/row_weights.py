"""What each row of Table 1 must be paid so that the policy nearest the prior wins it.

Of all policies π under which some counts f of a melody have given means a, the one with the
smallest KL divergence from the prior p is p(τ)·exp(λ·f(τ))/Z (Csiszár 1975): the optimum of
E[λ·f] − KL(π‖p), which is what tuning maximises at c = 1 and γ = 1. λ minimises the convex dual
log Z(λ) − λ·a, whose gradient is E[f] − a. No sample of the prior is near the optimum, so that it
cannot be estimated as `form_weights.py` does it. Here a policy is tuned by leave-one-out REINFORCE
while λ descends, each component by the dual rate times the gap over the variance of its count.

    python benchmarks/row_weights.py --iterations 800

prints λ, the means and the divergence as it goes. The policy lags behind λ, most of all where what
is counted is rare (doubled leaps, motifs that return): a run with fixed weights needs more there.
"""

from __future__ import annotations

import argparse
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from seqtutor.models.files import load_model
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.rules.autocorrelation import autocorrelations
from seqtutor.tasks.melody.rules.extremes import unique_extremes
from seqtutor.tasks.melody.rules.leaps import DOUBLED, RESOLVED, track_leaps
from seqtutor.tasks.melody.rules.motif import is_motif, is_repeated_motif
from seqtutor.tasks.melody.rules.repetition import is_excessively_repeated
from seqtutor.tasks.melody.rules.tonality import is_out_of_key, starts_with_tonic
from seqtutor.tasks.melody.spec import SHIPPED_PRIOR
from seqtutor.training.rollout import sample

LENGTH, BATCH, REPORT = 32, 256, 50
LEAPS = 0.925
"""The share of leaps to be resolved."""
LARGEST = 60.0
AIMS: dict[str, tuple[float, int]] = {
    "out of the key": (0.0006 * LENGTH, -1),
    "autocorrelation 1": (0.05, 0),
    "autocorrelation 2": (0.0, 0),
    "autocorrelation 3": (0.0, 0),
    "starts with the tonic": (0.315, 1),
    "leaps": (0.0, 1),
    "unique highest": (0.665, 1),
    "unique lowest": (0.605, 1),
    "in a motif": (0.764 * LENGTH, 1),
    "a motif returns": (0.10, 1),
    "excessively repeated": (0.0003 * LENGTH, -1),
}
"""By count, the mean to reach, and whether that is a least (1) or a most (−1) or both (0)."""


def counts(tokens: Int[Array, "batch time"]) -> Float[Array, "batch count"]:
    """What `AIMS` are the means of, of each melody.

    Of leaps it is 0 on average where `LEAPS` of the resolved and doubled ones are resolved.
    """
    rules = MelodyRuleSettings()
    leaps, unique = track_leaps(tokens, rules).outcome, unique_extremes(tokens, rules)
    resolved, doubled = (leaps == RESOLVED).sum(1), (leaps == DOUBLED).sum(1)
    columns = (
        is_out_of_key(tokens, rules).sum(1),
        *(jnp.nan_to_num(one[:, -1]) for one in autocorrelations(tokens, (1, 2, 3))),
        starts_with_tonic(tokens, rules),
        (1 - LEAPS) * resolved - LEAPS * doubled,
        unique.highest,
        unique.lowest,
        is_motif(tokens, rules).sum(1),
        is_repeated_motif(tokens, rules).any(1),
        is_excessively_repeated(tokens, rules).sum(1),
    )
    return jnp.stack([jnp.asarray(one, float) for one in columns], axis=1)


def main() -> None:
    """Descend on the dual and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=800)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--dual-rate", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    prior = load_model(SHIPPED_PRIOR).model
    aims, signs = (jnp.array(column) for column in zip(*AIMS.values(), strict=True))
    low, high = jnp.where(signs > 0, 0.0, -LARGEST), jnp.where(signs < 0, 0.0, LARGEST)
    decay = optax.cosine_decay_schedule(options.learning_rate, options.iterations, 0.05)
    optimiser = optax.chain(optax.clip_by_global_norm(10.0), optax.adam(decay))

    def own_log_probability(model: Any, tokens: Array) -> Float[Array, "batch time"]:
        logits = jax.nn.log_softmax(model.unroll(tokens))
        return jnp.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]

    @eqx.filter_jit
    def iterate(model: Any, state: Any, weights: Array, variance: Array, key: Array) -> Any:
        tokens = sample(model, key, BATCH, LENGTH).tokens
        found = counts(tokens)
        ratio = own_log_probability(model, tokens) - own_log_probability(prior, tokens)
        later = jnp.cumsum(ratio[:, ::-1], axis=1)[:, ::-1]
        returns = (found @ weights)[:, None] - later
        advantages = returns - (returns.sum(0) - returns) / (BATCH - 1)

        def loss(trained: Any) -> Float[Array, ""]:
            return -(advantages * own_log_probability(trained, tokens)).mean()

        updates, state = optimiser.update(eqx.filter_grad(loss)(model), state)
        variance = 0.95 * variance + 0.05 * found.var(0)
        gap = (aims - found.mean(0)) / jnp.maximum(variance, 1e-2)
        weights = jnp.clip(weights + options.dual_rate * gap, low, high)
        means = found.mean(0), ratio.sum(1).mean()
        return eqx.apply_updates(model, updates), state, weights, variance, means

    model = prior.as_policy_start(LENGTH)
    state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))
    weights, variance = jnp.zeros(len(AIMS)), jnp.ones(len(AIMS))
    recent = []
    for number, key in enumerate(
        jax.random.split(jax.random.key(options.seed), options.iterations)
    ):
        model, state, weights, variance, means = iterate(model, state, weights, variance, key)
        recent.append((*jax.device_get(means), np.asarray(weights)))
        if (number + 1) % REPORT == 0:
            of_counts, divergence, mean_weights = (
                np.mean(column, axis=0) for column in zip(*recent, strict=True)
            )
            recent = []
            print(f"{number + 1}: {divergence:.2f} nats a melody from the prior", flush=True)
            for row in zip(AIMS, of_counts, np.asarray(aims), mean_weights, strict=True):
                print("    {:<22} mean {:8.4f}  aim {:8.4f}  λ {:7.3f}".format(*row))


if __name__ == "__main__":
    main()
