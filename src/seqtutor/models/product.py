"""A policy that is the prior times a learned factor."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int

from seqtutor.models.base import SequenceModel


class ProductModel(SequenceModel):
    """π(a|s) ∝ p(a|s)·exp(z(s, a)): the logits of the prior plus those of a network.

    G-learning's policy has this form (Jaques et al. 2017, eq. 15).
    """

    kind: ClassVar[str] = "product"

    prior: SequenceModel
    factor: SequenceModel
    vocabulary_size: int = eqx.field(static=True)
    feature_size: int = eqx.field(static=True)

    def __init__(self, prior: SequenceModel, factor: SequenceModel) -> None:
        """Multiply two models over the same vocabulary."""
        self.prior = prior
        self.factor = factor
        self.vocabulary_size = prior.vocabulary_size
        self.feature_size = prior.vocabulary_size

    def as_policy_start(self, length: int) -> ProductModel:
        """The same distribution, with a factor that is free to move."""
        return ProductModel(self.prior, self.factor.as_policy_start(length))

    def with_zero_readout(self) -> SequenceModel:
        """The factor's body, with logits that are all zero."""
        return self.factor.with_zero_readout()

    def initial_state(self, batch: int) -> tuple[Any, Any]:
        """The states of both models."""
        return self.prior.initial_state(batch), self.factor.initial_state(batch)

    def advance(
        self, state: tuple[Any, Any], tokens: Int[Array, " batch"]
    ) -> tuple[tuple[Any, Any], Float[Array, "batch vocab"]]:
        """Read one token of each sequence; the features are the sum of the logits."""
        prior_state, prior_logits = self.prior.step(state[0], tokens)
        factor_state, factor_logits = self.factor.step(state[1], tokens)
        return (prior_state, factor_state), jax.nn.log_softmax(prior_logits) + factor_logits

    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time vocab"]:
        """The sum of the logits at every step."""
        return jax.nn.log_softmax(self.prior.unroll(tokens)) + self.factor.unroll(tokens)

    def readout(self, features: Float[Array, "*shape vocab"]) -> Float[Array, "*shape vocab"]:
        """The features are the logits already."""
        return features
