from __future__ import annotations

import jax
import numpy as np
import pytest
import string_scores

import seqtutor as st
from seqtutor.errors import UserError
from seqtutor.models.lstm import LSTM
from seqtutor.task import Task
from seqtutor.training.run import run_tutor
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from seqtutor.vocabulary import Vocabulary

LETTERS = Vocabulary("abe.", end_token=".")
TOKENS = np.array([[0, 1, 3, 3], [2, 2, 0, 1], [3, 3, 3, 3], [0, 1, 3, 3], [1, 3, 3, 3]], np.int32)
MASK = np.array([[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0]], bool)
STRINGS = ["ab", "eeab", "", "ab", "b"]
PAID = [[0, 0, 1, 0], [0, 0, 0, 3], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def task_of(function, **arguments):
    return Task(LETTERS, 4, st.string_reward(function, **arguments))


def test_the_distinct_strings_of_a_batch_are_scored_once():
    calls = []

    def noted(strings):
        calls.append(strings)
        return string_scores.vowels(strings)

    reward = task_of(noted, weights={"length": -1.0}).reward
    found = reward(TOKENS, MASK)
    np.testing.assert_array_equal(found.terms["vowels"], PAID)
    lengths = [len(one) for one in STRINGS]
    np.testing.assert_array_equal(found.terms["length"].sum(axis=1), np.negative(lengths))
    assert calls[-1] == ["ab", "eeab", "", "b"]


def test_tokens_of_several_characters_are_told_apart_by_spaces():
    found = []
    words = Vocabulary(("do", "re", "mi"))
    task = Task(words, 3, st.string_reward(lambda s: found.extend(s) or {"n": [0.0 for _ in s]}))
    task.reward(np.array([[2, 1, 1]], np.int32), np.ones((1, 3), bool))
    assert found[-1] == "mi re re"


def test_the_vocabulary_is_that_of_the_task():
    unbound = st.string_reward(string_scores.vowels)
    with pytest.raises(UserError, match="has no vocabulary yet; give it to a Task"):
        unbound(TOKENS, MASK)
    task = Task(LETTERS, 4, unbound)
    assert Task(LETTERS, 5, task.reward).reward is task.reward
    other = Task(Vocabulary("xyz."), 4, task.reward)
    assert not other.reward(TOKENS, MASK).terms["vowels"].any()
    np.testing.assert_array_equal(task.reward(TOKENS, MASK).terms["vowels"], PAID)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda strings: [1.0 for _ in strings], "must give a dictionary of at least one named"),
        (
            lambda strings: {"n": [1.0]},
            r"'n' has shape \(1,\) for 4 strings; it must be",
        ),
        (lambda strings: {"n": [[1.0, 2.0] for _ in strings]}, r"'n' has shape \(., 2\)"),
        (lambda strings: {"n": strings}, "'n' is not an array of real numbers"),
    ],
)
def test_terms_of_another_shape_are_the_users_error(returned, message):
    reward = task_of(returned).reward
    with pytest.raises(UserError, match=message), reward.reporting_failures():
        jax.block_until_ready(reward(TOKENS, MASK))


def tutor_with(task, method="rloo"):
    own = {"batch": 8, "replay_capacity": 16} if method == "psi" else {}
    settings = TutorSettings.of(
        method, environments=8, steps=8 * 4 * 5, log_every=8 * 4, c=1.0, **own
    )
    return Tutor(task, LSTM(LETTERS.size, (4,), key=jax.random.key(0)), settings)


def test_a_function_that_fails_in_a_run_is_told_in_one_line_with_its_place():
    line = string_scores.fails_on_b.__code__.co_firstlineno + 1
    message = rf"ZeroDivisionError: .* \(line {line} of .*string_scores.py\)$"
    with pytest.raises(UserError, match=message):
        run_tutor(tutor_with(task_of(string_scores.fails_on_b)))


@pytest.mark.parametrize("method", ["psi", "rloo"])
def test_worker_processes_give_the_same_run_and_score_each_string_once(method):
    with task_of(string_scores.vowels, workers=2) as task:
        assert task.reward.can_start
        np.testing.assert_array_equal(task.reward(TOKENS, MASK).terms["vowels"], PAID)
        found = run_tutor(tutor_with(task, method)).records
        counts = task.reward.function.pool.counts
        assert counts.computed < counts.items / 2
    if method == "rloo":
        expected = run_tutor(tutor_with(task_of(string_scores.vowels))).records
        assert [{**r, "seconds": 0} for r in found] == [{**r, "seconds": 0} for r in expected]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (string_scores.fails_on_b, r"fails_on_b failed on 'b': ZeroDivisionError: .*\(line \d+ of"),
        (string_scores.ends_at_b, r"ends_at_b failed on 'b': crashed its process \(exit code 5\)"),
        (string_scores.changes_its_terms, "terms were other and are b for 'b'"),
    ],
)
def test_a_function_that_fails_in_a_worker_names_the_string(function, message):
    with task_of(function, workers=1) as task:
        reward = task.reward
        with pytest.raises(UserError, match=message), reward.reporting_failures():
            jax.block_until_ready(reward(TOKENS, MASK))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": -1}, "workers must be a whole number, 0 or more, not -1"),
        ({"workers": 1, "seconds": float("nan")}, "must be a number above 0, not nan"),
        ({"weights": {"n": float("nan")}}, "'n' must be a finite number, not nan"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        st.string_reward(string_scores.vowels, **arguments)


def test_a_function_that_workers_cannot_import_is_refused():
    with pytest.raises(UserError, match="<lambda> cannot be sent to another process"):
        st.string_reward(lambda strings: {}, workers=1)
