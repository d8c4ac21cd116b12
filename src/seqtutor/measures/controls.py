"""What a prior gives without any tuning, and what tuning gives without a prior.

An honest comparison of tuned policies needs other temperatures and the best of n samples, since
each buys reward with divergence from the prior at no cost of training; and a start that knows
nothing, to tell what was learned before the tuning from what was learned in it.
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

from seqtutor.measures.sampling import BATCH, Samples, join_samples, sample_batch
from seqtutor.models.base import SequenceModel, settings_of
from seqtutor.models.settings import ModelSettings
from seqtutor.task import Task


class TemperedModel(SequenceModel):
    """π(a|s) ∝ p(a|s)^(1/T): a model as it generates at temperature T."""

    kind: ClassVar[str] = "tempered"

    model: SequenceModel
    temperature: Float[Array, ""]

    def __init__(self, model: SequenceModel, temperature: float) -> None:
        """Temper a model; its arrays are shared, not copied."""
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
        """As the model does."""
        return self.model.advance(state, tokens)

    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time features"]:
        """Those of the model."""
        return self.model.features(tokens)

    def readout(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape vocab"]:
        """The model's logits over the temperature."""
        return self.model.readout(features) / self.temperature


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
    """At most how far, in nats a sequence, the best of n samples is from what they come from.

    log n − (n − 1)/n; it is met where no two sequences earn the same and none is frequent, and
    is too high elsewhere (Beirami et al. 2024, "Theoretical guarantees on the best-of-n alignment
    policy").
    """
    return math.log(n) - (n - 1) / n


def best_of_n(
    model: SequenceModel,
    task: Task,
    sizes: Sequence[int],
    *,
    number: int,
    seed: int = 0,
    on_sequences: Callable[[int], None] = lambda done: None,
) -> dict[int, Samples]:
    """For each n, `number` sequences, each the one of n samples that the task rewards most.

    All n choose from the same groups of samples: the best of 4 is the best among the first four of
    those that the best of 64 is chosen from. `kl` holds the upper bound, `entropy` is NaN, since
    the policy of single steps is not known. Of equals the first is taken.

    Args:
        model: the prior.
        task: gives the reward, the length and the end token.
        sizes: the values of n.
        number: of sequences for each n.
        seed: of the sampling.
        on_sequences: told how many sequences have been chosen for each n.
    """
    largest = max(sizes)
    groups = max(1, min(number, BATCH // largest))
    chosen: dict[int, list[Samples]] = {size: [] for size in sizes}
    for index, done in enumerate(range(0, number, groups)):
        key = jax.random.fold_in(jax.random.key(seed), index)
        samples = sample_batch(model, model, task, key, groups * largest)
        first = np.arange(min(groups, number - done)) * largest
        rewards = samples.reward.reshape(groups, largest)[: len(first)]
        for size in sizes:
            chosen[size].append(samples[first + rewards[:, :size].argmax(axis=1)])
        on_sequences(done + len(first))
    return {size: _as_best(join_samples(parts), size) for size, parts in chosen.items()}


def _as_best(samples: Samples, size: int) -> Samples:
    number = len(samples.tokens)
    return Samples(
        samples.tokens,
        samples.mask,
        samples.reward,
        samples.log_prior,
        kl=np.full(number, best_of_n_kl_bound(size)),
        entropy=np.full(number, math.nan),
    )
