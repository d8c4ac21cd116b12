from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, precision_score, recall_score

from seqtutor.adversarial.settings import DiscriminationSettings, DiscriminatorSettings
from seqtutor.adversarial.training import (
    Discrimination,
    discrimination,
    discrimination_loss,
    logits_of,
    new_discriminator_state,
    squared_gradient,
    train_epoch,
)
from seqtutor.errors import UserError
from seqtutor.types import SequenceBatch
from tiny_problems import identical

SIZES = DiscriminatorSettings(embedding_size=8, widths=(1, 2), filters=(8, 8))
SETTINGS = DiscriminationSettings(batch=32, learning_rate=1e-2)
LENGTH = 8


def new(settings=SETTINGS, sizes=SIZES, seed=0):
    return new_discriminator_state(4, sizes, settings, jax.random.key(seed))


@cache
def toy(seed):
    """Real sequences hold 1 after 0 somewhere, generated ones never; single tokens say nothing."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, LENGTH + 1, 200)
    mask = jnp.arange(LENGTH) < jnp.asarray(lengths)[:, None]

    def draw(has_pair):
        rows = []
        for length in lengths:
            while True:
                row = rng.integers(0, 4, LENGTH)
                pair = ((row[: length - 1] == 0) & (row[1:length] == 1)).any()
                if pair == has_pair:
                    break
            rows.append(row)
        return SequenceBatch(jnp.asarray(np.array(rows), jnp.int32), mask)

    return draw(True), draw(False)


@cache
def trained(settings, epochs=20):
    state = new(settings)
    for _ in range(epochs):
        state, _ = train_epoch(state, *toy(0), settings)
    return state


def measured(discriminator):
    return discrimination(*(logits_of(discriminator, batch) for batch in toy(1)))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"label_smoothing": 0.1, "output_penalty": 1e-3, "gradient_penalty": 0.01},
    ],
    ids=str,
)
def test_it_learns_what_can_be_told(changes):
    found = measured(trained(replace(SETTINGS, **changes)).discriminator)
    assert found.accuracy > 0.95
    assert found.mean_real > 0.8 > 0.2 > found.mean_generated


def test_of_prefixes_it_learns_when_the_pair_is_complete():
    """A generated sequence never has it; before it there is nothing to tell but its absence."""
    model = trained(replace(SETTINGS, prefixes=True)).discriminator
    tokens = jnp.array([[2, 3, 0, 1, 2, 3, 2, 3]])
    before, after = np.split(np.asarray(model.prefix_logits(tokens))[0], [3])
    assert after.min() > 2 > before.max()


def test_it_cannot_learn_what_is_not_there():
    """Both kinds from one source: on new sequences it is right half of the time."""
    state = new()
    rng = np.random.default_rng(0)

    def draw():
        tokens = rng.integers(0, 4, (200, LENGTH))
        return SequenceBatch(jnp.asarray(tokens, jnp.int32), jnp.ones(tokens.shape, bool))

    real, generated = draw(), draw()
    for _ in range(5):
        state, _ = train_epoch(state, real, generated, SETTINGS)
    found = discrimination(*(logits_of(state.discriminator, draw()) for _ in range(2)))
    assert abs(found.accuracy - 0.5) < 0.1


def test_an_epoch_is_deterministic_and_its_order_depends_on_the_key():
    one, other = (train_epoch(new(), *toy(0), SETTINGS) for _ in range(2))
    assert identical(one, other)
    moved = eqx.tree_at(lambda s: s.key, new(), jax.random.key(99))
    assert not identical(
        one[0].discriminator, train_epoch(moved, *toy(0), SETTINGS)[0].discriminator
    )


def test_an_epoch_sees_the_larger_set_once_and_the_smaller_as_often_as_needed():
    """At a learning rate of almost zero the mean loss is that of all sequences at once."""
    settings = replace(SETTINGS, learning_rate=1e-12, batch=20)
    state = new(settings, replace(SIZES, dropout=0.0))
    real, generated = toy(0)
    _, metrics = train_epoch(state, real[:50], generated, settings)
    real_loss, generated_loss = (
        np.logaddexp(0.0, sign * logits_of(state.discriminator, part)).mean()
        for sign, part in ((-1, real[:50]), (1, generated))
    )
    assert float(metrics["loss"]) == pytest.approx((real_loss + generated_loss) / 2, rel=1e-5)


def test_too_few_sequences_are_refused():
    real, generated = toy(0)
    with pytest.raises(UserError, match="fewer than half a batch"):
        train_epoch(new(), real[:5], generated[:5], SETTINGS)


_loss = jax.jit(discrimination_loss, static_argnums=3)


def test_the_loss_by_hand():
    """Cross-entropy with one-sided smoothing, the output's penalty and R1, from their formulas."""
    model = trained(SETTINGS).discriminator
    real, generated = (batch[:7] for batch in toy(1))
    loss = partial(_loss, model, real, generated)
    on_real, on_generated = (logits_of(model, batch) for batch in (real, generated))
    positive, negative = np.logaddexp(0, -on_real), np.logaddexp(0, on_real)
    smooth = 0.9 * positive + 0.1 * negative
    expected = (smooth.mean() + np.logaddexp(0, on_generated).mean()) / 2
    bare = loss(replace(SETTINGS, label_smoothing=0.1))
    np.testing.assert_allclose(bare, expected, rtol=1e-5)
    squares = np.sum(np.square(model.output_weight)) + float(model.output_bias) ** 2
    penalised = loss(replace(SETTINGS, label_smoothing=0.1, output_penalty=0.3))
    np.testing.assert_allclose(penalised - bare, 0.15 * squares, rtol=1e-3)
    regularised = loss(replace(SETTINGS, label_smoothing=0.1, gradient_penalty=0.5))
    np.testing.assert_allclose(
        regularised - bare, 0.25 * jax.jit(squared_gradient)(model, real), rtol=1e-3
    )


