from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.rewards import Reward, compiled, per_step
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


def test_a_task_holds_a_reward_whatever_it_was_given():
    task = Task(vocabulary(3), 4, on_the_host)
    assert isinstance(task.reward, Reward)
    np.testing.assert_array_equal(
        task.reward(TOKENS, MASK).total, Reward(on_the_host)(TOKENS, MASK).total
    )
    weighted = Reward(on_the_host, {"length": 3.0})
    assert Task(vocabulary(3), 4, weighted).reward is weighted
    assert replace(task, max_length=5).reward is task.reward


@pytest.mark.parametrize(
    ("length", "reward", "message"),
    [(0, on_the_host, "at least one token"), (4, {"ones": 1.0}, "needs a reward function")],
)
def test_a_task_refuses_what_it_cannot_use(length, reward, message):
    with pytest.raises(UserError, match=message):
        Task(vocabulary(3), length, reward)


class WithMemory:
    """Pays the number of batches so far; its other methods note their calls."""

    def __init__(self):
        self.batches, self.calls, self.end = 0, [], None

    def __call__(self, tokens, mask):
        self.batches += 1
        return {"batches": np.full(len(tokens), self.batches)}

    def restart(self):
        self.batches = 0

    def state(self):
        return {"batches": self.batches}

    def restore(self, state):
        self.batches = state["batches"]

    def write(self, folder):
        self.calls.append(("write", folder))

    def close(self):
        self.calls.append("close")


def test_what_a_function_can_do_it_does_through_its_reward():
    function = WithMemory()
    reward = Reward(function)
    assert reward.has_memory
    for expected in (1, 2):
        assert float(reward(TOKENS, MASK).total[2, 0]) == expected
    assert reward.state() == {"batches": 2}
    reward.restart()
    assert float(reward(TOKENS, MASK).total[2, 0]) == 1
    reward.restore({"batches": 7})
    assert float(reward(TOKENS, MASK).total[2, 0]) == 8
    assert reward.end is None
    function.end = "enough"
    assert reward.end == "enough"
    reward.write(Path("run"))
    with Task(vocabulary(3), 4, reward):
        pass
    assert function.calls == [("write", Path("run")), "close"]


@pytest.mark.parametrize("function", [on_the_host, in_the_loop])
def test_a_plain_function_has_no_memory_and_nothing_to_write_or_close(function):
    reward = Reward(function)
    assert not reward.has_memory
    assert not reward.can_start
    assert reward.state() is None
    assert reward.end is None
    reward.restart(), reward.restore(None), reward.write(Path("run")), reward.close()


def test_an_instance_can_say_that_it_has_no_memory():
    function = WithMemory()
    function.has_memory = False
    assert not Reward(function).has_memory
    assert Reward(function).state() is None


def test_a_memory_that_cannot_be_restored_is_refused():
    class Half:
        restart = state = __call__ = lambda *arguments: {}

    with pytest.raises(UserError, match=r"needs restart\(\), state\(\) and restore\(\).* restore"):
        Reward(Half())


def fails_on_twos(tokens, mask):
    if (tokens == 2).any():
        raise ZeroDivisionError("no notes")
    return {"one": np.ones(len(tokens))}


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_a_host_reward_that_fails_says_where(transform, capfd, caplog):
    reward = Reward(fails_on_twos)
    line = fails_on_twos.__code__.co_firstlineno + 2
    message = rf"the reward failed: ZeroDivisionError: no notes \(line {line} of .*test_reward.py\)"
    called = transform(reward.__call__)
    with pytest.raises(UserError, match=message), reward.reporting_failures():
        jax.block_until_ready(called(TOKENS, MASK))
    assert "Traceback" not in capfd.readouterr().err + caplog.text
    with reward.reporting_failures():
        np.testing.assert_array_equal(called(0 * TOKENS, MASK).total.sum(axis=1), np.ones(3))


def test_a_failure_that_nobody_asked_for_is_not_reported_later():
    reward = Reward(fails_on_twos)
    with pytest.raises(Exception, match="no notes"):
        jax.block_until_ready(jax.jit(reward.__call__)(TOKENS, MASK))
    with pytest.raises(KeyError), reward.reporting_failures():
        raise KeyError


@compiled
def asks_for_a_value(tokens, mask):
    if tokens.sum() > 3:
        return {"one": mask * 1.0}
    return {"one": mask * 2.0}


@compiled
def calls_numpy(tokens, mask):
    return {"vowels": np.isin(tokens, [0, 4])}


@compiled
def counts(tokens, mask):
    return {"one": {tokens[0, 0]: mask}[0]}


@pytest.mark.parametrize(
    ("function", "line", "reason"),
    [
        (asks_for_a_value, 2, "TracerBoolConversionError: Attempted boolean conversion"),
        (calls_numpy, 2, "TracerArrayConversionError"),
        (counts, 2, "TypeError: unhashable"),
    ],
)
def test_a_compiled_reward_that_cannot_be_traced_says_where_and_what_to_do(function, line, reason):
    line += function.__code__.co_firstlineno
    with pytest.raises(UserError) as caught:
        jax.jit(Reward(function).__call__)(TOKENS, MASK)
    message = str(caught.value)
    assert message.startswith(f"the reward {function.__name__} is marked as compiled, but JAX")
    assert reason in message
    assert f"(line {line} of {__file__})" in message
    assert "leave out the mark" in message
    assert "\n" not in message


def test_a_compiled_reward_with_a_mistake_says_where():
    @compiled
    def mistaken(tokens, mask):
        return {"one": {}["nothing"]}

    line = mistaken.__code__.co_firstlineno + 2
    with pytest.raises(UserError, match=rf"reward failed: KeyError: 'nothing' \(line {line} of"):
        jax.jit(Reward(mistaken).__call__)(TOKENS, MASK)


@pytest.mark.parametrize("mark", [lambda f: f, compiled])
def test_terms_are_real_numbers(mark):
    with pytest.raises(UserError, match="'word' is not an array of real numbers"):
        Reward(mark(lambda tokens, mask: {"word": ["a", "b", "c"]}))(TOKENS, MASK)
