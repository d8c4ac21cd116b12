"""Controls: policies without tuning, and a start without pretraining.

Sampling at another temperature and choosing the best of n samples increase the reward at some
divergence from the prior, without any training: tuned policies must be compared with both. A policy
that was tuned at one c is made into one for another without further tuning. A start with random
weights shows how much was learned by pretraining and how much by tuning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from seqtutor.measures.sampling import BATCH, Samples, draw_batches, join_samples
from seqtutor.models.base import SequenceModel, settings_of
from seqtutor.models.settings import ModelSettings
from seqtutor.task import Task


class TemperedModel(SequenceModel):
    """A model at temperature T: π(a|s) ∝ p(a|s)^(1/T)."""

    kind: ClassVar[str] = "tempered"

    model: SequenceModel
    temperature: Float[Array, ""]

    def __init__(self, model: SequenceModel, temperature: float) -> None:
        """Wrap a model; its arrays are shared, not copied."""
        self.model = model
        # An array, so that all temperatures share one compiled program.
        self.temperature = jnp.asarray(temperature, jnp.float32)
        self.vocabulary_size = model.vocabulary_size
        self.feature_size = model.feature_size

    def initial_state(self, batch: int, length: int) -> Any:
        """That of the model."""
        return self.model.initial_state(batch, length)

    def advance(
        self, state: Any, tokens: Int[Array, " batch"]
    ) -> tuple[Any, Float[Array, "batch features"]]:
        """Advance the model."""
        return self.model.advance(state, tokens)

    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time features"]:
        """The features of the model."""
        return self.model.features(tokens)

    def readout(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape vocab"]:
        """The logits of the model divided by the temperature."""
        return self.model.readout(features) / self.temperature


class RescaledModel(SequenceModel):
    """A tuned policy with another weight on what it learned: π_s(a|s) ∝ p(a|s)·(π(a|s)/p(a|s))^s.

    Of a policy π ∝ p·exp(G), such as that of G-learning at c₀ (Jaques et al. 2017, eq. 15), it is
    π_s ∝ p·exp(s·G): with s = c₀/c the policy for c, if later rewards were weighed by c as well.
    At the optimum of a single step it is exact, over more steps an approximation (Liu et al. 2024,
    "Decoding-time realignment of language models"). s = 0 is the prior, s = 1 the policy.
    """

    kind: ClassVar[str] = "rescaled"

    prior: SequenceModel
    policy: SequenceModel
    share: Float[Array, ""]

    def __init__(self, prior: SequenceModel, policy: SequenceModel, share: float) -> None:
        """Wrap both models; their arrays are shared, not copied."""
        self.prior = prior
        self.policy = policy
        self.share = jnp.asarray(share, jnp.float32)
        self.vocabulary_size = prior.vocabulary_size
        self.feature_size = prior.vocabulary_size

    def initial_state(self, batch: int, length: int) -> tuple[Any, Any]:
        """The states of both models."""
        return self.prior.initial_state(batch, length), self.policy.initial_state(batch, length)

    def advance(
        self, state: tuple[Any, Any], tokens: Int[Array, " batch"]
    ) -> tuple[tuple[Any, Any], Float[Array, "batch vocab"]]:
        """Advance both models."""
        prior_state, of_prior = self.prior.step(state[0], tokens)
        policy_state, of_policy = self.policy.step(state[1], tokens)
        return (prior_state, policy_state), self._mixed(of_prior, of_policy)

    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time vocab"]:
        """The logits, which are its features."""
        return self._mixed(self.prior.unroll(tokens), self.policy.unroll(tokens))

    def _mixed(
        self, of_prior: Float[Array, "*shape vocab"], of_policy: Float[Array, "*shape vocab"]
    ) -> Float[Array, "*shape vocab"]:
        log_prior, log_policy = jax.nn.log_softmax(of_prior), jax.nn.log_softmax(of_policy)
        return log_prior + self.share * (log_policy - log_prior)

    def readout(self, features: Float[Array, "*shape vocab"]) -> Float[Array, "*shape vocab"]:
        """The features, which are logits already."""
        return features


def untrained(
    model: SequenceModel, seed: int, initial: ModelSettings | None = None
) -> SequenceModel:
    """A model of the same kind and sizes with random weights, as pretraining would begin with.

    Settings that only say how weights are drawn are taken from `initial`, if that is a record of
    the model's kind.

    Raises:
        UserError: if the model is made of other models.
    """
    settings = settings_of(model)
    if isinstance(initial, type(settings)):
        settings = replace(initial, **settings.sizes)
    return type(model).create(model.vocabulary_size, settings, jax.random.key(seed))


def best_of_n_kl_bound(n: int) -> float:
    """An upper bound of the KL divergence of the best of n samples from their source.

    log n − (n − 1)/n nats per sequence. It is reached if no two sequences have the same reward and
    none is frequent, and is too high otherwise (Beirami et al. 2024, "Theoretical guarantees on the
    best-of-n alignment policy").
    """
    return math.log(n) - (n - 1) / n


def best_of_n(
    model: SequenceModel,
    task: Task,
    sizes: Sequence[int],
    *,
    number: int,
    seed: int = 0,
    length: int | None = None,
    temperature: float = 1.0,
    forced: Int[np.ndarray, "#number forced"] | None = None,
    on_sequences: Callable[[int], None] = lambda done: None,
) -> dict[int, Samples]:
    """For each n, `number` sequences, each the one of n samples with the highest reward.

    All n choose from the same groups of samples: the best of 4 is the best among the first four of
    those that the best of 64 is chosen from. Of equal rewards the first is chosen. The policy of
    single steps is not known: `kl` is the upper bound, `entropy` and `log_policy` are NaN, and
    `expected_log_prior` is that of the chosen tokens.

    Args:
        model: the prior, or another policy, from which the bound is then a divergence.
        task: gives the reward, the length and the end token.
        sizes: the values of n.
        number: of sequences for each n.
        seed: of the sampling.
        length: tokens of the longest sequence; by default the task's.
        temperature: of the sampling.
        forced: tokens that each sequence starts with.
        on_sequences: called with the number of sequences chosen so far for each n.
    """
    largest = max(sizes)
    groups = max(1, min(number, BATCH // largest))
    drawn = -(-number // groups) * groups
    if forced is not None:
        rows = np.minimum(np.arange(drawn), len(forced) - 1)
        forced = np.repeat(forced[rows], largest, axis=0)
    batches = draw_batches(
        model,
        model,
        number=drawn * largest,
        length=task.max_length if length is None else length,
        end=task.vocabulary.end,
        seed=seed,
        temperature=temperature,
        forced=forced,
        reward=task.reward,
        batch=groups * largest,
    )
    chosen: dict[int, list[Samples]] = {size: [] for size in sizes}
    done = 0
    for samples in batches:
        assert samples.reward is not None
        first = np.arange(min(groups, number - done)) * largest
        rewards = samples.reward.reshape(groups, largest)[: len(first)]
        for size in sizes:
            chosen[size].append(samples[first + rewards[:, :size].argmax(axis=1)])
        done += len(first)
        on_sequences(done)
    return {size: _as_best(join_samples(parts), size) for size, parts in chosen.items()}


def _as_best(samples: Samples, size: int) -> Samples:
    unknown = np.full(len(samples), math.nan)
    bound = np.full(len(samples), best_of_n_kl_bound(size))
    return replace(
        samples,
        kl=bound,
        entropy=unknown,
        log_policy=unknown,
        expected_log_prior=samples.log_prior,
    )
