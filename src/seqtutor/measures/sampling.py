"""Sampling sequences from a policy with their log-probabilities, KL divergence and entropy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.rewards import Reward
from seqtutor.training.rollout import sample

BATCH = 4096
"""Most sequences sampled at a time."""

MOST_PROBABILITIES = 1 << 29
"""Of every token of the vocabulary at every step of the sequences that are sampled at a time; three
arrays of 2 GiB each hold so many."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Samples:
    """Sequences, and for each of them sums over the steps that the policy chose.

    All are of the distribution that was sampled: at a temperature T, π is the policy tempered by T.
    At every state Σ_a π log(π/p) + H(π) = −Σ_a π log p, so that `kl` + `entropy` is exactly
    −`expected_log_prior`, of which −`log_prior` is an unbiased estimate.

    Attributes:
        tokens: the sequences.
        mask: true up to and including the last token of a sequence.
        steps: how many tokens the policy chose; forced tokens do not count.
        log_policy: log π of these tokens, in nats.
        log_prior: log p of these tokens, in nats.
        expected_log_prior: E_π log p in nats, at each step exact over the vocabulary.
        kl: KL(π‖p) in nats, at each step exact over the vocabulary. Its mean over sequences is an
            unbiased estimate of the divergence between the distributions of whole sequences.
        entropy: H(π) in nats, at each step exact over the vocabulary.
        reward: undiscounted, of the whole sequence; `None` if no reward was given.
        terms: the weighted terms that the reward is the sum of.
    """

    tokens: Int[np.ndarray, "sequence time"]
    mask: Bool[np.ndarray, "sequence time"]
    steps: Int[np.ndarray, " sequence"]
    log_policy: Float[np.ndarray, " sequence"]
    log_prior: Float[np.ndarray, " sequence"]
    expected_log_prior: Float[np.ndarray, " sequence"]
    kl: Float[np.ndarray, " sequence"]
    entropy: Float[np.ndarray, " sequence"]
    reward: Float[np.ndarray, " sequence"] | None = None
    terms: Mapping[str, Float[np.ndarray, " sequence"]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: slice | np.ndarray) -> Samples:
        """Some of the sequences."""
        return jax.tree.map(lambda array: array[index], self)


def require_room(number: int, length: int, vocabulary_size: int) -> None:
    """Refuse more sequences at a time, or longer ones, than memory has room for.

    Raises:
        UserError: which says how long they may be.
    """
    most = MOST_PROBABILITIES // (number * vocabulary_size)
    if length > most:
        raise UserError(
            f"{number:,} sequences of {length:,} tokens are too many at a time: of that number, "
            f"with {vocabulary_size:,} tokens to choose from, the length can be {most:,} at most"
        )


def draw(
    policy: SequenceModel,
    prior: SequenceModel,
    *,
    number: int,
    length: int,
    end: int | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    forced: Int[np.ndarray, "#number forced"] | None = None,
    reward: Reward | None = None,
    batch: int = BATCH,
    on_sequences: Callable[[int], None] = lambda done: None,
) -> Samples:
    """Sample sequences from a policy.

    Args:
        policy: generates the sequences; it may be the prior.
        prior: the reference p of KL and log p.
        number: of sequences.
        length: tokens of the longest sequence, the end token included.
        end: the token that ends a sequence, if there is one.
        seed: of the sampling; the key of batch i is its fold with i.
        temperature: of the sampling.
        forced: tokens that each sequence starts with, in place of chosen ones.
        reward: what the sequences are rewarded by, if their rewards are wanted.
        batch: sequences sampled at a time.
        on_sequences: called after each batch with the number of sequences so far.
    """
    batches = draw_batches(
        policy,
        prior,
        number=number,
        length=length,
        end=end,
        seed=seed,
        temperature=temperature,
        forced=forced,
        reward=reward,
        batch=batch,
    )
    parts, done = [], 0
    for part in batches:
        parts.append(part)
        done += len(part)
        on_sequences(done)
    return join_samples(parts)


