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

    `is_residual` says that the model has only what a policy adds to the log-probabilities of the
    prior: they are added to its logits, and whoever reads the network has to give them.
    """

    model: SequenceModel
    value_weight: Float[Array, " features"]
    value_bias: Float[Array, ""]
    value_scale: float = eqx.field(static=True)
    body_share: float = eqx.field(static=True)
    is_residual: bool = eqx.field(static=True)

    def __init__(
        self,
        model: SequenceModel,
        value_scale: float,
        body_share: float = 1.0,
        *,
        is_residual: bool = False,
    ) -> None:
        """Add a scalar readout that is zero in every state."""
        self.model = model
        self.value_weight = jnp.zeros(model.feature_size)
        self.value_bias = jnp.zeros(())
        self.value_scale = value_scale
        self.body_share = body_share
        self.is_residual = is_residual

    def _read(
        self,
        features: Float[Array, "*shape features"],
        log_prior: Float[Array, "*shape vocab"] | None,
    ) -> ValuedLogits:
        fixed = jax.lax.stop_gradient(features)
        shared = fixed + self.body_share * (features - fixed)
        value = shared @ self.value_weight + self.value_bias
        logits = self.model.readout(features)
        if self.is_residual:
            assert log_prior is not None
            logits = logits + log_prior
        return ValuedLogits(logits, self.value_scale * value)

    def step(
        self,
        state: Any,
        tokens: Int[Array, " batch"],
        log_prior: Float[Array, "batch vocab"] | None = None,
    ) -> tuple[Any, ValuedLogits]:
        """Read one token of each sequence; `log_prior` is log p of what comes next."""
        state, features = self.model.advance(state, tokens)
        return state, self._read(features, log_prior)

    def unroll(
        self,
        tokens: Int[Array, "batch time"],
        log_prior: Float[Array, "batch time vocab"] | None = None,
    ) -> ValuedLogits:
        """Logits and values before every token; `log_prior` is log p of the whole vocabulary."""
        return self._read(self.model.features(tokens), log_prior)
