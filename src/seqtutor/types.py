"""The arrays that travel between the parts of the loop."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Trajectories(eqx.Module):
    """A batch of sequences as they were generated.

    `mask` is true up to and with the last token of a sequence; what lies beyond is padding.
    Log-probabilities are those of the policy and the prior at temperature one, over the whole
    vocabulary before each token, whatever behaviour chose the tokens.
    """

    tokens: Int[Array, "batch time"]
    mask: Bool[Array, "batch time"]
    log_policy: Float[Array, "batch time vocab"]
    log_prior: Float[Array, "batch time vocab"]


class SequenceBatch(eqx.Module):
    """Sequences without more; `mask` is true up to and with the last token of each."""

    tokens: Int[Array, "batch time"]
    mask: Bool[Array, "batch time"]

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def __getitem__(self, rows: slice | Int[Array, " rows"]) -> SequenceBatch:
        """Some of the sequences."""
        return SequenceBatch(self.tokens[rows], self.mask[rows])


def in_parts(
    batch: SequenceBatch, size: int
) -> tuple[Int[Array, "parts size time"], Bool[Array, "parts size time"]]:
    """Tokens and mask in parts of `size` sequences, to be mapped over.

    The last part is filled up with sequences that are masked from their first token on.
    """
    missing = ((0, -len(batch) % size), (0, 0))
    tokens, mask = jnp.pad(batch.tokens, missing), jnp.pad(batch.mask, missing)
    shape = (-1, size, tokens.shape[1])
    return tokens.reshape(shape), mask.reshape(shape)


def join(*batches: SequenceBatch) -> SequenceBatch:
    """All sequences one after the other."""
    return SequenceBatch(
        jnp.concatenate([batch.tokens for batch in batches]),
        jnp.concatenate([batch.mask for batch in batches]),
    )
