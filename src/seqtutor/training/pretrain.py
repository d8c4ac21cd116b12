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
from jaxtyping import Array, Bool, Float, Int

from seqtutor.errors import UserError
from seqtutor.models.base import SequenceModel
from seqtutor.objectives.temporal_difference import of_action
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


def token_log_likelihood(
    model: SequenceModel, tokens: Int[Array, "batch time"]
) -> Float[Array, "batch time"]:
    """The log p of every token given those before it."""
    return of_action(jax.nn.log_softmax(model.unroll(tokens)), tokens)


def negative_log_likelihood(
    model: SequenceModel, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
) -> Float[Array, ""]:
    """Mean −log p a token, in nats: the log-perplexity."""
    log_likelihood = jnp.where(mask, token_log_likelihood(model, tokens), 0.0)
    return -jnp.sum(log_likelihood) / jnp.sum(mask)


def measure_fit(model: SequenceModel, sequences: Sequences, batch: int = 512) -> Fit:
    """Log-perplexity and accuracy over all of `sequences`."""
    total = correct = 0.0
    for start in range(0, len(sequences), batch):
        part = _padded(sequences, start, batch)
        log_likelihood, hits = _batch_fit(model, jnp.asarray(part.tokens), jnp.asarray(part.mask))
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
    """The best model by validation loss, and the course of its training."""

    model: SequenceModel
    epochs: list[EpochRecord]


def train_by_maximum_likelihood(
    model: SequenceModel,
    training: Sequences,
    validation: Sequences,
    settings: PretrainSettings,
    on_epoch: Callable[[EpochRecord], None] = lambda record: None,
) -> Pretrained:
    """Minimise the negative log-likelihood until the validation loss stops falling.

    Raises:
        UserError: if there are fewer sequences than a batch, none to validate on, or the loss is
            not finite.
    """
    if len(training) < settings.batch:
        raise UserError(
            f"{len(training)} training sequences are fewer than a batch of {settings.batch}; "
            "give more data or a smaller batch"
        )
    if not len(validation):
        raise UserError("there are no sequences to validate on; give more data")
    batches = len(training) // settings.batch
    optimiser = _optimiser(settings, batches * settings.epochs)
    weights, shape = eqx.partition(model, eqx.is_inexact_array)
    carry = (jax.tree.map(jnp.copy, weights), optimiser.init(weights))
    tokens, mask = jnp.asarray(training.tokens, jnp.int32), jnp.asarray(training.mask)
    order_of = np.random.default_rng(settings.seed)
    best, best_loss, waited = model, np.inf, 0
    records: list[EpochRecord] = []
    for epoch in range(1, settings.epochs + 1):
        order = order_of.permutation(len(training))[: batches * settings.batch]
        carry, loss = _epoch(
            carry, shape, optimiser, tokens, mask, jnp.asarray(order.reshape(batches, -1))
        )
        current = eqx.combine(carry[0], shape)
        fit = measure_fit(current, validation)
        record = EpochRecord(epoch, float(loss), fit.log_perplexity)
        if not np.isfinite(record.training_loss + record.validation_loss):
            raise UserError(f"the loss is not finite in epoch {epoch}; lower the learning rate")
        records.append(record)
        on_epoch(record)
        if record.validation_loss < best_loss:
            best, best_loss, waited = jax.tree.map(jnp.copy, current), record.validation_loss, 0
        else:
            waited += 1
            if waited == settings.patience:
                break
    return Pretrained(best, records)


def _optimiser(settings: PretrainSettings, updates: int) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(settings.gradient_norm),
        optax.add_decayed_weights(settings.weight_decay),
        optax.adam(optax.cosine_decay_schedule(settings.learning_rate, updates, 0.01)),
    )


@partial(jax.jit, static_argnums=(1, 2), donate_argnums=0)
def _epoch(
    carry: tuple[Any, Any],
    shape: Any,
    optimiser: optax.GradientTransformation,
    tokens: Array,
    mask: Array,
    order: Int[Array, "batches batch"],
) -> tuple[tuple[Any, Any], Array]:
    def update(carry: tuple[Any, Any], rows: Array) -> tuple[tuple[Any, Any], Array]:
        weights, optimiser_state = carry
        loss, gradient = jax.value_and_grad(
            lambda w: negative_log_likelihood(eqx.combine(w, shape), tokens[rows], mask[rows])
        )(weights)
        step, optimiser_state = optimiser.update(gradient, optimiser_state, weights)
        return (optax.apply_updates(weights, step), optimiser_state), loss

    carry, losses = jax.lax.scan(update, carry, order)
    return carry, jnp.mean(losses)
