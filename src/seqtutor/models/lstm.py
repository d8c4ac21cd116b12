"""The LSTM sequence model: the papers' Note RNN and its larger relatives."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.models.base import SequenceModel, shift_right
from seqtutor.models.lstm_settings import LSTMSettings
from seqtutor.models.recurrence import LSTMState, lstm_cell, lstm_unroll
from seqtutor.models.settings import ModelSettings


@dataclass(frozen=True)
class StackState:
    """State of every layer, and the number of tokens that have been read."""

    layers: tuple[LSTMState, ...]
    position: Int[Array, ""]


jax.tree_util.register_dataclass(StackState, ["layers", "position"], [])


class LSTMLayer(eqx.Module):
    """Weights of one layer; their columns are the input, forget and output gates and candidate."""

    recurrent: Float[Array, "hidden gates"]
    bias: Float[Array, " gates"]

    @property
    def hidden_size(self) -> int:
        """Cells in the layer."""
        return self.recurrent.shape[0]


class LSTM(SequenceModel):
    """Token → LSTM layers → logits.

    The product of a one-hot token with the input weights of the first layer is a row of
    `token_rows`. With an `embedding` it is the token's embedding times `token_rows`, which then has
    a row per component of the embedding, so that tokens with similar embeddings share what is
    learned. `position_rows`, if present, adds a row per position to the input of the first layer: a
    policy that is rewarded for what happens on a certain beat must know its position. Rows of zeros
    leave the distribution as it was.
    """

    kind: ClassVar[str] = "lstm"
    Settings: ClassVar[type[ModelSettings]] = LSTMSettings

    embedding: Float[Array, "tokens inputs"] | None
    token_rows: Float[Array, "inputs gates"]
    position_rows: Float[Array, "positions gates"] | None
    between_layers: tuple[Float[Array, "hidden gates"], ...]
    layers: tuple[LSTMLayer, ...]
    readout_weight: Float[Array, "hidden vocab"]
    readout_bias: Float[Array, " vocab"]

    def __init__(
        self,
        vocabulary_size: int,
        hidden_sizes: tuple[int, ...] = (100,),
        *,
        positions: int = 0,
        embedding_size: int = 0,
        token_bound: float | None = None,
        key: PRNGKeyArray,
    ) -> None:
        """Draw weights uniformly within ±1/√hidden, with forget biases of one.

        Args:
            vocabulary_size: number of tokens.
            hidden_sizes: cells in each layer.
            positions: number of position rows, zero for none.
            embedding_size: size of the embedding, zero for none.
            token_bound: the weights of each token are drawn within ± this. The default is 1/√hidden
                for `token_rows`; at 1 they have the standard deviation of a unit normal embedding
                as wide as the layer, times input weights within ±1/√hidden. The default for an
                embedding is 1; its input weights are drawn within ±1/√size.
            key: PRNG key of the weights.
        """
        keys = iter(jax.random.split(key, 2 * len(hidden_sizes) + 2))

        def within(bound: float, shape: tuple[int, ...]) -> jax.Array:
            return jax.random.uniform(next(keys), shape, minval=-bound, maxval=bound)

        def uniform(shape: tuple[int, ...], fan: int) -> jax.Array:
            return within(fan**-0.5, shape)

        first = hidden_sizes[0]
        tokens = vocabulary_size + 1
        if embedding_size:
            self.token_rows = uniform((embedding_size, 4 * first), embedding_size)
        else:
            self.token_rows = within(token_bound or first**-0.5, (tokens, 4 * first))
        self.position_rows = jnp.zeros((positions, 4 * first)) if positions else None
        self.layers = tuple(
            LSTMLayer(
                uniform((size, 4 * size), size),
                jnp.zeros(4 * size).at[size : 2 * size].set(1.0),
            )
            for size in hidden_sizes
        )
        self.between_layers = tuple(
            uniform((below, 4 * above), above) for below, above in pairwise(hidden_sizes)
        )
        last = hidden_sizes[-1]
        self.readout_weight = uniform((last, vocabulary_size), last)
        self.readout_bias = jnp.zeros(vocabulary_size)
        shape = (tokens, embedding_size)
        self.embedding = within(token_bound or 1.0, shape) if embedding_size else None
        self.vocabulary_size = vocabulary_size
        self.feature_size = last

    @classmethod
    def create(cls, vocabulary_size: int, settings: ModelSettings, key: PRNGKeyArray) -> LSTM:
        """A new model with random weights and no position rows."""
        assert isinstance(settings, LSTMSettings)
        return cls(
            vocabulary_size,
            settings.hidden_sizes,
            embedding_size=settings.embedding_size,
            token_bound=settings.token_bound,
            key=key,
        )

    @property
    def embedding_size(self) -> int:
        """Size of the embedding of a token, zero where there is none."""
        return 0 if self.embedding is None else self.embedding.shape[1]

    @property
    def settings(self) -> LSTMSettings:
        """The sizes; the weights do not tell how they were drawn."""
        return LSTMSettings(tuple(layer.hidden_size for layer in self.layers), self.embedding_size)

    @property
    def config(self) -> dict[str, Any]:
        """What `from_config` rebuilds the shapes of the weights from."""
        return {
            "vocabulary_size": self.vocabulary_size,
            "positions": 0 if self.position_rows is None else self.position_rows.shape[0],
            **self.settings.sizes,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LSTM:
        """A model of these sizes; the caller fills in the weights.

        Raises:
            ValueError, KeyError, TypeError, UserError: if a size is not usable.
        """
        sizes = {**config}
        positions = sizes.pop("positions")
        if type(positions) is not int or positions < 0:
            raise ValueError(f"an LSTM cannot have {positions!r} position rows")
        model = super().from_config(sizes)
        assert isinstance(model, LSTM)
        rows = jnp.zeros((positions, model.token_rows.shape[1])) if positions else None
        return eqx.tree_at(lambda m: m.position_rows, model, rows, is_leaf=lambda x: x is None)

    def as_policy_start(self, length: int) -> LSTM:
        """The same distribution, with a trainable position row for each of `length` steps.

        New rows are zero, or copies of the last row if there are some already.
        """
        if self.position_rows is None:
            rows = jnp.zeros((length, self.token_rows.shape[1]), self.token_rows.dtype)
        elif self.position_rows.shape[0] < length:
            missing = length - self.position_rows.shape[0]
            rows = jnp.pad(self.position_rows, ((0, missing), (0, 0)), mode="edge")
        else:
            return self
        return eqx.tree_at(lambda m: m.position_rows, self, rows, is_leaf=lambda leaf: leaf is None)

    def with_zero_readout(self) -> LSTM:
        """The same body, with a readout of zeros."""
        return eqx.tree_at(
            lambda m: (m.readout_weight, m.readout_bias),
            self,
            (jnp.zeros_like(self.readout_weight), jnp.zeros_like(self.readout_bias)),
        )

    def initial_state(self, batch: int, length: int) -> StackState:
        """Zeros in every layer, position zero; the length does not matter."""
        del length
        layers = []
        for layer in self.layers:
            zeros = jnp.zeros((batch, layer.hidden_size), layer.recurrent.dtype)
            layers.append(LSTMState(zeros, zeros))
        return StackState(tuple(layers), jnp.zeros((), jnp.int32))

    def advance(
        self,
        state: StackState,
        tokens: Int[Array, " batch"],
        added: Float[Array, "batch gates"] | None = None,
    ) -> tuple[StackState, Float[Array, "batch features"]]:
        """Read one token of each sequence; from the last position row on, that row is used.

        What is `added` to the input of the first layer comes from a model that this one is part of.
        """
        projected = self._input_of(tokens)
        if added is not None:
            projected = projected + added
        if self.position_rows is not None:
            last = self.position_rows.shape[0] - 1
            projected = projected + self.position_rows[jnp.minimum(state.position, last)]
        states: list[LSTMState] = []
        for index, (layer, layer_state) in enumerate(zip(self.layers, state.layers, strict=True)):
            if index:
                projected = states[-1].hidden @ self.between_layers[index - 1] + layer.bias
            states.append(lstm_cell(layer_state, projected, layer.recurrent))
        return StackState(tuple(states), state.position + 1), states[-1].hidden

    def features(
        self,
        tokens: Int[Array, "batch time"],
        added: Float[Array, "batch time gates"] | None = None,
    ) -> Float[Array, "batch time features"]:
        """Hidden outputs of the last layer at every step; for `added` see `advance`."""
        inputs = shift_right(tokens, self.begin).T
        projected = self._input_of(inputs)
        if added is not None:
            projected = projected + added.swapaxes(0, 1)
        if self.position_rows is not None:
            steps = jnp.minimum(jnp.arange(tokens.shape[1]), self.position_rows.shape[0] - 1)
            projected = projected + self.position_rows[steps][:, None]
        hidden = lstm_unroll(projected, self.layers[0].recurrent)
        for between, layer in zip(self.between_layers, self.layers[1:], strict=True):
            hidden = lstm_unroll(hidden @ between + layer.bias, layer.recurrent)
        return hidden.swapaxes(0, 1)

    def _input_of(self, tokens: Int[Array, "*shape"]) -> Float[Array, "*shape gates"]:
        """Input of the first layer, without that of the position."""
        if self.embedding is None:
            rows = self.token_rows[tokens]
        else:
            rows = self.embedding[tokens] @ self.token_rows
        return rows + self.layers[0].bias

    def readout(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape vocab"]:
        """Logits over the next token."""
        return features @ self.readout_weight + self.readout_bias

    @property
    def matrices(self) -> list[Float[Array, "inner columns"]]:
        """All but those from which tokens and positions choose rows."""
        embedded = [] if self.embedding is None else [self.token_rows]
        recurrent = [layer.recurrent for layer in self.layers]
        return [*recurrent, *self.between_layers, *embedded, self.readout_weight]
