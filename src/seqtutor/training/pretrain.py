"""Maximum likelihood: how a prior is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.models.lstm import LSTM
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.training.batches import batches_of_like_length, lengths_of, padded_width
from seqtutor.training.settings import PretrainSettings


@dataclass(frozen=True)
class Sequences:
    """Training sequences padded to one length; `mask` is true on their tokens."""

    tokens: Int[np.ndarray, "sequences time"]
    mask: Bool[np.ndarray, "sequences time"]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Fit:
    """How well a model predicts: nats a token, the share of tokens it ranks first, and counts."""

    log_perplexity: float
    accuracy: float
    tokens: int
    sequences: int


@dataclass(frozen=True)
class EpochRecord:
    """One pass over the training sequences."""

    epoch: int
    training_loss: float
    validation_loss: float


def new_model(vocabulary_size: int, settings: PretrainSettings) -> LSTM:
    """The model that a training with these settings begins with."""
    key = jax.random.key(settings.seed)
    return LSTM(
        vocabulary_size,
        settings.hidden_sizes,
        embedding_size=settings.embedding_size,
        token_bound=settings.token_bound,
        key=key,
    )


def token_log_likelihood(
    model: SequenceModel,
    tokens: Int[Array, "batch time"],
    dropout: float = 0.0,
    key: PRNGKeyArray | None = None,
) -> Float[Array, "batch time"]:
    """The log p of every token given those before it.

    Of the features that the readout sees a share `dropout` is left out, by the chance of `key`, and
    the others made up for it (Srivastava et al. 2014; in recurrent networks between layers alone,
    Zaremba et al. 2014).
    """
    features = model.features(tokens)
    if key is not None and dropout:
        kept = jax.random.bernoulli(key, 1.0 - dropout, features.shape)
        features = jnp.where(kept, features / (1.0 - dropout), 0.0)
    return of_action(jax.nn.log_softmax(model.readout(features)), tokens)


def negative_log_likelihood(
    model: SequenceModel,
    tokens: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    dropout: float = 0.0,
    key: PRNGKeyArray | None = None,
) -> Float[Array, ""]:
    """Mean −log p a token, in nats: the log-perplexity; `dropout` as in `token_log_likelihood`."""
    log_likelihood = jnp.where(mask, token_log_likelihood(model, tokens, dropout, key), 0.0)
    return -jnp.sum(log_likelihood) / jnp.sum(mask)


def measure_fit(model: SequenceModel, sequences: Sequences, batch: int = 512) -> Fit:
    """Log-perplexity and accuracy over all of `sequences`."""
    total = correct = 0.0
    for start in range(0, len(sequences), batch):
        part = _padded(sequences, start, batch)
        log_likelihood, hits = _batch_fit(
            model, jnp.asarray(part.tokens, jnp.int32), jnp.asarray(part.mask)
        )
        total += float(log_likelihood)
        correct += float(hits)
    tokens = int(sequences.mask.sum())
    return Fit(-total / tokens, correct / tokens, tokens, len(sequences))


@eqx.filter_jit
def _batch_fit(model: SequenceModel, tokens: Array, mask: Array) -> tuple[Array, Array]:
    log_probabilities = jax.nn.log_softmax(model.unroll(tokens))
    hits = (jnp.argmax(log_probabilities, axis=-1) == tokens) & mask
    return jnp.sum(jnp.where(mask, of_action(log_probabilities, tokens), 0.0)), jnp.sum(hits)


def _padded(sequences: Sequences, start: int, batch: int) -> Sequences:
    """A slice filled up with masked rows, so that every batch has one compiled shape."""
    tokens, mask = sequences.tokens[start : start + batch], sequences.mask[start : start + batch]
    missing = ((0, batch - len(tokens)), (0, 0))
    return Sequences(np.pad(tokens, missing), np.pad(mask, missing))


@dataclass(frozen=True)
class Pretrained:
    """The best model by validation loss, and the course of its training.

    `latest` is the model after the last epoch, and `optimiser` the optimiser's state then: what the
    training goes on from.
    """

    model: SequenceModel
    epochs: list[EpochRecord]
    latest: SequenceModel
    optimiser: Any

    def after(self, latest: SequenceModel, optimiser: Any, record: EpochRecord) -> Pretrained:
        """The same after one more epoch, which left this model and state."""
        best = min((epoch.validation_loss for epoch in self.epochs), default=np.inf)
        kept = latest if record.validation_loss < best else self.model
        return Pretrained(kept, [*self.epochs, record], latest, optimiser)

    @property
    def epochs_since_best(self) -> int:
        """How many epochs have passed without a better model."""
        if not self.epochs:
            return 0
        losses = [epoch.validation_loss for epoch in self.epochs]
        return len(losses) - 1 - losses.index(min(losses))


def train_by_maximum_likelihood(
    model: SequenceModel,
    training: Sequences,
    validation: Sequences,
    settings: PretrainSettings,
    on_epoch: Callable[[Pretrained], None] = lambda so_far: None,
    on_update: Callable[[SequenceModel, int], None] = lambda model, updates: None,
    start: Pretrained | None = None,
) -> Pretrained:
    """Minimise the negative log-likelihood until the validation loss stops falling.

    The sequences stay where they are, in their own type; a batch at a time goes to the device.

    Args:
        model: to start from; it is left as it is.
        training: sequences to learn from.
        validation: sequences that decide which model is best and when to stop.
        settings: of the training.
        on_epoch: called after each epoch with the best model and all records so far.
        on_update: called after each update with the model as it is and how many there have been.
        start: of the same training some epochs ago, to go on from; bit for bit as it did then.

    Raises:
        UserError: if there are fewer sequences than a batch, none to validate on, or the loss is
            not finite.
    """
    if not len(validation):
        raise UserError("there are no sequences to validate on; give more data")
    so_far = start or beginning(model, training, settings)
    updates_an_epoch = len(training) // settings.batch
    optimiser = _optimiser(settings, updates_an_epoch * settings.epochs)
    weights, shape = eqx.partition(so_far.latest, eqx.is_inexact_array)
    state = so_far.optimiser
    lengths = lengths_of(training.mask)
    expected = np.float32(training.mask.sum() / len(training) * settings.batch)
    generator = np.random.default_rng(settings.seed)
    for _ in so_far.epochs:
        batches_of_like_length(lengths, settings.batch, generator)
    updates = len(so_far.epochs) * updates_an_epoch
    dropout_key = jax.random.key(settings.seed)
    for epoch in range(len(so_far.epochs) + 1, settings.epochs + 1):
        if so_far.epochs_since_best >= settings.patience:
            break
        losses = []
        for rows in batches_of_like_length(lengths, settings.batch, generator):
            width = padded_width(lengths[rows], training.mask.shape[1])
            part = training.tokens[rows, :width], training.mask[rows, :width]
            key = jax.random.fold_in(dropout_key, updates)
            weights, state, loss = _update(
                weights, state, shape, optimiser, settings.dropout, *part, expected, key
            )
            losses.append(loss)
            updates += 1
            # The device is one update ahead, which keeps it busy, and no further.
            jax.block_until_ready(losses[-2:][0])
            on_update(eqx.combine(weights, shape), updates)
        current = eqx.combine(weights, shape)
        fit = measure_fit(current, validation)
        record = EpochRecord(epoch, float(jnp.mean(jnp.stack(losses))), fit.log_perplexity)
        if not np.isfinite(record.training_loss + record.validation_loss):
            raise UserError(f"the loss is not finite in epoch {epoch}; lower the learning rate")
        so_far = so_far.after(current, state, record)
        on_epoch(so_far)
    return so_far


def beginning(model: SequenceModel, training: Sequences, settings: PretrainSettings) -> Pretrained:
    """Where a training starts: no epoch is over.

    Raises:
        UserError: if there are fewer sequences than a batch.
    """
    if len(training) < settings.batch:
        raise UserError(
            f"{len(training)} training sequences are fewer than a batch of {settings.batch}; "
            "give more data or a smaller batch"
        )
    updates = len(training) // settings.batch * settings.epochs
    weights = eqx.filter(model, eqx.is_inexact_array)
    return Pretrained(model, [], model, _optimiser(settings, updates).init(weights))


def _optimiser(settings: PretrainSettings, updates: int) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(settings.gradient_norm),
        optax.add_decayed_weights(settings.weight_decay),
        optax.adam(optax.cosine_decay_schedule(settings.learning_rate, updates, 0.01)),
    )


@partial(jax.jit, static_argnums=(2, 3, 4))
def _update(
    weights: Any,
    state: Any,
    shape: Any,
    optimiser: optax.GradientTransformation,
    dropout: float,
    tokens: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    expected: Float[Array, ""],
    key: PRNGKeyArray,
) -> tuple[Any, Any, Array]:
    """One step of the optimiser.

    Each token counts the same in whatever batch it is: the loss is a sum over tokens, divided by
    the number that a batch is expected to have, not by its own.
    """

    def loss(weights: Any) -> Array:
        model = eqx.combine(weights, shape)
        mean = negative_log_likelihood(model, tokens, mask, dropout, key)
        return mean * (jnp.sum(mask) / expected)

    tokens = tokens.astype(jnp.int32)
    value, gradient = jax.value_and_grad(loss)(weights)
    step, state = optimiser.update(gradient, state, weights)
    return optax.apply_updates(weights, step), state, value
