from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.rewards import Reward, as_reward, compiled, per_step
from seqtutor.task import Task
from tiny_problems import vocabulary

TOKENS = jnp.array([[0, 1, 2, 2], [1, 1, 1, 0], [2, 2, 2, 2]])
MASK = jnp.array([[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]], bool)


def on_the_host(tokens, mask):
    return {"ones": (tokens == 1) * 1.5, "length": mask.sum(1)}


@compiled
def in_the_loop(tokens, mask):
    return {"ones": (tokens == 1) * 1.5, "length": mask.sum(1)}


EXPECTED = {
    "ones": [[0, 1.5, 0, 0], [1.5, 1.5, 1.5, 0], [0, 0, 0, 0]],
    "length": [[0, 0, 3, 0], [0, 0, 0, 4], [1, 0, 0, 0]],
}


@pytest.mark.parametrize("function", [on_the_host, in_the_loop])
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_terms_are_weighted_summed_and_paid_at_the_last_token(function, transform):
    earned = transform(Reward(function, {"length": -2.0}).__call__)(TOKENS, MASK)
    ones, length = np.array(EXPECTED["ones"]), -2.0 * np.array(EXPECTED["length"])
    np.testing.assert_array_equal(earned.terms["ones"], ones)
    np.testing.assert_array_equal(earned.terms["length"], length)
    np.testing.assert_array_equal(earned.total, ones + length)


def test_what_a_term_says_past_the_end_is_dropped_even_if_it_is_not_a_number():
    term = jnp.where(MASK, 1.0, jnp.nan)
    np.testing.assert_array_equal(per_step("term", term, MASK), MASK * 1.0)


def test_a_host_reward_inside_a_scan_sees_each_iteration():
    @jax.jit
    def run(tokens):
        def body(shift, _):
            return shift + 1, Reward(on_the_host)((tokens + shift) % 3, MASK).terms["ones"]

        return jax.lax.scan(body, 0, length=3)[1]

    for shift, ones in enumerate(run(TOKENS)):
        np.testing.assert_array_equal(ones, 1.5 * ((TOKENS + shift) % 3 == 1) * MASK)


def test_under_vmap_a_host_reward_sees_one_batch_at_a_time():
    """So that what it says of a batch as a whole is the same in a batch of runs."""

    def against_the_others(tokens, mask):
        assert tokens.shape == mask.shape == TOKENS.shape
        return {"above": (tokens > tokens[mask].mean()) * 1.0, "sum": tokens.sum(1)}

    batches = jnp.stack([TOKENS, (TOKENS + 1) % 3, TOKENS[::-1]])
    masks = jnp.stack([MASK, jnp.ones_like(MASK), MASK[::-1]])
    reward = Reward(against_the_others, {"sum": 0.5})

    @jax.jit
    @jax.vmap
    def together(tokens, mask):
        earned = reward(tokens, mask)
        return earned.total, earned.terms

    totals, terms = together(batches, masks)
    for row, alone in enumerate(map(reward, batches, masks)):
        np.testing.assert_array_equal(totals[row], alone.total)
        for name, term in alone.terms.items():
            np.testing.assert_array_equal(terms[name][row], term)


@pytest.mark.parametrize("mark", [lambda f: f, compiled])
@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"bad": np.zeros((2, 4))}, r"'bad' has shape \(2, 4\)"),
        ({"bad": 1.0}, r"'bad' has shape \(\)"),
        ({}, "at least one named term"),
        (np.zeros((3, 4)), "must give a dictionary"),
    ],
)
def test_a_malformed_reward_is_the_users_error(mark, terms, message):
    with pytest.raises(UserError, match=message):
        Reward(mark(lambda tokens, mask: terms))(TOKENS, MASK)


def test_a_weight_without_a_term_is_named_with_the_terms_there_are():
    with pytest.raises(UserError, match=r"no term 'lenght'; its terms are ones, length"):
        Reward(on_the_host, {"lenght": 1.0})(TOKENS, MASK)


def test_a_task_takes_a_bare_function_and_refuses_no_length():
    task = Task(vocabulary(3), 4, on_the_host)
    np.testing.assert_array_equal(
        as_reward(task.reward)(TOKENS, MASK).total, Reward(on_the_host)(TOKENS, MASK).total
    )
    with pytest.raises(UserError, match="at least one token"):
        Task(vocabulary(3), 0, on_the_host)
