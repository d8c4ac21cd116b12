"""What a policy's melodies are like: Table 1, and whether the policy has collapsed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from seqtutor.measures.diversity import commonest_beginning
from seqtutor.measures.sampling import PolicyMeasures
from seqtutor.models.base import SequenceModel
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.tasks.melody.encoding import STEPS_PER_QUARTER
from seqtutor.tasks.melody.metrics import MelodyMetrics, aggregate, count_melodies
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.scoring import score
from seqtutor.tasks.melody.settings import RuleWeights
from seqtutor.training.rollout import sample

BATCH = 4096


@dataclass(frozen=True)
class MelodyEvaluation:
    """Table 1's metrics of sampled melodies with the measures of the policy that made them."""

    metrics: MelodyMetrics
    policy: PolicyMeasures
    tokens: Int[np.ndarray, "melody time"] = field(repr=False)

    @property
    def commonest_first_beat(self) -> float:
        """The share of melodies that begin with the same beat as most others do."""
        return commonest_beginning(self.tokens, STEPS_PER_QUARTER)

    def mean_reward(self, rules: MelodyRuleSettings, weights: RuleWeights) -> float:
        """What the melodies earn a step by these rules and weights."""
        return float(score(self.tokens, rules, vars(weights)).total.mean())


def evaluate_policy(
    policy: SequenceModel,
    prior: SequenceModel,
    *,
    number: int = 100_000,
    length: int = 32,
    seed: int = 0,
    temperature: float = 1.0,
    rules: MelodyRuleSettings | None = None,
    on_melodies: Callable[[int], None] = lambda done: None,
) -> MelodyEvaluation:
    """Sample melodies from a policy and measure them and it.

    Args:
        policy: what is judged.
        prior: what KL and log p(a|s) refer to.
        number: of melodies.
        length: of each, in sixteenths.
        seed: of the sampling.
        temperature: of the sampling; the measures of the policy are those at temperature one.
        rules: key and lengths for the metrics; the defaults if left out.
        on_melodies: told how many melodies have been sampled so far.
    """
    tokens, entropy, kl, log_prior = [], 0.0, 0.0, 0.0
    for index, done in enumerate(range(0, number, BATCH)):
        key = jax.random.fold_in(jax.random.key(seed), index)
        wanted = min(BATCH, number - done)
        drawn, sums = _sample_and_measure(policy, prior, key, length, temperature, wanted)
        tokens.append(np.asarray(drawn)[:wanted])
        entropy, kl, log_prior = (
            total + float(part) for total, part in zip((entropy, kl, log_prior), sums, strict=True)
        )
        on_melodies(done + wanted)
    melodies = np.concatenate(tokens)
    measures = PolicyMeasures(
        entropy / melodies.size,
        kl / melodies.size,
        log_prior / melodies.size,
        len(np.unique(melodies, axis=0)) / len(melodies),
    )
    return MelodyEvaluation(aggregate(count_melodies(melodies, rules)), measures, melodies)


@eqx.filter_jit
def _sample_and_measure(
    policy: SequenceModel,
    prior: SequenceModel,
    key: PRNGKeyArray,
    length: int,
    temperature: float,
    wanted: int | Array,
) -> tuple[Array, tuple[Array, Array, Array]]:
    rollout = sample(policy, key, BATCH, length, temperature)
    log_policy = rollout.outputs
    log_prior = jax.nn.log_softmax(prior.unroll(rollout.tokens))
    probability = jnp.exp(log_policy)
    counted = (jnp.arange(BATCH) < wanted)[:, None]

    def total(per_step: Array) -> Array:
        return jnp.sum(jnp.where(counted, per_step, 0.0))

    return rollout.tokens, (
        total(-jnp.sum(probability * log_policy, axis=-1)),
        total(jnp.sum(probability * (log_policy - log_prior), axis=-1)),
        total(of_action(log_prior, rollout.tokens)),
    )
