"""Training of a discriminator to tell real from generated sequences, and how well it does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator, Discriminator
from seqtutor.adversarial.settings import DiscriminationSettings, DiscriminatorSettings
from seqtutor.errors import UserError
from seqtutor.objectives.temporal_difference import masked_mean
from seqtutor.types import SequenceBatch, in_parts, join

BATCH = 256
"""Sequences whose logits are computed at a time; more need memory and are no faster."""

Scalar = Float[Array, ""]


class DiscriminatorState(eqx.Module):
    """All that changes while a discriminator learns."""

    discriminator: ConvolutionalDiscriminator
    optimiser: Any
    key: PRNGKeyArray


def new_discriminator_state(
    vocabulary_size: int,
    sizes: DiscriminatorSettings,
    settings: DiscriminationSettings,
    key: PRNGKeyArray,
) -> DiscriminatorState:
    """A discriminator with random weights."""
    weights_key, key = jax.random.split(key)
    discriminator = ConvolutionalDiscriminator(vocabulary_size, **asdict(sizes), key=weights_key)
    weights = eqx.filter(discriminator, eqx.is_inexact_array)
    return DiscriminatorState(discriminator, _optimiser(settings).init(weights), key)


def _optimiser(settings: DiscriminationSettings) -> optax.GradientTransformation:
    return optax.adam(settings.learning_rate)


@partial(jax.jit, static_argnums=3)
def train_epoch(
    state: DiscriminatorState,
    real: SequenceBatch,
    generated: SequenceBatch,
    settings: DiscriminationSettings,
) -> tuple[DiscriminatorState, dict[str, Scalar]]:
    """One pass over the sequences, in one compiled program for each pair of their numbers.

    Every batch is half real and half generated. The larger set is passed once, the smaller one as
    often as that takes. What does not fill a batch is left out, another part in each epoch.

    Returns:
        The next state, and the epoch's mean `loss` and the `gradient_norm`.

    Raises:
        UserError: if there are fewer sequences of both kinds than half a batch.
    """
    half = settings.batch // 2
    longest = max(len(real), len(generated))
    if longest < half:
        raise UserError(
            f"{longest} sequences are fewer than half a batch of {settings.batch}; give the "
            "discriminator more of them or a smaller batch"
        )
    wanted = longest // half * half
    key, real_key, generated_key, dropout_key = jax.random.split(state.key, 4)
    batches = (
        _shuffled(real_key, len(real), wanted).reshape(-1, half),
        _shuffled(generated_key, len(generated), wanted).reshape(-1, half),
        jax.random.split(dropout_key, wanted // half),
    )

    def update(
        carry: tuple[ConvolutionalDiscriminator, Any], at: tuple[Array, Array, Array]
    ) -> tuple[tuple[ConvolutionalDiscriminator, Any], dict[str, Scalar]]:
        discriminator, optimiser = carry
        batch = real[at[0]], generated[at[1]]
        loss, gradient = eqx.filter_value_and_grad(discrimination_loss)(
            discriminator, *batch, settings, at[2]
        )
        step, optimiser = _optimiser(settings).update(gradient, optimiser)
        metrics = {"loss": loss, "gradient_norm": optax.tree.norm(gradient)}
        return (eqx.apply_updates(discriminator, step), optimiser), metrics

    start = (state.discriminator, state.optimiser)
    carry, metrics = jax.lax.scan(update, start, batches)
    return DiscriminatorState(*carry, key), jax.tree.map(jnp.mean, metrics)


def _shuffled(key: PRNGKeyArray, number: int, wanted: int) -> Int[Array, " wanted"]:
    """Row numbers in random order; none comes again before all have come."""
    keys = jax.random.split(key, -(-wanted // number))
    orders = jax.vmap(lambda one: jax.random.permutation(one, number))(keys)
    return orders.reshape(-1)[:wanted]


def discrimination_loss(
    discriminator: ConvolutionalDiscriminator,
    real: SequenceBatch,
    generated: SequenceBatch,
    settings: DiscriminationSettings,
    key: PRNGKeyArray | None = None,
) -> Scalar:
    """Mean cross-entropy of the labels, with the penalties that the settings ask for.

    (Goodfellow et al. 2014, eq. 1.) Without a `key` nothing is dropped.
    """
    both = join(real, generated)
    is_real = jnp.arange(len(both)) < len(real)
    labels = jnp.where(is_real, 1.0 - settings.label_smoothing, 0.0)
    if settings.prefixes:
        logits = discriminator.prefix_logits(both.tokens, key=key)
        losses = optax.sigmoid_binary_cross_entropy(logits, labels[:, None])
        loss = masked_mean(losses, both.mask)
    else:
        logits = discriminator.logits(both.tokens, both.mask, key=key)
        loss = jnp.mean(optax.sigmoid_binary_cross_entropy(logits, labels))
    if settings.output_penalty:
        squares = jnp.sum(discriminator.output_weight**2) + discriminator.output_bias**2
        loss = loss + 0.5 * settings.output_penalty * squares
    if settings.gradient_penalty:
        loss = loss + 0.5 * settings.gradient_penalty * squared_gradient(discriminator, real)
    return loss


def squared_gradient(discriminator: ConvolutionalDiscriminator, batch: SequenceBatch) -> Scalar:
    """E‖∇ logit‖² in the embedded tokens of the sequences (Mescheder et al. 2018, eq. 9)."""

    def total(embedded: Float[Array, "batch time embedding"]) -> Scalar:
        return jnp.sum(discriminator.logits_of_embedded(embedded, batch.mask))

    gradient = jax.grad(total)(discriminator.embed(batch.tokens))
    return jnp.sum(gradient**2) / len(batch)


def logits_of(discriminator: Discriminator, sequences: SequenceBatch) -> Float[np.ndarray, " n"]:
    """The logit of every sequence."""
    return np.asarray(_logits(discriminator, sequences))


@eqx.filter_jit
def _logits(discriminator: Discriminator, sequences: SequenceBatch) -> Float[Array, " n"]:
    parts = in_parts(sequences, min(len(sequences), BATCH))
    found = jax.lax.map(lambda part: discriminator.logits(*part), parts)
    return found.reshape(-1)[: len(sequences)]


@dataclass(frozen=True)
class Discrimination:
    """How well a discriminator classifies; real is the positive class, D > ½ means real.

    Attributes:
        accuracy: share of all sequences that are classified correctly.
        precision: share of real ones among those classified as real; 0 where there are none.
        recall: share of the real ones that are classified as real.
        mean_real, deviation_real: mean and standard deviation of D over real sequences.
        mean_generated, deviation_generated: the same over generated ones.
    """

    accuracy: float
    precision: float
    recall: float
    mean_real: float
    deviation_real: float
    mean_generated: float
    deviation_generated: float


def discrimination(
    real_logits: Float[np.ndarray, " real"], generated_logits: Float[np.ndarray, " generated"]
) -> Discrimination:
    """The classification measures of these logits.

    Precision and accuracy depend on the numbers of both kinds: compare equal numbers.
    """
    true_positives = int((real_logits > 0).sum())
    false_positives = int((generated_logits > 0).sum())
    positives = true_positives + false_positives
    correct = true_positives + len(generated_logits) - false_positives
    real, generated = (
        # exp(−log(1 + e^−x)), which does not overflow
        np.exp(-np.logaddexp(0.0, -np.asarray(logits, np.float64)))
        for logits in (real_logits, generated_logits)
    )
    return Discrimination(
        accuracy=correct / (len(real_logits) + len(generated_logits)),
        precision=true_positives / positives if positives else 0.0,
        recall=true_positives / len(real_logits),
        mean_real=float(real.mean()),
        deviation_real=float(real.std()),
        mean_generated=float(generated.mean()),
        deviation_generated=float(generated.std()),
    )


def cross_entropy(
    real_logits: Float[np.ndarray, " real"], generated_logits: Float[np.ndarray, " generated"]
) -> float:
    """Mean of the two classes' cross-entropies; log 2 for a discriminator that cannot tell."""
    real = np.logaddexp(0.0, -np.asarray(real_logits, np.float64)).mean()
    generated = np.logaddexp(0.0, np.asarray(generated_logits, np.float64)).mean()
    return float(real + generated) / 2
