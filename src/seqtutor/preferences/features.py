"""What a preference model reads of a sequence, as numbers of each of its prefixes."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from seqtutor.data import Sequences
from seqtutor.models.base import SequenceModel
from seqtutor.objectives.temporal_difference import of_action
from seqtutor.task_records import SequenceFeatures
from seqtutor.vocabulary import Vocabulary

MOST_TOKENS = 64
"""Tokens whose shares are features: the most frequent ones of the compared sequences."""
BATCH = 256
"""Sequences whose features are computed at a time."""


def running_mean(
    values: Float[Array, "batch time *features"], mask: Bool[Array, "batch time"]
) -> Float[Array, "batch time *features"]:
    """The mean over the tokens of each prefix."""
    weights = mask.astype(values.dtype).reshape(*mask.shape, *(1,) * (values.ndim - 2))
    return jnp.cumsum(values * weights, axis=1) / jnp.maximum(jnp.cumsum(weights, axis=1), 1.0)


def token_features(
    tokens: Sequence[int], vocabulary: Vocabulary, max_length: int
) -> SequenceFeatures:
    """Features that sequences of any task have.

    They are the length as a share of the longest, the share of the tokens that repeat the one
    before, the number of distinct ones of `tokens` as a share of the length, and the share of each
    of `tokens`.

    Args:
        tokens: ids.
        vocabulary: names them.
        max_length: of a sequence.
    """
    counted = jnp.asarray(tokens, jnp.int32)

    def of_prefixes(
        ids: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> Float[Array, "batch time features"]:
        is_each = (ids[..., None] == counted) & mask[..., None]
        before = jnp.pad(ids[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
        counts = jnp.cumsum(is_each.astype(jnp.float32), axis=1)
        length = jnp.maximum(jnp.cumsum(mask.astype(jnp.float32), axis=1), 1.0)
        repeats = running_mean((ids == before).astype(jnp.float32), mask)
        distinct = jnp.sum(counts > 0, axis=2) / length
        alone = jnp.stack([length / max_length, repeats, distinct], axis=2)
        return jnp.concatenate([alone, counts / length[..., None]], axis=2)

    names = ("length", "repeats", "distinct", *(f"share of {vocabulary.tokens[t]}" for t in tokens))
    return SequenceFeatures(names, of_prefixes)


def frequent_tokens(sequences: Sequences) -> list[int]:
    """The most frequent token ids, at most `MOST_TOKENS`, in ascending order."""
    ids, counts = np.unique(sequences.tokens[sequences.mask], return_counts=True)
    return sorted(ids[np.argsort(-counts, kind="stable")][:MOST_TOKENS].tolist())


def network_features(model: SequenceModel) -> SequenceFeatures:
    """The means over a prefix of the features that a network has computed, and of log p.

    The features at a token are those after reading it.
    """

    def of_prefixes(
        ids: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> Float[Array, "batch time features"]:
        # One token more, so that the network reads the last one.
        longer = jnp.pad(ids, ((0, 0), (0, 1)))
        computed = model.features(longer)
        log_probabilities = jax.nn.log_softmax(model.readout(computed[:, :-1]))
        of_tokens = of_action(log_probabilities, ids)[..., None]
        return running_mean(jnp.concatenate([computed[:, 1:], of_tokens], axis=2), mask)

    names = (*(f"network {number}" for number in range(model.feature_size)), "log p")
    return SequenceFeatures(names, of_prefixes)


def joined(parts: Sequence[SequenceFeatures]) -> SequenceFeatures:
    """The features of all parts."""

    def of_prefixes(
        ids: Int[Array, "batch time"], mask: Bool[Array, "batch time"]
    ) -> Float[Array, "batch time features"]:
        return jnp.concatenate([part.of_prefixes(ids, mask) for part in parts], axis=2)

    return SequenceFeatures(tuple(name for part in parts for name in part.names), of_prefixes)


def last(
    values: Float[Array, "batch time ..."], mask: Bool[Array, "batch time"]
) -> Float[Array, "batch ..."]:
    """What belongs to the longest prefix, the sequence itself."""
    row = jnp.sum(mask, axis=1) - 1
    return values[jnp.arange(len(row)), row]


def features_of(
    features: SequenceFeatures, sequences: Sequences
) -> Float[np.ndarray, "sequences features"]:
    """The features of whole sequences, in double precision."""
    compute = jax.jit(lambda ids, mask: last(features.of_prefixes(ids, mask), mask))
    parts = [
        np.asarray(compute(sequences.tokens[at : at + BATCH], sequences.mask[at : at + BATCH]))
        for at in range(0, len(sequences), BATCH)
    ]
    return np.concatenate(parts).astype(np.float64)
