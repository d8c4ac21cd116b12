"""Similarity of a generator to data: the columns of the adversarial papers' tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from seqtutor.data import Sequences
from seqtutor.measures.bleu import corpus_bleu, self_bleu, sentence_bleu
from seqtutor.models.base import SequenceModel
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.training.pretrain import measure_fit
from seqtutor.types import SequenceBatch, in_parts

BATCH = 64
"""Sequences whose log-probabilities over the vocabulary are in memory at a time."""


@dataclass(frozen=True)
class Likeness:
    """A generator compared with held-out sequences; likelihood and entropy in nats per token.

    Attributes:
        cross_entropy: H(p_data, p_gen), the mean −log p_gen of held-out tokens.
        entropy: H(p_gen), estimated on the samples.
        bleu: mean sentence BLEU of the samples against all held-out sequences, as published.
        corpus_bleu: of all samples together, without smoothing.
        self_bleu: mean sentence BLEU of each sample against the others; lower is more diverse. It
            increases with the number of samples: compare equal numbers only.
    """

    cross_entropy: float
    entropy: float
    bleu: float
    corpus_bleu: float
    self_bleu: float


def likeness(model: SequenceModel, held_out: SequenceBatch, samples: SequenceBatch) -> Likeness:
    """Measure a generator on held-out sequences and on its own samples at temperature one.

    Raises:
        ValueError: if there are fewer than two samples.
    """
    return Likeness(
        cross_entropy=measure_fit(model, _as_arrays(held_out), BATCH).log_perplexity,
        entropy=sampled_entropy(model, samples).entropy,
        **bleus(held_out, samples)._asdict(),
    )


class Bleus(NamedTuple):
    """The measures of `Likeness` that need samples only, not the generator."""

    bleu: float
    corpus_bleu: float
    self_bleu: float


def bleus(held_out: SequenceBatch, samples: SequenceBatch) -> Bleus:
    """BLEU of samples against held-out sequences and against each other.

    Raises:
        ValueError: if there are fewer than two samples.
    """
    real, generated = _as_arrays(held_out), _as_arrays(samples)
    both = (generated.tokens, generated.mask, real.tokens, real.mask)
    return Bleus(
        bleu=float(sentence_bleu(*both).mean()),
        corpus_bleu=corpus_bleu(*both),
        self_bleu=self_bleu(generated.tokens, generated.mask),
    )


class SampledEntropy(NamedTuple):
    """Two estimates of H(p_gen) in nats per token, from the same samples.

    `entropy` is the mean over tokens of the exact entropy of the conditional distribution,
    `surprise` the mean −log p_gen of the tokens. Their expectations are equal; the variance of the
    first is lower.
    """

    entropy: float
    surprise: float


def sampled_entropy(model: SequenceModel, samples: SequenceBatch) -> SampledEntropy:
    """The entropy of a generator, from its own samples at temperature one."""
    return SampledEntropy(*map(float, _entropies(model, samples)))


@eqx.filter_jit
def _entropies(model: SequenceModel, samples: SequenceBatch) -> Float[Array, " estimates"]:
    def totals(part: tuple[Array, Array]) -> Float[Array, " estimates"]:
        tokens, mask = part
        log_probabilities = jax.nn.log_softmax(model.unroll(tokens))
        exact = jnp.sum(jax.scipy.special.entr(jnp.exp(log_probabilities)), axis=-1)
        surprise = -of_action(log_probabilities, tokens)
        return jnp.stack([jnp.sum(jnp.where(mask, one, 0.0)) for one in (exact, surprise)])

    found = jax.lax.map(totals, in_parts(samples, min(BATCH, len(samples))))
    return jnp.sum(found, axis=0) / jnp.sum(samples.mask)


def _as_arrays(batch: SequenceBatch) -> Sequences:
    return Sequences(np.asarray(batch.tokens), np.asarray(batch.mask))
