from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.training.replay import (
    LEAST_PRIORITY,
    Experience,
    add,
    draw,
    draw_by_priority,
    empty_replay,
    importance_weights,
    new_priorities,
    probabilities,
    take,
)

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
        jnp.broadcast_to(number[:, None], (batch, 3)) / 8,
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
    np.testing.assert_array_equal(drawn.log_prior * 8, drawn.tokens)
    np.testing.assert_array_equal(drawn.whole_log_prior[:, :, 1] * 4, drawn.tokens)
    assert drawn.mask.all()


def test_draws_are_uniform():
    replay = add(empty_replay(8, 3, 2), tagged(0, 4))
    counts = np.bincount(draw_compiled(replay, jax.random.key(0), 40_000).tokens[:, 0], minlength=8)
    assert counts[4:].sum() == 0
    assert np.abs(counts[:4] - 10_000).max() < 4 * np.sqrt(40_000 * 3 / 16)


def test_a_batch_that_would_wrap_is_refused():
    with pytest.raises(ValueError, match="not a multiple"):
        add(empty_replay(4, 3, 2), tagged(0, 3))


PRIORITIES = [3.0, 0.5, 1.0, 2.0, 7.0, 9.0]
STORED = 4


def prioritised():
    """Four sequences of six that fit; what the empty rows hold must not count."""
    replay = add(empty_replay(6, 3, 2), tagged(0, 2))
    return replace(add(replay, tagged(2, 2)), priorities=jnp.array(PRIORITIES))


def by_definition(exponent):
    powers = np.array(PRIORITIES[:STORED]) ** exponent
    return np.append(powers / powers.sum(), [0.0, 0.0])


@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0, 2.5])
def test_chances_are_powers_of_the_priorities(exponent):
    replay = prioritised()
    found = probabilities(replay.priorities, replay.filled, exponent)
    np.testing.assert_allclose(found, by_definition(exponent), rtol=1e-6)


def test_draws_follow_the_chances():
    rows = draw_by_priority(prioritised(), jax.random.key(1), 40_000, 0.6)
    counts, expected = np.bincount(rows, minlength=6), 40_000 * by_definition(0.6)
    assert counts[STORED:].sum() == 0
    assert (np.abs(counts - expected) <= 4 * np.sqrt(expected)).all()


@pytest.mark.parametrize("compensation", [0.0, 0.4, 1.0])
def test_weights_are_those_of_the_paper_over_the_largest_of_the_batch(compensation):
    rows = jnp.array([3, 0, 0, 2])
    found = importance_weights(prioritised(), rows, 0.7, compensation)
    raw = (STORED * by_definition(0.7)[np.asarray(rows)]) ** -compensation
    np.testing.assert_allclose(found, raw / raw.max(), rtol=1e-5)
    assert found.max() == 1


def test_weights_at_one_make_up_for_the_unequal_chances():
    """Drawn by priority and weighted, every sequence counts the same on average."""
    every = jnp.arange(STORED)
    weights = np.asarray(importance_weights(prioritised(), every, 0.7, 1.0))
    share = by_definition(0.7)[:STORED] * weights
    np.testing.assert_allclose(share, share[0], rtol=1e-5)


def test_a_new_sequence_has_the_highest_priority_and_then_that_of_its_error():
    replay = add(empty_replay(4, 3, 2), tagged(0, 2))
    np.testing.assert_array_equal(replay.priorities, [1, 1, 0, 0])
    learnt = new_priorities(replay.priorities, jnp.array([1, 0]), jnp.array([-5.0, 0.0]))
    np.testing.assert_allclose(learnt, [LEAST_PRIORITY, 5 + LEAST_PRIORITY, 0, 0], rtol=1e-6)
    replay = add(replace(replay, priorities=learnt), tagged(2, 2))
    np.testing.assert_allclose(replay.priorities[2:], 5 + LEAST_PRIORITY, rtol=1e-6)
