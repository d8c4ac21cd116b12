"""A model of a user's own: one attention head, with a cache of keys and values for sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from seqtutor import ModelSettings, SequenceModel
from seqtutor.models.base import shift_right


@dataclass(frozen=True)
class AttentionSettings(ModelSettings):
    """Settings of an attention head."""

    width: int = 8
    """Size of the features."""


class Attention(SequenceModel):
    """Token → embedding → one causal attention head → logits; it does not know positions."""

    kind: ClassVar[str] = "attention"
    Settings: ClassVar[type[ModelSettings]] = AttentionSettings

    embedding: jax.Array
    query: jax.Array
    key: jax.Array
    value: jax.Array
    weight: jax.Array
    settings: AttentionSettings = eqx.field(static=True)

    def __init__(self, vocabulary_size: int, settings: AttentionSettings, key: jax.Array) -> None:
        width = settings.width
        keys = jax.random.split(key, 3)
        self.embedding = 0.4 * jax.random.normal(keys[0], (vocabulary_size + 1, width))
        self.query, self.key, self.value = 0.4 * jax.random.normal(keys[1], (3, width, width))
        self.weight = 0.4 * jax.random.normal(keys[2], (width, vocabulary_size))
        self.settings = settings
        self.vocabulary_size = vocabulary_size
        self.feature_size = width

    def initial_state(self, batch: int, length: int) -> tuple[Any, ...]:
        cache = jnp.zeros((batch, length, self.feature_size))
        return cache, cache, jnp.zeros((), jnp.int32)

    def advance(self, state: tuple[Any, ...], tokens: jax.Array) -> tuple[Any, jax.Array]:
        keys, values, position = state
        x = self.embedding[tokens]
        keys = keys.at[:, position].set(x @ self.key)
        values = values.at[:, position].set(x @ self.value)
        scores = jnp.einsum("bd,btd->bt", x @ self.query, keys)
        scores = jnp.where(jnp.arange(keys.shape[1]) <= position, scores, -jnp.inf)
        mixed = jnp.einsum("bt,btd->bd", jax.nn.softmax(scores), values)
        return (keys, values, position + 1), x + mixed

    def features(self, tokens: jax.Array) -> jax.Array:
        x = self.embedding[shift_right(tokens, self.begin)]
        scores = jnp.einsum("bqd,bkd->bqk", x @ self.query, x @ self.key)
        scores = jnp.where(jnp.tri(tokens.shape[1], dtype=bool), scores, -jnp.inf)
        return x + jnp.einsum("bqk,bkd->bqd", jax.nn.softmax(scores), x @ self.value)

    def readout(self, features: jax.Array) -> jax.Array:
        return features @ self.weight


class Scanned(Attention):
    """The same without `features` of its own."""

    kind: ClassVar[str] = "scanned attention"
    features = SequenceModel.features


class Shifted(Attention):
    """A mistake: learning does not see the begin token."""

    kind: ClassVar[str] = "shifted attention"

    def features(self, tokens: jax.Array) -> jax.Array:
        return super().features(jnp.roll(tokens, 1, axis=1))


def attention(size: int = 3, *, seed: int = 0, kind: type[Attention] = Attention) -> Attention:
    return kind(size, AttentionSettings(width=6), jax.random.key(seed))
