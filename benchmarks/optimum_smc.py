"""Whether log Z is higher than importance weights tell: sequential Monte Carlo with a run's policy.

    python benchmarks/optimum_smc.py RUN --groups 20 --particles 1000

Each group of particles is extended by the policy of a melody run in four stages. After each stage
it is resampled by the weights p·exp(r/c)/π of the stage, without a twist, so that beginnings which
have earned much are followed up, also those that the policy seldom takes to their end. The product
of the mean weights of the stages has the mean Z (Del Moral 2004): the groups are independent values
of which `lower_bound_of_log_mean` bounds the mean. A group far above the others has found sequences
that plain weights miss.
"""

from __future__ import annotations

import argparse
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp

from seqtutor.measures.log_partition import lower_bound_of_log_mean
from seqtutor.models.base import SequenceModel
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.rewards import Reward
from seqtutor.runs.policies import find_policy
from seqtutor.tasks.melody.spec import spec
from seqtutor.training.rollout import sample

STAGES = (8, 16, 24, 32)


@eqx.filter_jit
def extended(
    policy: SequenceModel,
    prior: SequenceModel,
    reward: Reward,
    c: float,
    key: jax.Array,
    beginnings: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Whole melodies with these beginnings, and log p + r/c − log π of each step."""
    number, length = len(beginnings), STAGES[-1]
    tokens, mask, log_policy = sample(policy, key, number, length, 1.0, None, beginnings)
    log_prior = of_action(jax.nn.log_softmax(prior.unroll(tokens)), tokens)
    return tokens, reward(tokens, mask).total / c + log_prior - of_action(log_policy, tokens)


def resampled(log_weights: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Systematic resampling within each row; gives flat indices."""
    groups, particles = log_weights.shape
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    cumulative = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    places = (generator.random((groups, 1)) + np.arange(particles)) / particles
    rows = [np.searchsorted(*pair) for pair in zip(cumulative, places, strict=True)]
    index = np.minimum(np.stack(rows), particles - 1)
    return (index + particles * np.arange(groups)[:, None]).reshape(-1)


def main() -> None:
    """Print the estimate of each group, from the lowest, and the bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--groups", type=int, default=20)
    parser.add_argument("--particles", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run = find_policy(spec, options.run)
    assert run.config is not None
    c, generator = run.config.tutor.c, np.random.default_rng(options.seed)
    shape = options.groups, options.particles
    beginnings, log_z = np.zeros((math.prod(shape), 0), np.int32), np.zeros(options.groups)
    before = 0
    with spec.opened(spec.settings_for_evaluation(run.config.settings), run.prior(), 0) as task:
        for stage in STAGES:
            key = jax.random.fold_in(jax.random.key(options.seed), stage)
            tokens, steps = extended(
                run.model, run.prior().model, task.reward, c, key, jnp.asarray(beginnings)
            )
            weights = np.asarray(steps, np.float64)[:, before:stage].sum(axis=1).reshape(shape)
            log_z += logsumexp(weights, axis=1) - math.log(options.particles)
            beginnings = np.asarray(tokens)[resampled(weights, generator), :stage]
            before = stage
    print(f"c = {c:g}, log Z by group:", " ".join(f"{one:.2f}" for one in np.sort(log_z)))
    bound = lower_bound_of_log_mean(log_z, 0.975)
    mean = logsumexp(log_z) - math.log(options.groups)
    print(f"log of their mean {mean:.2f}; log Z at least {bound:.2f} (97.5 %)")


if __name__ == "__main__":
    main()
