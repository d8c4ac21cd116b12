"""The GRU against its equations in NumPy, and from a prior to a tuned policy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqtutor as st
from seqtutor.models.consistency import require_consistent
from seqtutor.models.gru import GRU, GRUSettings
from tiny_problems import identical


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def by_hand(model, tokens):
    """Logits before each token, one sequence at a time, by the equations of the module."""
    logits = []
    for row in np.asarray(tokens):
        states = [np.zeros(size) for size in model.settings.hidden_sizes]
        for token in [model.begin, *row[:-1]]:
            x = np.eye(model.vocabulary_size + 1)[token]
            for index, layer in enumerate(model.layers):
                w, u, b = (
                    np.asarray(a, float) for a in (layer.inputs, layer.recurrent, layer.bias)
                )
                (wz, wr, wn), (uz, ur, un) = np.split(w, 3, 1), np.split(u, 3, 1)
                bz, br, bn = np.split(b, 3)
                h = states[index]
                z, r = sigmoid(x @ wz + bz + h @ uz), sigmoid(x @ wr + br + h @ ur)
                states[index] = x = (1 - z) * np.tanh(x @ wn + bn + r * (h @ un)) + z * h
            logits.append(x @ np.asarray(model.readout_weight) + np.asarray(model.readout_bias))
    return np.reshape(logits, (*tokens.shape, -1))


@pytest.mark.parametrize("sizes", [(7,), (6, 4)])
def test_it_computes_the_published_equations(sizes):
    model = GRU(5, GRUSettings(hidden_sizes=sizes), jax.random.key(1))
    bias = jax.random.normal(jax.random.key(2), model.layers[0].bias.shape)
    model = jax.tree.map(lambda a: a + 0.3 * bias if a.shape == bias.shape else a, model)
    tokens = jax.random.randint(jax.random.key(3), (3, 6), 0, 5)
    np.testing.assert_allclose(model.unroll(tokens), by_hand(model, tokens), atol=1e-5)
    require_consistent(model, length=6)


def test_a_gru_is_trained_tuned_saved_and_loaded(tmp_path):
    task = st.Task(st.Vocabulary("ab.", end_token="."), 6, lambda t, m: {"a": (t == 0) * 1.0})
    words = ["abab", "ba", "aab", "babab"] * 40
    prior = st.pretrain(task, words, model="gru", hidden_sizes=(8,), epochs=3, batch=16)
    assert isinstance(prior.model, GRU)
    settings = {
        "steps": 6000,
        "log_every": 1000,
        "environments": 16,
        "replay_capacity": 64,
        "batch": 16,
    }
    for method in ("psi", "g"):
        tuned = st.tune(prior, task, method=method, c=0.5, discount=1.0, **settings)
        assert tuned.records[-1]["reward"] > tuned.records[0]["reward"]
        tuned.save(tmp_path / method)
        loaded = st.load(tmp_path / method)
        assert identical(loaded.model, tuned.model)
        tokens = jnp.zeros((1, 6), jnp.int32)
        np.testing.assert_array_equal(
            loaded.log_probabilities(tokens), tuned.log_probabilities(tokens)
        )


def test_sizes_that_are_none_are_refused():
    with pytest.raises(st.UserError, match="at least one layer"):
        GRUSettings(hidden_sizes=())
