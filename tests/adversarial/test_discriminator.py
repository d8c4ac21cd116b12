from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from seqtutor.adversarial.discriminator import (
    ConstantDiscriminator,
    ConvolutionalDiscriminator,
    RandomDiscriminator,
)
from seqtutor.adversarial.files import (
    SavedDiscriminator,
    load_discriminator,
    save_discriminator,
)
from tiny_problems import identical, vocabulary

LENGTHS = (6, 1, 3)
MASK = jnp.arange(6) < jnp.array(LENGTHS)[:, None]
TOKENS = jnp.array([[0, 4, 1, 1, 2, 3], [3, 3, 3, 3, 3, 3], [1, 2, 0, 0, 0, 0]])


@cache
def convolutional():
    """With a filter wider than the shortest sequences."""
    return ConvolutionalDiscriminator(
        5, embedding_size=3, widths=(1, 4), filters=(6, 5), dropout=0.5, key=jax.random.key(0)
    )


DISCRIMINATORS = {
    "convolutional": convolutional,
    "constant": ConstantDiscriminator,
    "random": lambda: RandomDiscriminator(jnp.asarray(3)),
}


def by_hand(model, tokens):
    """The network's definition, a window at a time."""
    embedded = np.asarray(model.embedding)[np.asarray(tokens)]
    pooled = []
    for kernel, bias in zip(model.kernels, model.biases, strict=True):
        width, size, _ = kernel.shape
        before = np.concatenate([np.zeros((width - 1, size)), embedded])
        sums = [
            np.einsum("we,wef->f", before[at : at + width], np.asarray(kernel)) + np.asarray(bias)
            for at in range(len(embedded))
        ]
        pooled.append(np.maximum(np.max(sums, axis=0), 0.0))
    x = np.concatenate(pooled)
    gate = 1 / (1 + np.exp(-(x @ np.asarray(model.gate_weight) + np.asarray(model.gate_bias))))
    new = np.maximum(x @ np.asarray(model.transform_weight) + np.asarray(model.transform_bias), 0.0)
    highway = gate * new + (1 - gate) * x
    return highway @ np.asarray(model.output_weight) + float(model.output_bias)


def noisy(model):
    """Biases are zero at the start, where nothing would tell a sign or a missing one."""
    leaves, structure = jax.tree.flatten(model)
    keys = jax.random.split(jax.random.key(9), len(leaves))
    moved = [a + 0.1 * jax.random.normal(k, a.shape) for a, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, moved)


def test_the_logits_are_those_of_the_definition():
    model = noisy(convolutional())
    expected = [by_hand(model, row[:n]) for row, n in zip(TOKENS, LENGTHS, strict=True)]
    np.testing.assert_allclose(model.logits(TOKENS, MASK), expected, rtol=1e-5)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_logit_of_a_prefix_is_that_of_a_sequence_which_ends_there(name):
    """Whatever comes after it, and however far it is padded."""
    model = DISCRIMINATORS[name]()
    prefixes = model.prefix_logits(TOKENS)
    for length in range(1, 7):
        mask = jnp.broadcast_to(jnp.arange(6) < length, MASK.shape)
        other = jnp.where(mask, TOKENS, (TOKENS + 1) % 5)
        np.testing.assert_allclose(model.logits(other, mask), prefixes[:, length - 1], rtol=1e-5)
        cut = model.logits(TOKENS[:, :length], mask[:, :length])
        np.testing.assert_allclose(cut, prefixes[:, length - 1], rtol=1e-5)


def test_padding_has_no_gradient():
    model = convolutional()
    gradient = jax.grad(lambda e: jnp.sum(model.logits_of_embedded(e, MASK)))(model.embed(TOKENS))
    assert not np.any(np.asarray(gradient)[~np.asarray(MASK)])
    assert np.any(np.asarray(gradient))


def test_dropout_leaves_out_features_and_keeps_the_mean():
    model = noisy(convolutional())
    keys = jax.random.split(jax.random.key(1), 4000)
    found = np.asarray(jax.vmap(lambda key: model.logits(TOKENS, MASK, key=key))(keys))
    error = found.std(axis=0) / np.sqrt(len(keys))
    assert (np.abs(found.mean(axis=0) - model.logits(TOKENS, MASK)) < 4 * error).all()
    assert (found.std(axis=0) > 0.01).all()
    # One choice of features for all prefixes of a sequence: their differences are not noise.
    prefixes = model.prefix_logits(TOKENS, key=keys[0])
    same = model.prefix_logits(
        jnp.concatenate([TOKENS[:, :3], TOKENS[:, 2:3]], axis=1), key=keys[0]
    )
    np.testing.assert_allclose(prefixes[:, :3], same[:, :3], rtol=1e-5)


def test_random_judgements_are_uniform_and_depend_on_the_seed_and_every_token():
    grid = jnp.stack(jnp.meshgrid(*[jnp.arange(8)] * 4), axis=-1).reshape(-1, 4)
    found = [
        np.asarray(
            jax.nn.sigmoid(RandomDiscriminator(jnp.asarray(seed)).prefix_logits(grid)[:, -1])
        )
        for seed in (0, 1)
    ]
    for one in found:
        assert stats.kstest(one, "uniform").pvalue > 1e-3
        assert len(set(one.tolist())) > 4000
        for column in range(4):
            groups = [one[np.asarray(grid)[:, column] == token] for token in range(8)]
            assert stats.f_oneway(*groups).pvalue > 1e-3
    assert abs(np.corrcoef(*found)[0, 1]) < 0.06


def test_a_discriminator_comes_back_from_disk_bit_for_bit(tmp_path):
    save_discriminator(
        SavedDiscriminator(convolutional(), vocabulary(5), {"seed": 1}), tmp_path / "d"
    )
    loaded = load_discriminator(tmp_path / "d")
    assert identical(loaded.model, convolutional())
    assert jax.tree.structure(loaded.model) == jax.tree.structure(convolutional())
    assert (loaded.vocabulary, loaded.origin) == (vocabulary(5), {"seed": 1})
