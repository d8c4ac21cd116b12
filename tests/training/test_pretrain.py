from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.models.lstm import LSTM
from seqtutor.training.pretrain import (
    Sequences,
    measure_fit,
    negative_log_likelihood,
    new_model,
    token_log_likelihood,
    train_by_maximum_likelihood,
)
from seqtutor.training.pretrain_settings import PretrainSettings
from tiny_problems import identical, prior, vocabulary

TRANSITIONS = np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.6, 0.2, 0.2]])
LENGTH = 8


def markov_chain(number, seed):
    """Sequences of a known chain that starts uniformly; nothing can predict them better."""
    rng = np.random.default_rng(seed)
    tokens = np.zeros((number, LENGTH), np.int32)
    tokens[:, 0] = rng.integers(0, 3, number)
    for t in range(1, LENGTH):
        uniform = rng.random((number, 1))
        tokens[:, t] = (uniform > TRANSITIONS.cumsum(1)[tokens[:, t - 1]]).sum(1)
    return Sequences(tokens, np.ones(tokens.shape, bool))


def chain_log_likelihood(sequences):
    before, after = sequences.tokens[:, :-1], sequences.tokens[:, 1:]
    return (np.log(1 / 3) + np.log(TRANSITIONS[before, after]).sum(1)).mean() / LENGTH


SETTINGS = PretrainSettings.of(hidden_sizes=(16,), batch=64, epochs=25, learning_rate=2e-2)


def fresh_model():
    return LSTM(3, (16,), key=jax.random.key(0))


@pytest.fixture(scope="module")
def pretrained():
    return train_by_maximum_likelihood(
        fresh_model(), markov_chain(1024, 0), markov_chain(512, 1), SETTINGS
    )


def test_a_model_learns_a_known_chain(pretrained):
    fresh = markov_chain(4000, 2)
    fit = measure_fit(pretrained.model, fresh)
    assert fit.log_perplexity == pytest.approx(-chain_log_likelihood(fresh), abs=0.02)
    best_guess = (1 / 3 + (LENGTH - 1) * 0.73) / LENGTH
    assert fit.accuracy == pytest.approx(best_guess, abs=0.03)
    assert (fit.tokens, fit.sequences) == (4000 * LENGTH, 4000)
    learned = np.exp(jax.nn.log_softmax(pretrained.model.unroll(jnp.array([[0, 1, 2, 0]]))))[0, 1:]
    np.testing.assert_allclose(learned, TRANSITIONS, atol=0.06)


def test_the_best_model_on_validation_is_kept(pretrained):
    losses = [record.validation_loss for record in pretrained.epochs]
    fit = measure_fit(pretrained.model, markov_chain(512, 1))
    assert fit.log_perplexity == pytest.approx(min(losses), abs=1e-6)
    assert losses[0] > min(losses) + 0.02
    best = int(np.argmin(losses))
    assert len(losses) == SETTINGS.epochs or len(losses) == best + 1 + SETTINGS.patience
    assert [record.epoch for record in pretrained.epochs] == list(range(1, len(losses) + 1))


def test_masked_tokens_count_for_nothing():
    model, rng = prior(3), np.random.default_rng(0)
    mask = np.arange(LENGTH) < rng.integers(1, LENGTH + 1, size=(70, 1))
    tokens = rng.integers(0, 3, size=mask.shape)
    filled = [Sequences(np.where(mask, tokens, other), mask) for other in (0, 2)]
    fits = [measure_fit(model, sequences, batch=32) for sequences in filled]
    assert fits[0] == fits[1]
    log_p = np.asarray(jax.nn.log_softmax(model.unroll(jnp.asarray(filled[0].tokens))))
    taken = np.take_along_axis(log_p, filled[0].tokens[..., None], axis=-1)[..., 0]
    assert fits[0].log_perplexity == pytest.approx(-taken[mask].mean(), rel=1e-5)
    assert fits[0].accuracy == pytest.approx((log_p.argmax(-1) == filled[0].tokens)[mask].mean())
    loss = negative_log_likelihood(model, jnp.asarray(filled[1].tokens), jnp.asarray(mask))
    assert float(loss) == pytest.approx(fits[0].log_perplexity, rel=1e-5)


def test_training_repeats_bit_for_bit_and_leaves_the_given_model_alone(pretrained):
    model = fresh_model()
    again = train_by_maximum_likelihood(
        model, markov_chain(1024, 0), markov_chain(512, 1), SETTINGS
    )
    assert identical(again.model, pretrained.model)
    assert again.epochs == pretrained.epochs
    assert identical(model, fresh_model())


