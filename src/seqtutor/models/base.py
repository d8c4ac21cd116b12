"""What every sequence model is."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def shift_right(tokens: Int[Array, "batch time"], begin: int) -> Int[Array, "batch time"]:
    """The inputs that predict `tokens`: the begin id, then every token but the last."""
    first = jnp.full_like(tokens[:, :1], begin)
    return jnp.concatenate([first, tokens[:, :-1]], axis=1)


class SequenceModel(eqx.Module):
    """A distribution over sequences, one token after the other.

    A model has a body, which turns the tokens so far into features, and a readout, which turns
    features into logits over the next token. The body runs one token at a time (`advance`, for
    sampling) or over whole sequences (`features`, for learning); both give the same numbers.
    """

    kind: ClassVar[str]

    vocabulary_size: eqx.AbstractVar[int]
    feature_size: eqx.AbstractVar[int]

    @abstractmethod
    def initial_state(self, batch: int) -> Any:
        """The state before any token, for `batch` sequences."""

    @abstractmethod
    def advance(
        self, state: Any, tokens: Int[Array, " batch"]
    ) -> tuple[Any, Float[Array, "batch features"]]:
        """Read one token of each sequence; the features predict the next one."""

    @abstractmethod
    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time features"]:
        """Features that predict each token from those before it; the begin id is put in front."""

    @abstractmethod
    def readout(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape vocab"]:
        """Logits over the next token."""

    @property
    def begin(self) -> int:
        """The id that is read before the first token."""
        return self.vocabulary_size

    def step(
        self, state: Any, tokens: Int[Array, " batch"]
    ) -> tuple[Any, Float[Array, "batch vocab"]]:
        """Read one token of each sequence and give the logits of the next."""
        state, features = self.advance(state, tokens)
        return state, self.readout(features)

    def unroll(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time vocab"]:
        """Logits of every token given those before it (teacher forcing)."""
        return self.readout(self.features(tokens))

    def as_policy_start(self, length: int) -> SequenceModel:
        """A copy to be tuned on sequences of `length`: the same distribution, free to move."""
        del length
        return self

    def with_zero_readout(self) -> SequenceModel:
        """The same body, with logits that are all zero."""
        raise NotImplementedError(f"{type(self).__name__} cannot start from zero logits")
