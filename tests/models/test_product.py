from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.models.base import SequenceModel
from seqtutor.models.product import ProductModel
from test_lstm import TOKENS, step_by_step
from tiny_problems import prior


@pytest.fixture(scope="module")
def product():
    return ProductModel(prior(3, seed=0), prior(3, seed=1, hidden=(5, 4)))


def test_its_distribution_is_the_normalised_product(product):
    p = jax.nn.softmax(product.prior.unroll(TOKENS))
    weighted = p * jnp.exp(product.factor.unroll(TOKENS))
    expected = weighted / weighted.sum(-1, keepdims=True)
    np.testing.assert_allclose(jax.nn.softmax(product.unroll(TOKENS)), expected, atol=1e-5)


def test_sampling_and_learning_see_the_same_numbers(product):
    np.testing.assert_allclose(product.unroll(TOKENS), step_by_step(product, TOKENS), atol=1e-5)


def test_a_factor_of_zeros_leaves_the_prior(product):
    model = ProductModel(product.prior, product.factor.with_zero_readout())
    np.testing.assert_allclose(
        model.unroll(TOKENS), jax.nn.log_softmax(product.prior.unroll(TOKENS)), atol=1e-6
    )


def test_it_can_be_tuned_again(product):
    """Both starts of a policy exist for a product too: the same distribution, or zero logits."""
    start = product.as_policy_start(7)
    np.testing.assert_array_equal(start.unroll(TOKENS), product.unroll(TOKENS))
    assert start.factor.position_rows.shape[0] == 7
    blank: SequenceModel = start.with_zero_readout()
    np.testing.assert_array_equal(blank.unroll(TOKENS), jnp.zeros((2, 7, 3)))