def with_lengths(sequences, seed):
    """The same sequences, cut at random, in the smallest type."""
    lengths = np.random.default_rng(seed).integers(1, LENGTH + 1, size=(len(sequences), 1))
    return Sequences(sequences.tokens.astype(np.int8), np.arange(LENGTH) < lengths)


def test_every_token_counts_the_same_whatever_shares_its_batch():
    training, model = with_lengths(markov_chain(640, 3), 4), prior(3)
    still = PretrainSettings(batch=64, epochs=1, learning_rate=1e-30, weight_decay=0.0)
    result = train_by_maximum_likelihood(model, training, training, still)
    expected = measure_fit(model, training).log_perplexity
    assert result.epochs[0].training_loss == pytest.approx(expected, rel=1e-5)


def test_a_model_learns_a_known_chain_from_pieces_of_it():
    training, validation = with_lengths(markov_chain(1024, 0), 5), markov_chain(512, 1)
    so_far, updates = [], []
    result = train_by_maximum_likelihood(
        fresh_model(),
        training,
        validation,
        SETTINGS,
        so_far.append,
        lambda model, number: updates.append(number),
    )
    fresh = markov_chain(4000, 2)
    fit = measure_fit(result.model, fresh)
    assert fit.log_perplexity == pytest.approx(-chain_log_likelihood(fresh), abs=0.03)
    assert updates == list(range(1, 16 * len(result.epochs) + 1))
    assert [len(course.epochs) for course in so_far] == list(range(1, len(result.epochs) + 1))
    for course in so_far:
        best = min(epoch.validation_loss for epoch in course.epochs)
        assert measure_fit(course.model, validation).log_perplexity == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(
    ("training", "validation", "message"),
    [(63, 5, "fewer than a batch of 64"), (64, 0, "no sequences to validate on")],
)
def test_too_little_data_is_the_users_error(training, validation, message):
    with pytest.raises(UserError, match=message):
        train_by_maximum_likelihood(
            prior(3), markov_chain(training, 0), markov_chain(validation, 0), SETTINGS
        )


def test_a_loss_that_is_no_number_is_the_users_error():
    broken = jax.tree.map(lambda a: a * jnp.nan, prior(3, hidden=(4,)))
    with pytest.raises(UserError, match="not finite in epoch 1"):
        train_by_maximum_likelihood(broken, markov_chain(64, 0), markov_chain(8, 0), SETTINGS)


def test_dropout_leaves_out_its_share_and_keeps_the_mean():
    # A readout that adds all features up tells what became of them.
    model = prior(2, hidden=(4000,))
    readout = jnp.stack([jnp.ones(4000), jnp.zeros(4000)], axis=1)
    model = eqx.tree_at(
        lambda m: (m.readout_weight, m.readout_bias), model, (readout, jnp.zeros(2))
    )
    tokens = jnp.zeros((1, 1), jnp.int32)

    def summed(share, seed):
        log_p = token_log_likelihood(model, tokens, share, jax.random.key(seed))
        return float(jnp.log(jnp.exp(log_p) / -jnp.expm1(log_p))[0, 0])

    features = np.asarray(model.features(tokens), np.float64)[0, 0]
    found = [summed(0.4, seed) for seed in range(40)]
    # Each is left out on its own: the deviation of the sum is √(share/(1 − share)·Σx²).
    deviation = np.sqrt(0.4 / 0.6 * np.square(features).sum())
    assert np.mean(found) == pytest.approx(features.sum(), abs=4 * deviation / np.sqrt(40))
    assert np.std(found) == pytest.approx(deviation, rel=0.4)
    assert summed(0.0, 0) == pytest.approx(features.sum(), abs=1e-3)


def test_token_rows_are_drawn_within_their_bound_and_nothing_else_changes():
    sizes = {"hidden_sizes": (64,), "seed": 3}
    usual, wide = (
        new_model(vocabulary(50), PretrainSettings.of(**sizes, token_bound=bound))
        for bound in (None, 1.0)
    )
    assert float(jnp.abs(usual.token_rows).max()) == pytest.approx(1 / 8, rel=0.01)
    np.testing.assert_allclose(wide.token_rows, 8 * usual.token_rows, rtol=1e-6)
    assert identical(eqx.tree_at(lambda m: m.token_rows, wide, usual.token_rows), usual)
