from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.models.lstm import LSTM
from tiny_problems import TOKENS, prior, step_by_step, unroll


def with_positions(model, seed=0):
    rows = jax.random.normal(jax.random.key(seed), model.position_rows.shape)
    return eqx.tree_at(lambda m: m.position_rows, model, rows)


MODELS = {
    "one layer": prior(3),
    "three layers": prior(3, hidden=(5, 7, 4), scale=2.0),
    "positions": with_positions(LSTM(3, (6,), positions=7, key=jax.random.key(1))),
    "fewer positions than steps": with_positions(
        LSTM(3, (6, 5), positions=3, key=jax.random.key(1))
    ),
    "embedding": with_positions(
        LSTM(3, (6, 5), positions=7, embedding_size=2, key=jax.random.key(1))
    ),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_sampling_and_learning_see_the_same_numbers(model):
    np.testing.assert_allclose(unroll(model, TOKENS), step_by_step(model, TOKENS), atol=1e-5)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_logits_depend_on_earlier_tokens_alone(model):
    changed = TOKENS.at[:, 4].set((TOKENS[:, 4] + 1) % 3)
    before, after = unroll(model, TOKENS), unroll(model, changed)
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.abs(before[:, 5:] - after[:, 5:]).max() > 1e-3


def test_position_rows_reach_their_own_step_first():
    model = LSTM(3, (6,), positions=7, key=jax.random.key(1))
    moved = eqx.tree_at(lambda m: m.position_rows, model, model.position_rows.at[3].set(2.0))
    difference = np.abs(unroll(model, TOKENS) - unroll(moved, TOKENS)).max(axis=(0, 2))
    assert (difference[:3] == 0).all()
    assert (difference[3:] > 0).all()


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("length", [4, 12])
def test_a_policy_starts_as_the_same_distribution_with_a_row_for_every_step(model, length):
    start = model.as_policy_start(length)
    np.testing.assert_allclose(unroll(start, TOKENS), unroll(model, TOKENS), atol=1e-6)
    assert start.position_rows.shape[0] >= length
    assert start.as_policy_start(length) is start


def test_an_embedding_gives_each_token_the_row_of_its_product():
    model = MODELS["embedding"]
    rows = model.embedding @ model.token_rows
    folded = eqx.tree_at(
        lambda m: (m.embedding, m.token_rows),
        model,
        (None, rows),
        is_leaf=lambda leaf: leaf is None,
    )
    assert folded.embedding_size == 0
    np.testing.assert_allclose(unroll(model, TOKENS), unroll(folded, TOKENS), atol=1e-6)


def test_an_embedding_leaves_the_other_weights_of_a_seed_as_they_are():
    plain, embedded = (LSTM(3, (6,), embedding_size=size, key=jax.random.key(1)) for size in (0, 2))
    for one, other in zip(
        (plain.layers, plain.readout_weight),
        (embedded.layers, embedded.readout_weight),
        strict=True,
    ):
        assert jax.tree.all(jax.tree.map(np.array_equal, one, other))


def test_a_zero_readout_gives_zero_logits_and_keeps_the_body():
    model = MODELS["three layers"]
    blank = model.with_zero_readout()
    np.testing.assert_array_equal(unroll(blank, TOKENS), jnp.zeros((2, 7, 3)))
    np.testing.assert_array_equal(blank.features(TOKENS), model.features(TOKENS))


def test_new_weights_depend_on_the_key_and_forget_gates_are_open():
    one, other = (LSTM(3, (4,), key=jax.random.key(seed)) for seed in (0, 1))
    assert not np.array_equal(one.token_rows, other.token_rows)
    np.testing.assert_array_equal(one.layers[0].bias, [0] * 4 + [1] * 4 + [0] * 8)
    assert np.abs(one.layers[0].recurrent).max() <= 0.5