def draw_batches(
    policy: SequenceModel,
    prior: SequenceModel,
    *,
    number: int,
    length: int,
    end: int | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    forced: Int[np.ndarray, "#number forced"] | None = None,
    reward: Reward | None = None,
    batch: int = BATCH,
) -> Iterator[Samples]:
    """The batches that `draw` joins, one by one; arguments as there."""
    size = min(batch, number)
    start = None
    if forced is not None:
        start = np.broadcast_to(forced, (number, forced.shape[1]))
    for index, done in enumerate(range(0, number, size)):
        own = None
        if start is not None:
            rows = np.minimum(np.arange(done, done + size), number - 1)
            own = jnp.asarray(start[rows], jnp.int32)
        with _reporting_failures(reward):
            found = _draw_batch(
                policy,
                None if policy is prior else prior,
                reward,
                jax.random.fold_in(jax.random.key(seed), index),
                own,
                size,
                length,
                end,
                temperature,
            )
            found = jax.tree.map(np.asarray, found)
        yield Samples(**found)[: number - done]


def _reporting_failures(reward: Reward | None) -> AbstractContextManager[None]:
    return nullcontext() if reward is None else reward.reporting_failures()


def join_samples(parts: Sequence[Samples]) -> Samples:
    """All sequences one after the other."""
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def log_probabilities(
    model: SequenceModel, samples: Samples, temperature: float = 1.0
) -> Float[np.ndarray, " sequence"]:
    """Log π of sequences that another policy may have generated, in nats.

    Args:
        model: the policy.
        samples: whose tokens were all chosen, none forced.
        temperature: of the policy.
    """
    number, size = len(samples), min(BATCH, len(samples))
    found = []
    for start in range(0, number, size):
        # The last part has as many rows as the others, so that one program serves all.
        rows = np.minimum(np.arange(start, start + size), number - 1)
        tokens, mask = jnp.asarray(samples.tokens[rows]), jnp.asarray(samples.mask[rows])
        part = _log_probability(model, tokens, mask, temperature)
        found.append(np.asarray(part)[: number - start])
    return np.concatenate(found)


@eqx.filter_jit
def step_probabilities(
    model: SequenceModel, tokens: Int[Array, "batch time"], temperature: float | Array = 1.0
) -> Float[Array, "batch time vocab"]:
    """The probability of every token at each step, after the tokens before it."""
    return jax.nn.softmax(model.unroll(tokens) / temperature)


@eqx.filter_jit
def _log_probability(
    model: SequenceModel,
    tokens: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    temperature: float,
) -> Float[Array, " batch"]:
    log_probability = jax.nn.log_softmax(model.unroll(tokens) / temperature)
    return jnp.sum(jnp.where(mask, of_action(log_probability, tokens), 0.0), axis=1)


@eqx.filter_jit
def _draw_batch(
    policy: SequenceModel,
    prior: SequenceModel | None,
    reward: Reward | None,
    key: PRNGKeyArray,
    forced: Int[Array, "batch forced"] | None,
    batch: int,
    length: int,
    end: int | None,
    temperature: float,
) -> dict[str, Array | dict[str, Array]]:
    """The fields of `Samples`; without a prior, the policy at temperature one is its own."""
    tokens, mask, log_policy = sample(policy, key, batch, length, temperature, end, forced)
    log_prior = log_policy if prior is None else jax.nn.log_softmax(prior.unroll(tokens))
    if temperature != 1:
        log_policy = jax.nn.log_softmax(log_policy / temperature)
    is_chosen = mask
    if forced is not None:
        is_chosen = mask & (jnp.arange(length) >= forced.shape[1])
    probability = jnp.exp(log_policy)
    # A token of probability zero contributes nothing, though its log-probability is −∞.
    log_own, log_other = (
        jnp.where(probability > 0, of_all, 0.0) for of_all in (log_policy, log_prior)
    )

    def expected(log_of_all: Float[Array, "batch time vocab"]) -> Float[Array, "batch time"]:
        return jnp.sum(probability * log_of_all, axis=-1)

    def total(per_step: Float[Array, "batch time"]) -> Float[Array, " batch"]:
        return jnp.sum(jnp.where(is_chosen, per_step, 0.0), axis=1)

    found: dict[str, Array | dict[str, Array]] = {
        "tokens": tokens,
        "mask": mask,
        "steps": jnp.sum(is_chosen, axis=1),
        "log_policy": total(of_action(log_policy, tokens)),
        "log_prior": total(of_action(log_prior, tokens)),
        "expected_log_prior": total(expected(log_other)),
        "kl": total(expected(log_own - log_other)),
        "entropy": total(-expected(log_own)),
    }
    if reward is not None:
        rewards = reward(tokens, mask)
        found["reward"] = jnp.sum(rewards.total, axis=1)
        found["terms"] = {name: jnp.sum(term, axis=1) for name, term in rewards.terms.items()}
    return found
