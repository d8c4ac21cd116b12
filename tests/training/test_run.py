from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.task import Task
from seqtutor.training.run import chunks, run_tutor
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import identical, prior, vocabulary

SETTINGS = TutorSettings(
    environments=8, batch=4, updates=1, replay_capacity=16, steps=8 * 3 * 4, log_every=8 * 3 * 2
)


class SpoiltReward:
    """A host reward, one of whose terms can be made to be no number in the middle of a run."""

    spoilt = False

    def __call__(self, tokens, mask):
        return {"good": mask * 1.0, "bad": (tokens == 1) * (np.nan if self.spoilt else 1.0)}


REWARD = SpoiltReward()


@pytest.fixture(scope="module")
def tutor():
    return Tutor(Task(vocabulary(3), 3, REWARD), prior(3, hidden=(4,)), SETTINGS)


def test_a_run_is_its_chunks_and_can_go_on_from_any_of_them(tutor):
    """Records in order, and bit for bit the same end after a pause."""
    records = []
    whole = run_tutor(tutor, records.append)
    assert [record["step"] for record in whole.records] == [48, 96]
    assert whole.records == records
    first = next(chunks(tutor))
    paused = jax.tree.map(jnp.copy, first.state)
    resumed = list(chunks(tutor, paused))
    assert [progress.record["step"] for progress in resumed] == [96]
    assert identical(tutor.policy(resumed[-1].state.network), whole.policy)
    for name in set(records[1]) - {"seconds"}:
        assert resumed[0].record[name] == records[1][name]


def test_a_record_holds_means_of_what_was_measured(tutor):
    record = next(chunks(tutor)).record
    _, metrics = tutor.advance(tutor.initial_state(), 2)
    for name, values in metrics.items():
        assert record[name] == pytest.approx(np.asarray(values).mean(), rel=1e-6)
    assert set(record) == {"step", "seconds", *metrics}
    assert record["kl"] >= 0
    assert 0 < record["entropy"] <= np.log(3)


def test_a_finished_run_has_nothing_to_add(tutor):
    *_, last = chunks(tutor)
    assert list(chunks(tutor, last.state)) == []


def test_a_term_that_is_no_number_is_named(tutor, monkeypatch):
    run = chunks(tutor)
    next(run)
    monkeypatch.setattr(REWARD, "spoilt", True)
    with pytest.raises(UserError, match="'bad' is not finite by step 96"):
        next(run)
