"""The LSTM recurrence, with a backward pass that computes the weight gradient in one product.

Differentiating a scan adds a product h^T·dgates to the weight gradient at every time step. Here the
backward scan computes only the gradients of the gates, and one product over all steps follows. On
a CPU this makes a whole update 1.3 to 2 times faster (see benchmarks/).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class LSTMState(NamedTuple):
    """Hidden output and memory cell of one layer."""

    hidden: Float[Array, "batch hidden"]
    cell: Float[Array, "batch hidden"]


def split_gates(gates: Float[Array, "*shape gates"]) -> tuple[jax.Array, ...]:
    """Input, forget and output gate, each in (0, 1), and the candidate, in (−1, 1).

    One vectorised tanh computes all four, since σ(x) = ½ + ½·tanh(x/2).
    """
    size = gates.shape[-1] // 4
    squashed = jnp.tanh(gates * jnp.repeat(jnp.array([0.5, 0.5, 0.5, 1.0], gates.dtype), size))
    sigmoids = 0.5 + 0.5 * squashed[..., : 3 * size]
    return (
        sigmoids[..., :size],
        sigmoids[..., size : 2 * size],
        sigmoids[..., 2 * size :],
        squashed[..., 3 * size :],
    )


def lstm_cell(
    state: LSTMState,
    projected_input: Float[Array, "batch gates"],
    recurrent: Float[Array, "hidden gates"],
) -> LSTMState:
    """One step of an LSTM (Hochreiter & Schmidhuber 1997, with forget gates, Gers et al. 2000)."""
    gates = projected_input + state.hidden @ recurrent
    write, keep, show, candidate = split_gates(gates)
    cell = keep * state.cell + write * candidate
    return LSTMState(show * jnp.tanh(cell), cell)


@jax.custom_vjp
def lstm_unroll(
    projected_inputs: Float[Array, "time batch gates"], recurrent: Float[Array, "hidden gates"]
) -> Float[Array, "time batch hidden"]:
    """Hidden outputs of a layer that starts from zeros, time first."""
    return _forward(projected_inputs, recurrent)[0]


def _forward(
    projected_inputs: jax.Array, recurrent: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    def step(state: LSTMState, projected: jax.Array) -> tuple[LSTMState, tuple[jax.Array, ...]]:
        gates = projected + state.hidden @ recurrent
        write, keep, show, candidate = split_gates(gates)
        cell = keep * state.cell + write * candidate
        hidden = show * jnp.tanh(cell)
        return LSTMState(hidden, cell), (hidden, cell, gates)

    zeros = jnp.zeros((projected_inputs.shape[1], recurrent.shape[0]), projected_inputs.dtype)
    _, (hidden, cells, gates) = jax.lax.scan(step, LSTMState(zeros, zeros), projected_inputs)
    return hidden, cells, gates


def _unroll_forward(
    projected_inputs: jax.Array, recurrent: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    hidden, cells, gates = _forward(projected_inputs, recurrent)
    return hidden, (hidden, cells, gates, recurrent)


def _unroll_backward(
    residuals: tuple[jax.Array, ...], output_gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    hidden, cells, gates, recurrent = residuals
    recurrent_transposed = recurrent.T
    zeros = jnp.zeros_like(cells[0])
    previous_cells = jnp.concatenate([zeros[None], cells[:-1]])

    def step(
        carry: LSTMState, at: tuple[jax.Array, jax.Array, jax.Array, jax.Array]
    ) -> tuple[LSTMState, jax.Array]:
        gradient, cell, previous_cell, gate = at
        write, keep, show, candidate = split_gates(gate)
        squashed_cell = jnp.tanh(cell)
        d_hidden = gradient + carry.hidden
        d_cell = carry.cell + d_hidden * show * (1 - squashed_cell**2)
        d_gates = jnp.concatenate(
            [
                d_cell * candidate * write * (1 - write),
                d_cell * previous_cell * keep * (1 - keep),
                d_hidden * squashed_cell * show * (1 - show),
                d_cell * write * (1 - candidate**2),
            ],
            axis=-1,
        )
        return LSTMState(d_gates @ recurrent_transposed, d_cell * keep), d_gates

    _, d_gates = jax.lax.scan(
        step,
        LSTMState(zeros, zeros),
        (output_gradient, cells, previous_cells, gates),
        reverse=True,
    )
    # The axes are not merged into one: a batch that is split among devices would have to be
    # gathered for that.
    d_recurrent = jnp.einsum("tbh,tbg->hg", hidden[:-1], d_gates[1:])
    return d_gates, d_recurrent


lstm_unroll.defvjp(_unroll_forward, _unroll_backward)
