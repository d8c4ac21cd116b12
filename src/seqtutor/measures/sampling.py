"""How good, how near its prior and how diverse a policy is, from sequences that it generates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from seqtutor.measures.diversity import distinct_share, self_similarity
from seqtutor.models.base import SequenceModel
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.rewards import Reward
from seqtutor.task import Task
from seqtutor.training.rollout import sample
from seqtutor.training.settings import TutorSettings

BATCH = 4096
"""Sequences generated at a time, at most."""

DEFINITIONS = 1
"""To be counted up when a measure is defined anew, so that stored ones are not taken for it."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Sequences, and for each of them sums over its steps, in rewards and in nats.

    Attributes:
        tokens: the sequences.
        mask: which steps are real.
        reward: undiscounted.
        log_prior: log p of the sequence under the prior.
        kl: KL(π‖p) before each token, exact over the vocabulary. Its mean over sequences is an
            unbiased estimate of the divergence between the distributions of whole sequences.
        entropy: of the policy before each token, exact over the vocabulary.
    """

    tokens: Int[np.ndarray, "sequence time"]
    mask: Bool[np.ndarray, "sequence time"]
    reward: Float[np.ndarray, " sequence"]
    log_prior: Float[np.ndarray, " sequence"]
    kl: Float[np.ndarray, " sequence"]
    entropy: Float[np.ndarray, " sequence"]

    def __getitem__(self, index: slice | np.ndarray) -> Samples:
        """Some of the sequences."""
        return Samples(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True)
class Measures:
    """What is known of a policy, by name.

    `reward`, `kl` and `objective` (E[r]/c − KL) are per sequence, `reward_per_step`, `kl_per_step`,
    `entropy` and `log_prior` per step, all in nats but the rewards; `distinct` and
    `self_similarity` are those of `seqtutor.measures.diversity`. Standard errors are over
    sequences; NaN is what is not known.
    """

    values: dict[str, float]
    standard_errors: dict[str, float]


@dataclass(frozen=True)
class PolicyMeasures:
    """How far a policy is from its prior and from collapse, over sampled sequences.

    Attributes:
        entropy: of the policy at a step, in nats.
        kl: KL(π‖p) at a step, in nats; exact over the vocabulary at every visited state.
        log_prior: mean log p(a|s) of the sampled tokens, in nats.
        distinct: share of different sequences among all.
    """

    entropy: float
    kl: float
    log_prior: float
    distinct: float


def has_collapsed(
    policy: Mapping[str, float], prior: Mapping[str, float], settings: TutorSettings
) -> bool:
    """Whether a policy is but a few sequences, by the thresholds of the training loop's guard.

    Takes the values of `Measures` of as many sequences of the policy as of the prior.
    """
    return (
        policy["entropy"] < settings.collapse_entropy
        or policy["distinct"] < settings.collapse_distinct * prior["distinct"]
    )


def measure_policy(
    policy: SequenceModel,
    prior: SequenceModel,
    task: Task,
    *,
    number: int,
    seed: int = 0,
    c: float | None = None,
    on_sequences: Callable[[int], None] = lambda done: None,
) -> Measures:
    """Sample from a policy at temperature one and measure it; arguments as for `draw_samples`."""
    samples = draw_samples(policy, prior, task, number=number, seed=seed, on_sequences=on_sequences)
    return measures_of(samples, c=c)


def draw_samples(
    policy: SequenceModel,
    prior: SequenceModel,
    task: Task,
    *,
    number: int,
    seed: int = 0,
    on_sequences: Callable[[int], None] = lambda done: None,
) -> Samples:
    """Sample sequences with what they earn and cost.

    Args:
        policy: what generates them; it may be the prior.
        prior: what KL and log p refer to.
        task: gives the reward, the length and the end token.
        number: of sequences.
        seed: of the sampling.
        on_sequences: told how many sequences there are so far.
    """
    parts, batch = [], min(BATCH, number)
    for index, done in enumerate(range(0, number, batch)):
        key = jax.random.fold_in(jax.random.key(seed), index)
        parts.append(sample_batch(policy, prior, task, key, batch)[: number - done])
        on_sequences(min(number, done + batch))
    return join_samples(parts)


def sample_batch(
    policy: SequenceModel, prior: SequenceModel, task: Task, key: PRNGKeyArray, batch: int
) -> Samples:
    """One batch of sequences, as `draw_samples` makes them."""
    other = None if policy is prior else prior
    reward, end = task.reward, task.vocabulary.end
    with reward.reporting_failures():
        drawn = _sample_batch(policy, other, reward, key, batch, task.max_length, end)
        return Samples(*map(np.asarray, drawn))


def join_samples(parts: list[Samples]) -> Samples:
    """All sequences one after the other."""
    return Samples(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Samples))
    )


@eqx.filter_jit
def _sample_batch(
    policy: SequenceModel,
    prior: SequenceModel | None,
    reward: Reward,
    key: PRNGKeyArray,
    batch: int,
    length: int,
    end: int | None,
) -> tuple[Array, ...]:
    """The fields of `Samples`; without a prior, the policy is its own."""
    rollout = sample(policy, key, batch, length, end=end)
    tokens, mask, log_policy = rollout
    log_prior = log_policy if prior is None else jax.nn.log_softmax(prior.unroll(tokens))
    probability = jnp.exp(log_policy)
    # A token that cannot come costs nothing, though its log-probability is −∞.
    log_policy = jnp.where(probability > 0, log_policy, 0.0)
    log_ratio = log_policy - jnp.where(probability > 0, log_prior, 0.0)

    def total(per_step: Array) -> Array:
        return jnp.sum(jnp.where(mask, per_step, 0.0), axis=1)

    return (
        tokens,
        mask,
        jnp.sum(reward(tokens, mask).total, axis=1),
        total(of_action(log_prior, tokens)),
        total(jnp.sum(probability * log_ratio, axis=-1)),
        total(-jnp.sum(probability * log_policy, axis=-1)),
    )


def measures_of(samples: Samples, *, c: float | None = None) -> Measures:
    """Measure sequences; `c`, the weight of the prior, if the objective is wanted as well."""
    steps = samples.mask.sum(axis=1).astype(np.float64)
    sequences = np.ones_like(steps)
    reward, kl = samples.reward.astype(np.float64), samples.kl.astype(np.float64)
    ratios = {
        "reward": (reward, sequences),
        "reward_per_step": (reward, steps),
        "kl": (kl, sequences),
        "kl_per_step": (kl, steps),
        "entropy": (samples.entropy.astype(np.float64), steps),
        "log_prior": (samples.log_prior.astype(np.float64), steps),
    }
    if c is not None:
        ratios["objective"] = (reward / c - kl, sequences)
    estimates = {name: _ratio(*parts) for name, parts in ratios.items()}
    similarity = self_similarity(samples.tokens, samples.mask)
    estimates["distinct"] = distinct_share(samples.tokens), math.nan
    estimates["self_similarity"] = similarity.value, similarity.standard_error
    return Measures(
        {name: value for name, (value, _) in estimates.items()},
        {name: error for name, (_, error) in estimates.items()},
    )


def _ratio(
    y: Float[np.ndarray, " sequence"], x: Float[np.ndarray, " sequence"]
) -> tuple[float, float]:
    """Σy / Σx with its standard error over sequences, by the delta method."""
    number, whole = len(x), x.sum()
    ratio = y.sum() / whole
    squares = np.square(y - ratio * x).sum()
    return float(ratio), math.sqrt(squares * number / (number - 1)) / float(whole)
