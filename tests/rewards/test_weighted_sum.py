"""Several rewards as one."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.rewards import Reward, compiled, learned, string_reward
from seqtutor.rewards.weighted_sum import weighted_sum
from seqtutor.task import Task
from seqtutor.vocabulary import Vocabulary

TOKENS = jnp.array([[0, 1, 1], [2, 0, 1]])
MASK = jnp.array([[True, True, True], [True, True, False]])


def lengths(tokens, mask):
    return {"length": np.asarray(mask).sum(axis=1)}


@compiled
def ones(tokens, mask):
    return {"ones": (tokens == 1).astype(jnp.float32)}


@learned
def scaled(weight, tokens, mask):
    return {"scaled": weight * jnp.sum(tokens, axis=1)}


def test_terms_have_the_weights_of_their_reward_and_of_the_sum():
    both = weighted_sum([Reward(lengths, {"length": 10.0}), Reward(ones)], [0.5, 3.0])
    for call in (both, jax.jit(both.__call__)):
        found = call(TOKENS, MASK)
        np.testing.assert_array_equal(found.terms["length"].sum(axis=1), [15.0, 10.0])
        np.testing.assert_array_equal(found.terms["ones"], [[0, 3, 3], [0, 0, 0]])
        np.testing.assert_array_equal(found.total, sum(found.terms.values()))


def test_the_parameters_are_those_of_the_learned_part():
    both = weighted_sum([Reward(scaled), Reward(ones)])
    assert both.is_learned
    found = both(TOKENS, MASK, 2.0)
    np.testing.assert_array_equal(found.terms["scaled"].sum(axis=1), [4.0, 6.0])
    with pytest.raises(UserError, match="no parameters yet"):
        both(TOKENS, MASK)
    with pytest.raises(UserError, match="only one"):
        weighted_sum([Reward(scaled), Reward(scaled)])


def test_two_terms_of_one_name_are_refused():
    with pytest.raises(UserError, match="have a term 'ones'"):
        weighted_sum([Reward(ones), Reward(ones)])(TOKENS, MASK)
    with pytest.raises(UserError, match="at least one"):
        weighted_sum([])


def test_strings_get_the_vocabulary_through_the_sum():
    words = string_reward(lambda texts: {"a": [text.count("a") for text in texts]})
    task = Task(Vocabulary("abc"), 3, weighted_sum([words, Reward(ones)]))
    np.testing.assert_array_equal(
        task.reward(TOKENS, jnp.ones((2, 3), bool)).terms["a"].sum(axis=1), [1.0, 1.0]
    )


class Remembering:
    """Pays for batches that were seen."""

    def __init__(self):
        self.batches = 0
        self.closed = False

    def __call__(self, tokens, mask):
        self.batches += 1
        return {"seen": np.full(len(tokens), float(self.batches))}

    def restart(self):
        self.batches = 0

    def state(self):
        return self.batches

    def restore(self, state):
        self.batches = state

    def close(self):
        self.closed = True

    @property
    def end(self):
        return "enough" if self.batches >= 3 else None


def test_memory_end_and_closing_are_those_of_the_parts():
    remembering = Remembering()
    both = weighted_sum([Reward(ones), Reward(remembering)])
    assert both.has_memory
    both.restart()
    for _ in range(2):
        both(TOKENS, MASK)
    kept = both.state()
    assert both.end is None
    assert both(TOKENS, MASK).terms["seen"].sum() == 6.0
    assert both.end == "enough"
    both.restore(kept)
    assert remembering.batches == 2
    both.close()
    assert remembering.closed
    assert not weighted_sum([Reward(ones)]).has_memory


class Recording:
    """Notes where it records; has a memory while it does."""

    def __init__(self):
        self.folder = None

    def __call__(self, tokens, mask):
        return {"recorded": np.zeros(len(tokens))}

    @property
    def has_memory(self):
        return self.folder is not None

    def restart(self):
        pass

    def state(self):
        return str(self.folder)

    def restore(self, state):
        self.folder = Path(state)

    def record_in(self, folder):
        self.folder = folder

    def remarks(self, is_over):
        return [f"{self.folder} {is_over}"]


def test_a_part_that_records_a_run_does_so_in_the_sum(tmp_path):
    recording = Recording()
    both = weighted_sum([Reward(recording), Reward(ones)])
    assert not both.has_memory
    both.record_in(tmp_path)
    assert (recording.folder, both.has_memory) == (tmp_path, True)
    assert both.remarks() == [f"{tmp_path} False"]
    assert both.remarks(is_over=True) == [f"{tmp_path} True"]
    kept = both.state()
    both.record_in(tmp_path / "other")
    both.restore(kept)
    assert recording.folder == tmp_path
    both.record_in(None)
    assert recording.folder is None
