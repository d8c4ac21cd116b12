"""Maximum-likelihood training of a prior."""

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

from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.models.consistency import require_consistent
from seqtutor.models.registry import chosen_kind
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.training.batches import batches_of_like_length, lengths_of, padded_width
from seqtutor.training.pretrain_settings import PretrainSettings
from seqtutor.vocabulary import Vocabulary


@dataclass(frozen=True)
class Fit:
    """How well a model predicts sequences.

    Attributes:
        log_perplexity: mean −log p of a token, in nats.
        accuracy: share of the tokens that the model gives the highest probability.
        tokens, sequences: how many were measured.
    """

    log_perplexity: float
    accuracy: float
    tokens: int
    sequences: int

    def in_words(self, what: str) -> str:
        """A sentence on a prior that was measured on sequences of this name."""
        return (
            f"On {self.sequences:,} {what} the prior's log-perplexity is "
            f"{self.log_perplexity:.4f} nats a token, its accuracy {100 * self.accuracy:.2f} %."
        )


@dataclass(frozen=True)
class EpochRecord:
    """Losses of one pass over the training sequences, in nats a token."""

    epoch: int
    training_loss: float
    validation_loss: float


def new_model(vocabulary: Vocabulary, settings: PretrainSettings) -> SequenceModel:
    """The model that training with these settings starts from."""
    kind, key = chosen_kind(settings.model), jax.random.key(settings.seed)
    return kind.create(vocabulary.size, settings.architecture.for_vocabulary(vocabulary), key)


def token_log_likelihood(
    model: SequenceModel,
    tokens: Int[Array, "batch time"],
    dropout: float = 0.0,
    key: PRNGKeyArray | None = None,
) -> Float[Array, "batch time"]:
    """The log p of every token given those before it.

    With a `key`, a share `dropout` of the features before the readout is set to zero and the others
    are scaled up (Srivastava et al. 2014; only between layers, as Zaremba et al. 2014 do in
    recurrent networks).
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
    """Mean −log p of a token in nats, the log-perplexity; for `dropout` see the function above."""
    log_likelihood = jnp.where(mask, token_log_likelihood(model, tokens, dropout, key), 0.0)
    return -jnp.sum(log_likelihood) / jnp.sum(mask)


def measure_fit(model: SequenceModel, sequences: Sequences, batch: int = 512) -> Fit:
    """Log-perplexity and accuracy on all of `sequences`, `batch` of them at a time."""
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
    """A slice padded with masked rows, so that all batches have the same shape."""
    tokens, mask = sequences.tokens[start : start + batch], sequences.mask[start : start + batch]
    missing = ((0, batch - len(tokens)), (0, 0))
    return Sequences(np.pad(tokens, missing), np.pad(mask, missing))


@dataclass(frozen=True)
class Pretrained:
    """Where training stands after an epoch.

    Attributes:
        model: the best model so far, by validation loss.
        epochs: a record of each epoch so far.
        latest: the model after the last epoch.
        optimiser: the state of the optimiser after the last epoch.
    """

    model: SequenceModel
    epochs: list[EpochRecord]
    latest: SequenceModel
    optimiser: Any

    def after(self, latest: SequenceModel, optimiser: Any, record: EpochRecord) -> Pretrained:
        """The state after one more epoch, which ended with this model and optimiser state."""
        best = min((epoch.validation_loss for epoch in self.epochs), default=np.inf)
        kept = latest if record.validation_loss < best else self.model
        return Pretrained(kept, [*self.epochs, record], latest, optimiser)

    @property
    def epochs_since_best(self) -> int:
        """Epochs since the best model."""
        if not self.epochs:
            return 0
        losses = [epoch.validation_loss for epoch in self.epochs]
        return len(losses) - 1 - losses.index(min(losses))


def train_by_maximum_likelihood(
    model: SequenceModel,
    training: Sequences,
    validation: Sequences,
    settings: PretrainSettings,
    on_epoch: Callable[[Pretrained], object] = lambda so_far: None,
    on_update: Callable[[SequenceModel, int], None] = lambda model, updates: None,
    start: Pretrained | None = None,
) -> Pretrained:
    """Minimise the negative log-likelihood until the validation loss stops falling.

    The sequences stay on the host; one batch at a time is copied to the device.

    Args:
        model: to start from; its arrays are not changed.
        training: sequences to learn from.
        validation: sequences that determine the best model and when to stop.
        settings: of the training.
        on_epoch: called after each epoch with the state of the training, which ends where it
            returns False.
        on_update: called after each update with the current model and the number of updates.
        start: state of the same training after some epochs, from which it continues bit for bit.

    Raises:
        UserError: if there are fewer sequences than a batch, none to validate on, the loss is not
            finite, or the model is inconsistent (`require_consistent`).
    """
    if not len(validation):
        raise UserError("there are no sequences to validate on; give more data")
    require_consistent(model, training.tokens.shape[1])
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
            # One update is queued ahead, which keeps the device busy, and no more.
            jax.block_until_ready(losses[-2:][0])
            on_update(eqx.combine(weights, shape), updates)
        current = eqx.combine(weights, shape)
        fit = measure_fit(current, validation)
        record = EpochRecord(epoch, float(jnp.mean(jnp.stack(losses))), fit.log_perplexity)
        if not np.isfinite(record.training_loss + record.validation_loss):
            raise UserError(f"the loss is not finite in epoch {epoch}; lower the learning rate")
        so_far = so_far.after(current, state, record)
        if on_epoch(so_far) is False:
            break
    return so_far


def beginning(model: SequenceModel, training: Sequences, settings: PretrainSettings) -> Pretrained:
    """The state of a training before its first epoch.

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

    The loss is the sum over tokens divided by the expected number of tokens in a batch, not by the
    number in this one, so that every token has the same weight whatever batch it is in.
    """

    def loss(weights: Any) -> Array:
        model = eqx.combine(weights, shape)
        mean = negative_log_likelihood(model, tokens, mask, dropout, key)
        return mean * (jnp.sum(mask) / expected)

    tokens = tokens.astype(jnp.int32)
    value, gradient = jax.value_and_grad(loss)(weights)
    step, state = optimiser.update(gradient, state, weights)
    return optax.apply_updates(weights, step), state, value
