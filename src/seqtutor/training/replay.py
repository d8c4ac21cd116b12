"""A ring of whole sequences.

Single transitions would need the recurrent state they were seen in, and that state is stale as
soon as the network is updated. Sequences are replayed from their first token instead.

Prioritised replay is that of Schaul et al. (2016), "Prioritized experience replay", proportional:
a sequence of priority p_i is drawn with P(i) ∝ p_i^α, its loss is weighted by (N·P(i))^−β over the
largest such weight of the batch, and its priority becomes the size of its error. A new one gets the
highest priority there is.
"""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from seqtutor.methods.base import Experience
from seqtutor.methods.settings import ReplaySettings

LEAST_PRIORITY = 1e-2
"""In nats; what has no error left is still drawn now and then."""


class Replay(eqx.Module):
    """A ring of `capacity` sequences; the oldest are written over."""

    stored: Experience
    priorities: Float[Array, " capacity"]
    next_slot: Int[Array, ""]
    filled: Int[Array, ""]

    @property
    def capacity(self) -> int:
        """How many sequences fit."""
        return self.stored.tokens.shape[0]


def empty_replay(capacity: int, length: int, vocabulary_size: int | None = None) -> Replay:
    """A ring with room for `capacity` sequences and none in it.

    With a vocabulary's size there is room for the prior's log-probabilities of all its tokens.
    """
    shape = (capacity, length)
    return Replay(
        Experience(
            jnp.zeros(shape, jnp.int32),
            jnp.zeros(shape, bool),
            jnp.zeros(shape),
            jnp.zeros(shape),
            None if vocabulary_size is None else jnp.zeros((*shape, vocabulary_size)),
        ),
        priorities=jnp.zeros(capacity),
        next_slot=jnp.zeros((), jnp.int32),
        filled=jnp.zeros((), jnp.int32),
    )


def filled_replay(experience: Experience) -> Replay:
    """A full ring of these sequences."""
    capacity = experience.tokens.shape[0]
    return Replay(
        experience,
        priorities=jnp.ones(capacity),
        next_slot=jnp.zeros((), jnp.int32),
        filled=jnp.asarray(capacity, jnp.int32),
    )


def add(replay: Replay, experience: Experience) -> Replay:
    """Store a batch, at the highest priority that any sequence has, or 1 if there is none.

    The capacity must be a multiple of the batch, so that no write wraps.
    """
    batch = experience.tokens.shape[0]
    if replay.capacity % batch:
        raise ValueError(f"a replay of {replay.capacity} is not a multiple of {batch} sequences")
    # By row and not as one slice: of a ring that is split among devices each writes its own rows.
    rows = replay.next_slot + jnp.arange(batch)
    stored = jax.tree.map(
        lambda ring, new: ring.at[rows].set(new, indices_are_sorted=True, unique_indices=True),
        replay.stored,
        experience,
    )
    highest = jnp.where(replay.filled > 0, jnp.max(replay.priorities), 1.0)
    priorities = jax.lax.dynamic_update_slice_in_dim(
        replay.priorities, jnp.full(batch, highest), replay.next_slot, axis=0
    )
    return Replay(
        stored,
        priorities,
        (replay.next_slot + batch) % replay.capacity,
        jnp.minimum(replay.filled + batch, replay.capacity),
    )


def draw(replay: Replay, key: PRNGKeyArray, batch: int) -> Int[Array, " batch"]:
    """Pick rows of stored sequences uniformly, with replacement."""
    return jax.random.randint(key, (batch,), 0, replay.filled)


def probabilities(
    priorities: Float[Array, " capacity"], filled: Int[Array, ""], exponent: float
) -> Float[Array, " capacity"]:
    """P(i) = p_i^α / Σ p_j^α over the stored sequences, zero elsewhere."""
    is_stored = jnp.arange(len(priorities)) < filled
    powers = jnp.where(is_stored, priorities, 0.0) ** exponent
    powers = jnp.where(is_stored, powers, 0.0)  # for α = 0, where 0^0 = 1
    return powers / jnp.sum(powers)


def draw_by_priority(
    replay: Replay, key: PRNGKeyArray, batch: int, exponent: float
) -> Int[Array, " batch"]:
    """Pick rows with P(i) ∝ p_i^α, with replacement."""
    chances = probabilities(replay.priorities, replay.filled, exponent)
    # Rounding could place the last draws in a row beyond those that are stored.
    return jnp.minimum(
        jax.random.choice(key, replay.capacity, (batch,), p=chances), replay.filled - 1
    )


def importance_weights(
    replay: Replay,
    rows: Int[Array, " batch"],
    exponent: float,
    compensation: float | Float[Array, ""],
) -> Float[Array, " batch"]:
    """(N·P(i))^−β over the largest of the batch, so that no loss is scaled up.

    Args:
        replay: where the rows were drawn from.
        rows: of the batch.
        exponent: α.
        compensation: β; 1 makes up for the unequal chances entirely.
    """
    chances = probabilities(replay.priorities, replay.filled, exponent)[rows]
    weights = (replay.filled * chances) ** -compensation
    return weights / jnp.max(weights)


def new_priorities(
    priorities: Float[Array, " capacity"],
    rows: Int[Array, " batch"],
    errors: Float[Array, " batch"],
) -> Float[Array, " capacity"]:
    """Give rows the sizes of their errors as priorities, and a little more than zero to each."""
    return priorities.at[rows].set(jnp.abs(errors) + LEAST_PRIORITY)


def take(replay: Replay, rows: Int[Array, " batch"]) -> Experience:
    """The sequences in these rows."""
    return jax.tree.map(lambda ring: ring[rows], replay.stored)


def draw_prioritised(
    replay: Replay, key: PRNGKeyArray, settings: ReplaySettings, progress: Float[Array, ""]
) -> tuple[Int[Array, " batch"], Experience]:
    """Rows by their priorities, and their sequences with importance weights.

    β rises linearly from its first value to 1 at the end of the run.
    """
    exponent, start = settings.priority_exponent, settings.importance_exponent
    rows = draw_by_priority(replay, key, settings.batch, exponent)
    weights = importance_weights(replay, rows, exponent, start + (1 - start) * progress)
    return rows, replace(take(replay, rows), weights=weights)
