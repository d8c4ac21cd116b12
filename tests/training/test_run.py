from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.rewards import compiled
from seqtutor.task import Task
from seqtutor.training import tutor as tutor_module
from seqtutor.training.run import (
    DivergedError,
    Guard,
    chunk_lengths,
    chunks,
    has_moved,
    run_tutor,
)
from seqtutor.training.seeds import advance_seeds, initial_states, run_seeds
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import identical, prior, vocabulary

pytestmark = pytest.mark.short_runs

SETTINGS = TutorSettings.of(
    environments=8, batch=4, updates=1, replay_capacity=16, steps=8 * 3 * 4, log_every=8 * 3 * 2
)


class SpoiltReward:
    """A host reward, one of whose terms can be made to be no number in the middle of a run."""

    spoilt = False
    calls = 0

    def __call__(self, tokens, mask):
        self.calls += 1
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


@pytest.mark.parametrize(("iterations", "chunk"), [(73, 5), (7, 5), (2, 5), (12, 5), (10, 1)])
def test_chunks_are_of_one_length_wherever_a_run_goes_on(tutor, iterations, chunk):
    each = tutor.steps_per_iteration
    settings = replace(SETTINGS, steps=iterations * each, log_every=chunk * each)
    lengths = chunk_lengths(replace(tutor, settings=settings))
    assert sum(lengths) == iterations
    assert max(lengths) - min(lengths) <= 1
    assert len(lengths) == 1 or abs(lengths[0] - chunk) <= 1
    for done in range(len(lengths)):
        rest = chunk_lengths(replace(tutor, settings=settings), sum(lengths[:done]))
        assert rest == lengths[done:]


def test_a_run_that_goes_on_remembers_its_records(tutor):
    """A collapse is told once, a run that was to stop stays stopped, and time goes on."""
    first = next(chunks(tutor))
    paused = [jax.tree.map(jnp.copy, first.state) for _ in range(3)]
    early = {**first.record, "seconds": 1000.0}
    (again,) = chunks(guarded(tutor, collapse_entropy=10.0), paused[0])
    assert again.remark.startswith("warning at step 96")
    (told,) = chunks(guarded(tutor, collapse_entropy=10.0), paused[1], [early])
    assert told.remark is None
    assert told.record["seconds"] > 1000.0
    stops = guarded(tutor, collapse_entropy=10.0, stop_on_collapse=True)
    assert not list(chunks(stops, paused[2], [early]))


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


def test_runs_that_differ_in_seed_prior_records_or_guards_share_one_compiled_program():
    """And each is its own all the same."""
    compilations = []

    @compiled
    def counting(tokens, mask):
        compilations.append(tokens.shape)
        return {"ones": (tokens == 1) * mask}

    first = Tutor(Task(vocabulary(3), 3, counting), prior(3, hidden=(4,)), SETTINGS)
    other = replace(SETTINGS, seed=1, log_every=49, stop_at_kl=9.0, stop_on_collapse=True)
    other = replace(other, collapse_entropy=0.01, collapse_distinct=0.1)
    second = Tutor(first.task, prior(3, seed=8, hidden=(4,)), other)
    start = first.advance(first.initial_state(), 2)[1]
    own = second.advance(second.initial_state(), 2)[1]
    assert len(compilations) == 1
    assert abs(float(own["kl"][0])) < 1e-6, "its first policy is its own prior"
    assert not np.allclose(own["log_prior"], start["log_prior"], atol=1e-3)

    for changes in ({"c": 0.1}, {"learning_rate": 1e-3}, {"steps": 8 * 3 * 6}):
        changed = replace(first, settings=replace(SETTINGS, **changes))
        assert changed.compiled_part() != first.compiled_part()


def test_any_number_of_iterations_runs_in_one_program_and_in_parts_of_it(monkeypatch):
    """A run's last record may be shorter: nothing is compiled for it, and no bit depends on it."""
    compilations = []

    @compiled
    def counting(tokens, mask):
        compilations.append(tokens.shape)
        return {"ones": (tokens == 1) * mask}

    tutor = Tutor(Task(vocabulary(3), 3, counting), prior(3, hidden=(4,)), SETTINGS)
    state, metrics = tutor.advance(tutor.initial_state(), 5)
    monkeypatch.setattr(tutor_module, "MOST_AT_ONCE", 2)
    in_parts = tutor.advance(tutor.initial_state(), 5)
    assert identical(in_parts, (state, metrics))
    assert {rows.shape for rows in metrics.values()} == {(5,)}
    assert not np.allclose(np.diff(metrics["loss"]), 0.0, atol=1e-6)
    assert len(compilations) == 1
    seeds = advance_seeds(tutor, initial_states(tutor, (0, 1)), 5)
    monkeypatch.undo()
    assert identical(advance_seeds(tutor, initial_states(tutor, (0, 1)), 5), seeds)
    assert {rows.shape for rows in seeds[1].values()} == {(2, 5)}


def test_the_last_good_policy_is_the_one_before_the_spoilt_chunk(tutor, monkeypatch):
    run = chunks(tutor)
    before = jax.tree.map(jnp.copy, tutor.policy(next(run).state.network))
    monkeypatch.setattr(REWARD, "spoilt", True)
    with pytest.raises(DivergedError) as caught:
        next(run)
    assert identical(caught.value.last_good, before)
    assert not identical(before, tutor.policy(tutor.initial_state().network))


def guarded(tutor, **changes):
    """The same run under other guards; it is compiled already."""
    return replace(tutor, settings=tutor.settings.with_changes(**changes))


