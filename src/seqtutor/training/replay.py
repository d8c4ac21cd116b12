"""A ring of whole sequences.

Single transitions would need the recurrent state they were seen in, and that state is stale as
soon as the network is updated. Sequences are replayed from their first token instead.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray


class Experience(eqx.Module):
    """Sequences with what they earned (r, not divided by c) and the prior's log-probabilities."""

    tokens: Int[Array, "batch time"]
    mask: Bool[Array, "batch time"]
    rewards: Float[Array, "batch time"]
    log_prior: Float[Array, "batch time vocab"]


class Replay(eqx.Module):
    """A ring of `capacity` sequences; the oldest are written over."""

    stored: Experience
    next_slot: Int[Array, ""]
    filled: Int[Array, ""]

    @property
    def capacity(self) -> int:
        """How many sequences fit."""
        return self.stored.tokens.shape[0]


def empty_replay(capacity: int, length: int, vocabulary_size: int) -> Replay:
    """A ring with room for `capacity` sequences and none in it."""
    return Replay(
        Experience(
            jnp.zeros((capacity, length), jnp.int32),
            jnp.zeros((capacity, length), bool),
            jnp.zeros((capacity, length)),
            jnp.zeros((capacity, length, vocabulary_size)),
        ),
        next_slot=jnp.zeros((), jnp.int32),
        filled=jnp.zeros((), jnp.int32),
    )


def add(replay: Replay, experience: Experience) -> Replay:
    """Store a batch. The capacity must be a multiple of the batch, so that no write wraps."""
    batch = experience.tokens.shape[0]
    if replay.capacity % batch:
        raise ValueError(f"a replay of {replay.capacity} is not a multiple of {batch} sequences")
    stored = jax.tree.map(
        lambda ring, new: jax.lax.dynamic_update_slice_in_dim(ring, new, replay.next_slot, axis=0),
        replay.stored,
        experience,
    )
    return Replay(
        stored,
        (replay.next_slot + batch) % replay.capacity,
        jnp.minimum(replay.filled + batch, replay.capacity),
    )


def draw(replay: Replay, key: PRNGKeyArray, batch: int) -> Int[Array, " batch"]:
    """Pick rows of stored sequences uniformly, with replacement."""
    return jax.random.randint(key, (batch,), 0, replay.filled)


def take(replay: Replay, rows: Int[Array, " batch"]) -> Experience:
    """The sequences in these rows."""
    return jax.tree.map(lambda ring: ring[rows], replay.stored)
