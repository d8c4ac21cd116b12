from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.training.replay import Experience, add, draw, empty_replay, take

add_compiled = jax.jit(add)


@partial(jax.jit, static_argnums=2)
def draw_compiled(replay, key, batch):
    return take(replay, draw(replay, key, batch))


def tagged(first, batch):
    """Sequences that carry their number in every field."""
    number = jnp.arange(first, first + batch)
    return Experience(
        jnp.broadcast_to(number[:, None], (batch, 3)).astype(jnp.int32),
        jnp.ones((batch, 3), bool),
        jnp.broadcast_to(number[:, None], (batch, 3)) / 2,
        jnp.broadcast_to(number[:, None, None], (batch, 3, 2)) / 4,
    )


@given(st.sampled_from([(4, 2), (3, 1)]), st.integers(1, 9))
@settings(deadline=None, max_examples=25)
def test_the_ring_keeps_the_newest_and_draws_only_what_was_stored(sizes, batches):
    capacity, batch = sizes
    replay = empty_replay(capacity, 3, 2)
    for index in range(batches):
        replay = add_compiled(replay, tagged(index * batch, batch))
    kept = set(range(max(0, batches * batch - capacity), batches * batch))
    assert int(replay.filled) == len(kept) == min(capacity, batches * batch)
    drawn = draw_compiled(replay, jax.random.key(batches), 256)
    assert set(drawn.tokens[:, 0].tolist()) == kept
    np.testing.assert_array_equal(drawn.rewards * 2, drawn.tokens)
    np.testing.assert_array_equal(drawn.log_prior[:, :, 1] * 4, drawn.tokens)
    assert drawn.mask.all()


def test_draws_are_uniform():
    replay = add(empty_replay(8, 3, 2), tagged(0, 4))
    counts = np.bincount(draw_compiled(replay, jax.random.key(0), 40_000).tokens[:, 0], minlength=8)
    assert counts[4:].sum() == 0
    assert np.abs(counts[:4] - 10_000).max() < 4 * np.sqrt(40_000 * 3 / 16)


def test_a_batch_that_would_wrap_is_refused():
    with pytest.raises(ValueError, match="not a multiple"):
        add(empty_replay(4, 3, 2), tagged(0, 3))