def test_a_collapse_is_told_once_and_the_run_goes_on(tutor):
    told = []
    done = run_tutor(guarded(tutor, collapse_entropy=10.0), on_remark=told.append)
    assert len(done.records) == 2
    (remark,) = told
    assert done.remarks == told
    assert remark.startswith("warning at step 48: the policy has collapsed, its entropy is")
    assert identical(done.policy, run_tutor(tutor).policy)


def test_a_run_can_end_with_a_collapse(tutor):
    done = run_tutor(guarded(tutor, collapse_entropy=10.0, stop_on_collapse=True))
    assert [record["step"] for record in done.records] == [48]
    assert done.remarks[0].startswith("stopped at step 48: the policy has collapsed")


def one_chunk(tutor, **changes):
    """A run whose only collection comes before its only updates."""
    return guarded(tutor, steps=8 * 3, collapse_distinct=0.0, updates=2, **changes)


@pytest.mark.parametrize("stops", [False, True])
def test_a_collapse_that_only_the_saved_policy_shows_is_told(tutor, stops):
    done = run_tutor(one_chunk(tutor, learning_rate=1e9, stop_on_collapse=stops))
    assert done.records[0]["entropy"] > 0.1
    (remark,) = done.remarks
    verb = "stopped" if stops else "warning"
    assert remark.startswith(f"{verb} at step 24: the policy that is saved has collapsed, its ent")
    assert remark.endswith("a lower learning rate or a larger c prevents it")


def test_seeds_side_by_side_hear_of_the_policies_that_are_saved(tutor):
    for done in run_seeds(one_chunk(tutor, learning_rate=1e9), (0, 1)):
        (remark,) = done.remarks
        assert "the policy that is saved has collapsed" in remark


def test_a_saved_policy_that_is_no_policy_ends_a_run_as_diverged(tutor):
    tutor = one_chunk(tutor, learning_rate=1e39)
    with pytest.raises(DivergedError, match="not finite by step 24; lower the l") as caught:
        run_tutor(tutor)
    assert identical(caught.value.last_good, tutor.policy(tutor.initial_state().network))


@pytest.mark.parametrize(("factor", "moved"), [(1.0, False), (1.04, False), (1.06, True)])
def test_a_network_has_moved_by_the_share_of_its_norm(tutor, factor, moved):
    network = tutor.initial_state().network
    assert has_moved(network, jax.tree.map(lambda leaf: leaf * factor, network)) is moved


def test_weights_that_are_no_numbers_have_moved(tutor):
    network = tutor.initial_state().network
    assert has_moved(network, jax.tree.map(lambda leaf: leaf * jnp.nan, network))


def test_looking_at_the_saved_policy_changes_nothing(tutor):
    """Neither what it looks at nor how often the reward judges; and of a good one it is silent."""
    *_, last = chunks(tutor)
    calls, bits = REWARD.calls, jax.tree.map(jnp.copy, last.state)
    seen = tutor.evaluate_policy(last.state.network, last.state.key, last.state.iteration)
    assert identical(last.state, bits)
    assert REWARD.calls == calls
    assert all(np.isfinite(value) for value in seen.values())

    done = run_tutor(tutor)
    assert REWARD.calls == calls + tutor.iterations
    assert identical(done.policy, tutor.policy(bits.network))
    assert not done.remarks


def test_a_run_ends_at_the_first_record_with_the_given_divergence(tutor):
    kl = [record["kl"] for record in run_tutor(tutor).records]
    assert 0 < kl[0] < kl[1]
    for limit, length in ((kl[0], 1), (kl[1], 2), (2 * kl[1], 2)):
        done = run_tutor(guarded(tutor, stop_at_kl=limit))
        assert [record["kl"] for record in done.records] == kl[:length]
        is_reached = limit <= kl[length - 1]
        assert [remark.startswith("stopped at step") for remark in done.remarks] == (
            [True] if is_reached else []
        )


def test_too_few_distinct_sequences_are_too_few_of_those_at_first():
    guard = Guard(replace(SETTINGS, collapse_distinct=0.5, stop_on_collapse=True))
    remarks = [
        guard.check({"step": step, "kl": 0.1, "entropy": 1.0, "distinct": distinct})
        for step, distinct in enumerate((0.8, 1.0, 0.5, 0.39, 0.1))
    ]
    assert remarks[:3] == [None] * 3
    assert remarks[3].startswith("stopped at step 3: the policy has collapsed, only 39 %")
    assert guard.stops
    assert remarks[4] is None


def _changing(after: dict | Exception):
    """A reward that gives "a" and "b" three times and then something else."""
    calls = [0]

    def reward(tokens, mask):
        calls[0] += 1
        if calls[0] <= 3:
            return {"a": np.ones(len(tokens)), "b": np.zeros(len(tokens))}
        if isinstance(after, Exception):
            raise after
        return {name: np.ones((len(tokens), *shape)) for name, shape in after.items()}

    return reward


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ({"b": (), "c": ()}, "terms were a, b and are b, c now"),
        ({"a": (3,), "b": ()}, r"'a' has shape \(8, 3\) now and had \(8,\)"),
        (KeyError("lost"), "the reward failed: KeyError: 'lost'"),
    ],
)
def test_a_reward_that_changes_in_the_loop_is_the_users_error(after, message):
    changing = Task(vocabulary(3), 3, _changing(after))
    with pytest.raises(UserError, match=message):
        run_tutor(Tutor(changing, prior(3, hidden=(4,)), SETTINGS))