def test_the_squared_gradient_is_the_logits_slope():
    """Along any direction d in the embedding, (f(e + εd) − f(e))/ε = ∇f·d."""
    model = trained(SETTINGS).discriminator
    batch = toy(1)[0][:1]
    embedded = model.embed(batch.tokens)

    @jax.jit
    def logit(embedded):
        return model.logits_of_embedded(embedded, batch.mask)[0]

    slope = jax.jit(jax.grad(logit))(embedded)
    size = np.linalg.norm(slope)
    step = 1e-3 / size
    change = logit(embedded + step * slope / size) - logit(embedded)
    np.testing.assert_allclose(change / step, size, rtol=2e-2)
    np.testing.assert_allclose(jax.jit(squared_gradient)(model, batch), size**2, rtol=1e-5)


def test_the_gradient_penalty_flattens_the_judgement():
    flat = trained(replace(SETTINGS, gradient_penalty=1.0)).discriminator
    steep = trained(SETTINGS).discriminator
    real = toy(0)[0]
    slope = jax.jit(squared_gradient)
    assert slope(flat, real) < 0.3 * slope(steep, real)


def test_precision_and_recall_by_hand():
    """Three of four real ones found, two of five generated ones taken for real."""
    real = np.array([1.0, 2.0, -1.0, 0.5])
    generated = np.array([-1.0, 3.0, -2.0, 0.1, -0.5])
    found = discrimination(real, generated)
    assert found.precision == pytest.approx(3 / 5)
    assert found.recall == pytest.approx(3 / 4)
    assert found.accuracy == pytest.approx((3 + 3) / 9)
    probability = 1 / (1 + np.exp(-generated))
    assert found.mean_generated == pytest.approx(probability.mean())
    assert found.deviation_generated == pytest.approx(probability.std())
    assert found.mean_real == pytest.approx((1 / (1 + np.exp(-real))).mean())


@given(
    real=arrays(float, st.integers(1, 30), elements=st.floats(-5, 5)),
    generated=arrays(float, st.integers(1, 30), elements=st.floats(-5, 5)),
)
def test_precision_recall_and_accuracy_are_those_of_scikit_learn(real, generated):
    found = discrimination(real, generated)
    labels = np.repeat([1, 0], [len(real), len(generated)])
    called_real = np.concatenate([real, generated]) > 0
    precision = precision_score(labels, called_real, zero_division=0)
    assert found.precision == pytest.approx(precision)
    assert found.recall == pytest.approx(recall_score(labels, called_real))
    assert found.accuracy == pytest.approx(accuracy_score(labels, called_real))


def test_where_nothing_is_called_real_precision_is_zero_and_large_logits_do_not_overflow():
    found = discrimination(np.array([-1e4, -1e4]), np.array([-1e4]))
    assert found == Discrimination(1 / 3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("number", [1, 255, 256, 300])
def test_logits_do_not_depend_on_how_many_are_computed_at_once(number):
    model = trained(SETTINGS).discriminator
    real = toy(1)[0]
    many = SequenceBatch(jnp.tile(real.tokens, (2, 1)), jnp.tile(real.mask, (2, 1)))[:number]
    expected = jax.jit(type(model).logits)(model, many.tokens, many.mask)
    np.testing.assert_allclose(logits_of(model, many), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 3}, "even"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"label_smoothing": 0.5}, "label_smoothing"),
        ({"gradient_penalty": -1.0}, "gradient_penalty"),
        ({"output_penalty": float("nan")}, "finite"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        DiscriminationSettings(**changes)


def test_sizes_by_name():
    assert sum(DiscriminatorSettings.of("lee").filters) == 1600
    assert DiscriminatorSettings.of("bjare").filters == (2000,)
    assert len(DiscriminatorSettings.of("yu").widths) == 12
    with pytest.raises(UserError, match="no discriminator 'huge'"):
        DiscriminatorSettings.of("huge")
    with pytest.raises(UserError, match="one length"):
        DiscriminatorSettings(widths=(1, 2), filters=(3,))
