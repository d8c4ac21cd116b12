"""A policy that is a prior times a learned factor."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
from jaxtyping import Array, Float, Int

from seqtutor.models.base import SequenceModel


class ProductModel(SequenceModel):
    """π(a|s) ∝ p(a|s)·exp(z(s, a)): log-probabilities of the prior plus logits of a network.

    The policy of G-learning has this form (Jaques et al. 2017, eq. 15). Both models have the same
    vocabulary. The features of the product are its logits.
    """

    kind: ClassVar[str] = "product"

    prior: SequenceModel
    factor: SequenceModel

    def __init__(self, prior: SequenceModel, factor: SequenceModel) -> None:
        """Multiply two models."""
        self.prior = prior
        self.factor = factor
        self.vocabulary_size = prior.vocabulary_size
        self.feature_size = prior.vocabulary_size

    @property
    def config(self) -> dict[str, Any]:
        """Both models."""
        return {"prior": self.prior, "factor": self.factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ProductModel:
        """The product of two models."""
        return cls(config["prior"], config["factor"])

    def as_policy_start(self, length: int) -> ProductModel:
        """The same distribution; only the factor is made ready for tuning."""
        return ProductModel(self.prior, self.factor.as_policy_start(length))

    def with_zero_readout(self) -> SequenceModel:
        """The body of the factor, with a readout of zeros."""
        return self.factor.with_zero_readout()

    def initial_state(self, batch: int, length: int) -> tuple[Any, Any]:
        """The states of both models."""
        return self.prior.initial_state(batch, length), self.factor.initial_state(batch, length)

    def advance(
        self, state: tuple[Any, Any], tokens: Int[Array, " batch"]
    ) -> tuple[tuple[Any, Any], Float[Array, "batch vocab"]]:
        """Read one token of each sequence."""
        prior_state, prior_logits = self.prior.step(state[0], tokens)
        factor_state, factor_logits = self.factor.step(state[1], tokens)
        return (prior_state, factor_state), jax.nn.log_softmax(prior_logits) + factor_logits

    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time vocab"]:
        """Logits of the product."""
        return jax.nn.log_softmax(self.prior.unroll(tokens)) + self.factor.unroll(tokens)

    def readout(self, features: Float[Array, "*shape vocab"]) -> Float[Array, "*shape vocab"]:
        """The features, which are logits already."""
        return features

    @property
    def matrices(self) -> list[Float[Array, "inner columns"]]:
        """Those of both models."""
        return [*self.prior.matrices, *self.factor.matrices]
