from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.models.base import SequenceModel
from seqtutor.models.product import ProductModel
from tiny_problems import TOKENS, prior, step_by_step, unroll


@pytest.fixture(scope="module")
def product():
    return ProductModel(prior(3, seed=0), prior(3, seed=1, hidden=(5, 4)))


def test_its_distribution_is_the_normalised_product(product):
    p = jax.nn.softmax(unroll(product.prior, TOKENS))
    weighted = p * jnp.exp(unroll(product.factor, TOKENS))
    expected = weighted / weighted.sum(-1, keepdims=True)
    np.testing.assert_allclose(jax.nn.softmax(unroll(product, TOKENS)), expected, atol=1e-5)


def test_sampling_and_learning_see_the_same_numbers(product):
    np.testing.assert_allclose(unroll(product, TOKENS), step_by_step(product, TOKENS), atol=1e-5)


def test_a_factor_of_zeros_leaves_the_prior(product):
    model = ProductModel(product.prior, product.factor.with_zero_readout())
    np.testing.assert_allclose(
        unroll(model, TOKENS), jax.nn.log_softmax(unroll(product.prior, TOKENS)), atol=1e-6
    )


def test_it_can_be_tuned_again(product):
    """Both starts of a policy exist for a product too: the same distribution, or zero logits."""
    start = product.as_policy_start(7)
    np.testing.assert_allclose(unroll(start, TOKENS), unroll(product, TOKENS), atol=1e-6)
    assert start.factor.position_rows.shape[0] == 7
    blank: SequenceModel = start.with_zero_readout()
    np.testing.assert_array_equal(unroll(blank, TOKENS), jnp.zeros((2, 7, 3)))
