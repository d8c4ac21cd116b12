"""Networks whose inputs are the state of a task's reward.

Some rewards are computed by a small state machine that reads a sequence token by token. A recurrent
network has to learn that state, which takes most of its training. A network that is given the state
has no recurrence to learn: it is a perceptron whose inputs are numbers that describe the state and
the reward of each next token. That reward is also added to the logit of the token, with a gain.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.models.base import SequenceModel

Activation = Literal["relu", "silu"]
_ACTIVATIONS: dict[Activation, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
}

LEAST_EARNED = -10.0
"""What a next token would earn, in units, is no less to the network: more of it says no more."""


class InformedModel(SequenceModel):
    """A perceptron of a state that its class knows how to follow.

    A kind defines `kind`, `config` and `from_config`, and three functions of one sequence, of which
    `jax.vmap` makes functions of many: `initial_reward_state`, `next_reward_state` and `describe`.
    Its logits are zero at first.

    Attributes:
        weights, biases: of the hidden layers.
        gain: of what each next token would earn, in its logit.
        readout_weight, readout_bias: of the last hidden layer.
        unit: what is earned is divided by it.
        activation: of the hidden layers. A smooth one comes nearer to soft values, which are smooth
            in the numbers of a state.
    """

    weights: tuple[Float[Array, "inputs outputs"], ...]
    biases: tuple[Float[Array, " outputs"], ...]
    gain: Float[Array, " vocab"]
    readout_weight: Float[Array, "hidden vocab"]
    readout_bias: Float[Array, " vocab"]
    unit: float = eqx.field(static=True)
    activation: Activation = eqx.field(static=True)

    def draw(
        self,
        vocabulary_size: int,
        inputs: int,
        hidden_sizes: tuple[int, ...],
        unit: float,
        key: PRNGKeyArray,
        activation: Activation = "silu",
    ) -> None:
        """Set all fields; hidden layers as He et al. (2015) draw them, with biases of zero."""
        self.vocabulary_size, self.unit, self.activation = vocabulary_size, unit, activation
        sizes = [inputs + vocabulary_size, *hidden_sizes]
        keys = jax.random.split(key, len(hidden_sizes))
        self.weights = tuple(
            (2 / below) ** 0.5 * jax.random.normal(one, (below, above))
            for one, below, above in zip(keys, sizes[:-1], sizes[1:], strict=True)
        )
        self.biases = tuple(map(jnp.zeros, hidden_sizes))
        self.readout_weight = jnp.zeros((sizes[-1], vocabulary_size))
        self.gain = self.readout_bias = jnp.zeros(vocabulary_size)
        self.feature_size = sizes[-1] + vocabulary_size

    @abstractmethod
    def initial_reward_state(self) -> Any:
        """The state before the first token of a sequence."""

    @abstractmethod
    def next_reward_state(self, state: Any, token: Int[Array, ""]) -> Any:
        """The state after one more token."""

    @abstractmethod
    def describe(self, state: Any) -> tuple[Float[Array, " inputs"], Float[Array, " vocab"]]:
        """Numbers that describe a state, near one each, and what each next token would earn."""

    def as_policy_start(self, length: int) -> SequenceModel:
        """The model itself, which knows positions."""
        del length
        return self

    def with_zero_readout(self) -> SequenceModel:
        """The same body with a readout of zeros."""
        zeros = (jnp.zeros_like(self.gain), jnp.zeros_like(self.readout_weight))
        return eqx.tree_at(
            lambda m: (m.gain, m.readout_weight, m.readout_bias), self, (*zeros, zeros[0])
        )

    def initial_state(self, batch: int, length: int) -> tuple[Any, Int[Array, ""]]:
        """The states before the first token; whether the begin token has been read."""
        del length
        return self._initial_reward_states(batch), jnp.zeros((), bool)

    def advance(self, state: Any, tokens: Int[Array, " batch"]) -> tuple[Any, Array]:
        """Read one token of each sequence; the first one, the begin token, adds nothing."""
        before, has_begun = state
        after = jax.vmap(self.next_reward_state)(before, tokens)
        now = jax.tree.map(lambda old, new: jnp.where(has_begun, new, old), before, after)
        return (now, jnp.ones((), bool)), self._body(*jax.vmap(self.describe)(now))

    def features(self, tokens: Int[Array, "batch time"]) -> Float[Array, "batch time features"]:
        """The states one after the other, and then all steps at once."""

        def one(state: Any, token: Int[Array, " batch"]) -> tuple[Any, Any]:
            return jax.vmap(self.next_reward_state)(state, token), state

        _, states = jax.lax.scan(one, self._initial_reward_states(len(tokens)), tokens.T)
        states = jax.tree.map(lambda array: array.swapaxes(0, 1), states)
        return self._body(*jax.vmap(jax.vmap(self.describe))(states))

    def _initial_reward_states(self, batch: int) -> Any:
        return jax.tree.map(
            lambda one: jnp.broadcast_to(one, (batch, *one.shape)), self.initial_reward_state()
        )

    def _body(
        self, inputs: Float[Array, "*shape inputs"], earned: Float[Array, "*shape vocab"]
    ) -> Float[Array, "*shape features"]:
        earned = jnp.maximum(earned / self.unit, LEAST_EARNED)
        hidden = jnp.concatenate([inputs, earned], axis=-1)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = _ACTIVATIONS[self.activation](hidden @ weight + bias)
        return jnp.concatenate([hidden, earned], axis=-1)

    def readout(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape vocab"]:
        """What the hidden layer says, and what each token would earn times its gain."""
        hidden, earned = jnp.split(features, [len(self.readout_weight)], axis=-1)
        return hidden @ self.readout_weight + self.readout_bias + self.gain * earned
