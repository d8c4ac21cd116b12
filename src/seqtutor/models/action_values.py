"""The network that temporal-difference methods train: logits and a value of the state."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from seqtutor.models.base import SequenceModel


class ValuedLogits(eqx.Module):
    """Outputs of the network in a state: logits over tokens and one scalar."""

    logits: Float[Array, "*shape vocab"]
    value: Float[Array, "*shape"]


class ActionValueNetwork(eqx.Module):
    """A sequence model with a second, scalar readout.

    Action values of one task range from −100 to 200. The scalar, multiplied by `value_scale`,
    represents their common level, so that the level is learned quickly and without moving the
    logits, which define the policy.

    `body_share` is the share of the gradient of the scalar that reaches the sequence model. Fitting
    noisy returns, as of a reward that is paid once at the end of a long string, moves the body that
    both readouts share, and with it the policy, at random. At 0 only the weights of the scalar
    learn from it.
    """

    model: SequenceModel
    value_weight: Float[Array, " features"]
    value_bias: Float[Array, ""]
    value_scale: float = eqx.field(static=True)
    body_share: float = eqx.field(static=True)

    def __init__(self, model: SequenceModel, value_scale: float, body_share: float = 1.0) -> None:
        """Add a scalar readout that is zero in every state."""
        self.model = model
        self.value_weight = jnp.zeros(model.feature_size)
        self.value_bias = jnp.zeros(())
        self.value_scale = value_scale
        self.body_share = body_share

    def _read(self, features: Float[Array, "*shape features"]) -> ValuedLogits:
        fixed = jax.lax.stop_gradient(features)
        shared = fixed + self.body_share * (features - fixed)
        value = shared @ self.value_weight + self.value_bias
        return ValuedLogits(self.model.readout(features), self.value_scale * value)

    def step(self, state: Any, tokens: Int[Array, " batch"]) -> tuple[Any, ValuedLogits]:
        """Read one token of each sequence."""
        state, features = self.model.advance(state, tokens)
        return state, self._read(features)

    def unroll(self, tokens: Int[Array, "batch time"]) -> ValuedLogits:
        """Logits and values before every token."""
        return self._read(self.model.features(tokens))
