from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.models.recurrence import LSTMState, lstm_cell, lstm_unroll, split_gates


def plain_unroll(projected, recurrent):
    """A scan of `lstm_cell`, which JAX differentiates by itself."""
    zeros = jnp.zeros((projected.shape[1], recurrent.shape[0]), projected.dtype)

    def step(state, inputs):
        state = lstm_cell(state, inputs, recurrent)
        return state, state.hidden

    return jax.lax.scan(step, LSTMState(zeros, zeros), projected)[1]


def inputs(time, batch, hidden, dtype, scale):
    rng = np.random.default_rng(time * 100 + batch)
    projected = scale * rng.normal(size=(time, batch, 4 * hidden))
    recurrent = rng.normal(size=(hidden, 4 * hidden))
    weights = rng.normal(size=(time, batch, hidden))
    return (jnp.asarray(array, dtype) for array in (projected, recurrent, weights))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-10)])
@pytest.mark.parametrize(("time", "batch", "hidden", "scale"), [(6, 3, 4, 1.0), (3, 1, 1, 30.0)])
def test_the_backward_pass_is_the_gradient(dtype, tolerance, time, batch, hidden, scale):
    with jax.enable_x64(dtype == "float64"):
        projected, recurrent, weights = inputs(time, batch, hidden, dtype, scale)

        def through(unroll):
            return jax.jit(
                jax.value_and_grad(lambda p, r: jnp.sum(weights * jnp.sin(unroll(p, r))), (0, 1))
            )(projected, recurrent)

        (value, gradients), (expected, expected_gradients) = map(
            through, (lstm_unroll, plain_unroll)
        )
        assert gradients[0].dtype == dtype
        np.testing.assert_allclose(value, expected, atol=tolerance, rtol=tolerance)
        for found, wanted in zip(gradients, expected_gradients, strict=True):
            np.testing.assert_allclose(found, wanted, atol=tolerance, rtol=tolerance)


def test_gates_are_the_logistic_function_and_the_hyperbolic_tangent():
    gates = jnp.linspace(-40, 40, 24).reshape(2, 12)
    found = split_gates(gates)
    for gate, part in zip(found[:3], jnp.split(gates, 4, axis=1)[:3], strict=True):
        np.testing.assert_allclose(gate, jax.nn.sigmoid(part), atol=1e-6)
    np.testing.assert_allclose(found[3], jnp.tanh(gates[:, 9:]), atol=1e-6)


def test_one_step_of_one_cell_by_hand():
    """Input, forget and output gate and candidate in this order, with σ(0) = ½."""
    projected = jnp.array([[0.0, np.log(3.0), 0.0, np.arctanh(0.5)]])
    state = lstm_cell(LSTMState(jnp.zeros((1, 1)), jnp.array([[2.0]])), projected, jnp.ones((1, 4)))
    cell = 0.75 * 2.0 + 0.5 * 0.5
    np.testing.assert_allclose(state.cell, [[cell]], rtol=1e-6)
    np.testing.assert_allclose(state.hidden, [[0.5 * np.tanh(cell)]], rtol=1e-6)
