"""The network that temporal-difference methods train: logits and a value of the state."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from seqtutor.models.base import SequenceModel


class ValuedLogits(eqx.Module):
    """What the network says of a state: logits over tokens and one scalar."""

    logits: Float[Array, "*shape vocab"]
    value: Float[Array, "*shape"]


class ActionValueNetwork(eqx.Module):
    """A sequence model with a second, scalar readout.

    Action values of −100 and of 200 meet in one task. The scalar carries their common level,
    multiplied by `value_scale`, so that the level is learned quickly and does not pass through
    the logits, which are the policy.

    Of the scalar's gradient the share `body_share` goes on into the sequence model. Where returns
    are noisy, as with a reward paid once at the end of a long string, fitting them moves the body
    the two readouts have in common, and with it the policy, at random; at 0 only the scalar's own
    weights learn it.
    """

    model: SequenceModel
    value_weight: Float[Array, " features"]
    value_bias: Float[Array, ""]
    value_scale: float = eqx.field(static=True)
    body_share: float = eqx.field(static=True)

    def __init__(self, model: SequenceModel, value_scale: float, body_share: float = 1.0) -> None:
        """Start the value at zero in every state."""
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
