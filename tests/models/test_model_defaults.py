"""What a model of one's own gets without writing it."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from own_model import Attention, AttentionSettings, Scanned, Shifted, attention
from seqtutor.errors import UserError
from seqtutor.measures.controls import TemperedModel, untrained
from seqtutor.models.base import AdaptedModel
from seqtutor.models.consistency import require_consistent
from tiny_problems import TOKENS, identical, prior, unroll


def noisy(model, seed=9):
    """All weights moved: those that start at zero would hide a mistake."""
    leaves, structure = jax.tree.flatten(model)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [a + 0.3 * jax.random.normal(k, a.shape) for a, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, moved)


def test_features_are_a_scan_of_advance_by_default():
    model = attention(kind=Scanned)
    np.testing.assert_allclose(unroll(model, TOKENS), unroll(attention(), TOKENS), atol=1e-5)


@pytest.mark.parametrize("length", [4, 12])
def test_a_policy_starts_as_the_same_distribution_and_knows_its_position(length):
    model = attention()
    start = model.as_policy_start(length)
    np.testing.assert_array_equal(unroll(start, TOKENS), unroll(model, TOKENS))
    moved = eqx.tree_at(lambda m: m.positions, start, start.positions.at[3].set(1.0))
    changed = np.abs(unroll(moved, TOKENS) - unroll(model, TOKENS)).max(axis=(0, 2)) > 0
    assert changed.tolist() == [t == 3 or (t > 3 and length == 4) for t in range(7)]


def test_a_policy_that_is_tuned_on_longer_sequences_goes_on_with_its_last_position():
    start = noisy(attention().as_policy_start(4))
    longer = start.as_policy_start(9)
    assert len(longer.positions) == 9
    assert start.as_policy_start(3).positions.shape == start.positions.shape
    np.testing.assert_array_equal(unroll(longer, TOKENS), unroll(start, TOKENS))


def test_a_zero_readout_can_learn_from_the_start():
    blank = attention().with_zero_readout()
    np.testing.assert_array_equal(unroll(blank, TOKENS), jnp.zeros((2, 7, 3)))
    np.testing.assert_array_equal(blank.features(TOKENS), attention().features(TOKENS))
    loss, gradient = eqx.filter_value_and_grad(lambda m: jnp.sum(m.unroll(TOKENS)[..., 0]))(blank)
    assert loss == 0.0
    assert float(jnp.abs(gradient.new_readout.weight).max()) > 0.1


@pytest.mark.parametrize(
    "model",
    [
        prior(3, hidden=(5, 4)),
        attention(),
        attention(kind=Scanned),
        noisy(attention().as_policy_start(5)),
        noisy(attention().as_policy_start(5).with_zero_readout()),
        TemperedModel(noisy(prior(3).as_policy_start(7)), 0.5),
        jax.tree.map(lambda array: 0.0 * array, attention()),
    ],
    ids=lambda model: model.kind,
)
def test_a_model_whose_two_ways_agree_is_consistent(model):
    require_consistent(model, 7)
    require_consistent(model, 1)


def test_a_model_whose_two_ways_differ_is_named_with_the_difference():
    model = attention(kind=Shifted)
    with pytest.raises(UserError, match=r"'shifted attention' .* largest difference is [\d.]+,"):
        require_consistent(model, 7)
    with pytest.raises(UserError, match="largest difference"):
        require_consistent(model.as_policy_start(7), 7)


class Wide(Attention):
    kind = "wide"

    def readout(self, features):
        return jnp.pad(super().readout(features), ((0, 0),) * (features.ndim - 1) + ((0, 1),))


class Counting(Attention):
    kind = "counting"
    count: jax.Array

    def __init__(self, size, settings, key):
        super().__init__(size, settings, key)
        self.count = jnp.arange(3)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Wide, r"gives logits of the shape \(4, 5, 4\) for 4 sequences of 5 tokens out of 3"),
        (Counting, "count of the model 'counting' is not an array of floating-point numbers"),
    ],
)
def test_a_model_of_other_shapes_or_types_is_the_users_error(kind, message):
    with pytest.raises(UserError, match=message):
        require_consistent(attention(kind=kind), 5)


def test_another_untrained_model_has_the_same_sizes():
    model = noisy(attention())
    other, same = (untrained(model, seed) for seed in (1, 1))
    assert identical(other, same)
    assert other.settings == AttentionSettings(width=6)
    assert not identical(other, untrained(model, 2))
    assert identical(untrained(model, 1, prior(3).settings), other), "that is not of its kind"


def test_how_weights_are_drawn_is_taken_from_other_settings_of_the_kind():
    model = prior(3, hidden=(5, 4))
    wide = untrained(model, 1, type(model.settings)(hidden_sizes=(9,), token_bound=4.0))
    assert wide.config == model.config
    assert 3.0 < float(jnp.abs(wide.token_rows).max()) < 4.0


def test_a_wrapper_tells_its_model_from_its_own_matrices():
    model = attention()
    assert [matrix.shape for matrix in model.matrices] == [(4, 6), *[(6, 6)] * 3, (6, 3)]
    blank = AdaptedModel(model, jnp.zeros((5, 6))).with_zero_readout()
    assert [matrix.shape for matrix in blank.matrices[len(model.matrices) :]] == [(6, 3)]
