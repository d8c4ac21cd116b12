"""Gated recurrent units (Cho et al. 2014): a smaller recurrence than the LSTM's.

    z_t = σ(x_t·W_z + h_{t−1}·U_z)                          update gate
    r_t = σ(x_t·W_r + h_{t−1}·U_r)                          reset gate
    n_t = tanh(x_t·W_n + r_t ∘ (h_{t−1}·U_n))               candidate
    h_t = (1 − z_t) ∘ n_t + z_t ∘ h_{t−1}

The reset gate is applied after the product with U_n, as cuDNN does, so that one product of h_{t−1}
serves all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.models.base import SequenceModel
from seqtutor.models.settings import ModelSettings
from seqtutor.settings import require

State = tuple[Float[Array, "batch hidden"], ...]
"""The hidden output of every layer."""


@dataclass(frozen=True)
class GRUSettings(ModelSettings):
    """Settings of a GRU."""

    hidden_sizes: tuple[int, ...] = (100,)
    """Units in each layer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            len(self.hidden_sizes) > 0 and min(self.hidden_sizes) > 0,
            "hidden_sizes needs at least one layer, each of at least one unit",
        )


class GRULayer(eqx.Module):
    """Weights of one layer; the columns are those of z, r and n."""

    inputs: Float[Array, "inputs gates"]
    recurrent: Float[Array, "hidden gates"]
    bias: Float[Array, " gates"]


class GRU(SequenceModel):
    """Token → GRU layers → logits. The input of the first layer is the row of a token."""

    kind: ClassVar[str] = "gru"
    Settings: ClassVar[type[ModelSettings]] = GRUSettings

    layers: tuple[GRULayer, ...]
    readout_weight: Float[Array, "hidden vocab"]
    readout_bias: Float[Array, " vocab"]
    settings: GRUSettings = eqx.field(static=True)

    def __init__(self, vocabulary_size: int, settings: GRUSettings, key: PRNGKeyArray) -> None:
        """Draw weights uniformly within ±1/√hidden."""
        sizes = settings.hidden_sizes
        keys = iter(jax.random.split(key, 2 * len(sizes) + 1))

        def uniform(rows: int, columns: int, hidden: int) -> Float[Array, "rows columns"]:
            bound = hidden**-0.5
            return jax.random.uniform(next(keys), (rows, columns), minval=-bound, maxval=bound)

        # The first layer reads a token, or the begin id, as a row of its input weights.
        self.layers = tuple(
            GRULayer(
                uniform(below, 3 * size, size), uniform(size, 3 * size, size), jnp.zeros(3 * size)
            )
            for below, size in pairwise((vocabulary_size + 1, *sizes))
        )
        self.readout_weight = uniform(sizes[-1], vocabulary_size, sizes[-1])
        self.readout_bias = jnp.zeros(vocabulary_size)
        self.settings = settings
        self.vocabulary_size = vocabulary_size
        self.feature_size = sizes[-1]

    def initial_state(self, batch: int, length: int) -> State:
        """Zeros in every layer."""
        return tuple(jnp.zeros((batch, size)) for size in self.settings.hidden_sizes)

    def advance(
        self, state: State, tokens: Int[Array, " batch"]
    ) -> tuple[State, Float[Array, "batch features"]]:
        """Read one token of each sequence; the features are the last layer's output."""
        projected = self.layers[0].inputs[tokens]
        new: list[Float[Array, "batch hidden"]] = []
        for layer, hidden in zip(self.layers, state, strict=True):
            if new:
                projected = new[-1] @ layer.inputs
            new.append(gru_cell(hidden, projected + layer.bias, layer.recurrent))
        return tuple(new), new[-1]

    def readout(self, features: Float[Array, "*shape features"]) -> Float[Array, "*shape vocab"]:
        """Logits over the next token."""
        return features @ self.readout_weight + self.readout_bias


def gru_cell(
    hidden: Float[Array, "batch hidden"],
    projected_input: Float[Array, "batch gates"],
    recurrent: Float[Array, "hidden gates"],
) -> Float[Array, "batch hidden"]:
    """One step of the recurrence."""
    update_input, reset_input, candidate_input = jnp.split(projected_input, 3, axis=-1)
    update_state, reset_state, candidate_state = jnp.split(hidden @ recurrent, 3, axis=-1)
    update = jax.nn.sigmoid(update_input + update_state)
    reset = jax.nn.sigmoid(reset_input + reset_state)
    candidate = jnp.tanh(candidate_input + reset * candidate_state)
    return (1.0 - update) * candidate + update * hidden
