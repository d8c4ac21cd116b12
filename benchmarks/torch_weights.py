"""The weights of the package's LSTM of one layer, as those of PyTorch's, and back.

Both order the gates as input, forget, candidate or output.
"""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor

from seqtutor.models.lstm import LSTM, LSTMLayer

CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _order(size: int) -> np.ndarray:
    return np.r_[0 : 2 * size, 3 * size : 4 * size, 2 * size : 3 * size]


def to_torch(model: LSTM) -> dict[str, Tensor]:
    """`CELL`, and `weight` and `bias` of the readout."""
    layer = model.layers[0]
    order = _order(layer.hidden_size)
    parts = {
        "weight_ih": np.asarray(model.token_rows).T[order],
        "weight_hh": np.asarray(layer.recurrent).T[order],
        "bias_ih": np.asarray(layer.bias)[order],
        "bias_hh": np.zeros(4 * layer.hidden_size, np.float32),
        "weight": np.asarray(model.readout_weight).T,
        "bias": np.asarray(model.readout_bias),
    }
    return {name: torch.tensor(part) for name, part in parts.items()}


def from_torch(model: LSTM, weights: Mapping[str, Tensor]) -> LSTM:
    """A model of this one's sizes with the weights that `to_torch` names."""
    order = np.argsort(_order(model.layers[0].hidden_size))
    parts = {name: one.detach().numpy() for name, one in weights.items()}
    layer = LSTMLayer(
        jnp.asarray(parts["weight_hh"][order].T),
        jnp.asarray((parts["bias_ih"] + parts["bias_hh"])[order]),
    )
    return eqx.tree_at(
        lambda m: (m.token_rows, m.layers, m.readout_weight, m.readout_bias),
        model,
        (
            jnp.asarray(parts["weight_ih"][order].T),
            (layer,),
            jnp.asarray(parts["weight"].T),
            jnp.asarray(parts["bias"]),
        ),
    )
