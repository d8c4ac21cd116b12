"""Runs side by side in one program are the runs of their seeds one by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.rewards import Reward
from seqtutor.training.run import DivergedError, run_tutor
from seqtutor.training.seeds import initial_states, run_seeds, seed_chunks
from seqtutor.training.settings import TutorSettings, applicable_settings
from seqtutor.training.tutor import Tutor
from tiny_problems import arrays_of, identical, in_float64, prior, task

SEEDS = (5, 6, 2**40)
CHUNKS = 4
LENGTH = 4


class HostReward:
    """A reward in NumPy that looks at its whole batch; one chosen batch earns no number at all."""

    spoilt_batch: bytes | None = None

    def __init__(self):
        self.seen = []

    def __call__(self, tokens, mask):
        batch = tokens.tobytes()
        self.seen.append(batch)
        mean = tokens[mask].mean() if mask.any() else 0.0
        return {
            "above_mean": (tokens > mean) * 1.0,
            "bad": np.full(mask.shape, np.nan if batch == self.spoilt_batch else 0.0),
        }


HOST_REWARD = HostReward()


@cache
def tutor_of(method, on_host):
    """In double precision, where a difference that is not rounding stands out."""
    exercise = task(3, LENGTH, has_end=True)
    if on_host:
        exercise = replace(exercise, reward=Reward(HOST_REWARD))
    settings = TutorSettings.of(
        method,
        discount=1.0,
        environments=16,
        steps=16 * LENGTH * 10 * CHUNKS,
        log_every=16 * LENGTH * 10,
        collapse_distinct=0.0,
        **applicable_settings(method, batch=8, replay_capacity=64, updates=2),
    )
    with jax.enable_x64(True):
        return Tutor(exercise, in_float64(prior(3, hidden=(4,))), settings)


def one_by_one(tutor):
    with jax.enable_x64(True):
        return [
            run_tutor(replace(tutor, settings=replace(tutor.settings, seed=seed))) for seed in SEEDS
        ]


def side_by_side(tutor):
    with jax.enable_x64(True):
        return run_seeds(tutor, SEEDS)


def assert_same_runs(found, expected):
    """Rounding in the last of 16 digits, grown over 40 collections, stays far below 1e-9."""
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(arrays_of(one.policy), arrays_of(other.policy), strict=True):
            assert a.dtype == np.float64
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
        assert one.remarks == other.remarks
        assert len(one.records) == len(other.records)
        for a, b in zip(one.records, other.records, strict=True):
            assert a.keys() == b.keys()
            for name in a.keys() - {"seconds"}:
                assert a[name] == pytest.approx(b[name], rel=1e-6, abs=1e-9), name


CASES = [("psi", False), ("rloo", True), ("ppo", True)]


@pytest.mark.parametrize(("method", "on_host"), CASES)
def test_every_seed_learns_what_it_learns_alone(method, on_host):
    tutor = tutor_of(method, on_host)
    found = side_by_side(tutor)
    assert_same_runs(found, one_by_one(tutor))
    assert not np.allclose(arrays_of(found[0].policy)[0], arrays_of(found[1].policy)[0], atol=1e-3)
    assert [record["step"] for record in found[0].records] == [640, 1280, 1920, 2560]


def with_stop_between(tutor, runs, chunk):
    """The tutor with a limit of the KL that some of the seeds, not all, reach by this chunk."""
    highest = sorted(max(record["kl"] for record in run.records[:chunk]) for run in runs)
    return replace(
        tutor, settings=replace(tutor.settings, stop_at_kl=(highest[0] + highest[-1]) / 2)
    )


def test_a_seed_that_its_guard_stops_keeps_what_it_had_and_the_others_go_on():
    tutor = tutor_of("psi", False)
    free = side_by_side(tutor)
    guarded = with_stop_between(tutor, free, 2)
    found = side_by_side(guarded)
    assert_same_runs(found, one_by_one(guarded))
    lengths = [len(run.records) for run in found]
    assert min(lengths) < max(lengths)
    for run, unguarded in zip(found, free, strict=True):
        if len(run.records) == CHUNKS:
            assert identical(run.policy, unguarded.policy)
        else:
            assert "the KL divergence of the policy" in run.remarks[-1]
            assert not identical(run.policy, unguarded.policy)


@pytest.fixture
def late_batch():
    """A batch that the second seed collects in the third chunk."""
    HOST_REWARD.seen.clear()
    tutor = tutor_of("rloo", True)
    with jax.enable_x64(True):
        run_tutor(replace(tutor, settings=replace(tutor.settings, seed=SEEDS[1])))
    batch = HOST_REWARD.seen[-15]
    assert HOST_REWARD.seen.count(batch) == 1
    yield batch
    HOST_REWARD.spoilt_batch = None


def test_a_seed_that_diverges_is_named_and_the_others_come_to_their_end(late_batch):
    tutor = tutor_of("rloo", True)
    clean = side_by_side(tutor)
    HOST_REWARD.spoilt_batch = late_batch
    reached = []
    with (
        jax.enable_x64(True),
        pytest.raises(DivergedError, match=r"seed 6: the reward term 'bad'") as caught,
    ):
        reached.extend(seed_chunks(tutor, SEEDS))
    policies = {one.seed: one.policy for one in reached if one.policy is not None}
    records = [(one.seed, one.record["step"]) for one in reached]
    assert caught.value.seed == 6
    assert sorted(policies) == [5, 2**40]
    assert identical(policies[5], clean[0].policy)
    assert identical(policies[2**40], clean[2].policy)
    assert (6, 1280) in records
    assert (6, 1920) not in records

    # What is kept is the policy of the chunk before.
    first, second = (record["kl"] for record in clean[1].records[:2])
    assert first < second
    two_chunks = replace(tutor.settings, stop_at_kl=0.999 * second, seed=6)
    with jax.enable_x64(True):
        before = run_tutor(replace(tutor, settings=two_chunks))
    assert len(before.records) == 2
    for a, b in zip(arrays_of(caught.value.last_good), arrays_of(before.policy), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_a_callback_ends_one_seed_and_not_the_others():
    tutor = tutor_of("rloo", True)
    with jax.enable_x64(True):
        found = run_seeds(tutor, SEEDS, lambda seed, one: (seed, one["step"]) != (6, 1280))
    assert [len(run.records) for run in found] == [CHUNKS, 2, CHUNKS]
    assert [run.remarks for run in found] == [
        [],
        ["ended at step 1,280: on_record returned False"],
        [],
    ]
    own = replace(tutor, settings=replace(tutor.settings, seed=6))
    with jax.enable_x64(True):
        alone = run_tutor(own, lambda one: one["step"] < 1280).policy
    for a, b in zip(arrays_of(found[1].policy), arrays_of(alone), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_what_a_seed_would_do_after_its_stop_does_not_matter(late_batch):
    tutor = tutor_of("rloo", True)
    limit = side_by_side(tutor)[1].records[0]["kl"]
    stopped = replace(tutor, settings=replace(tutor.settings, stop_at_kl=0.99 * limit))
    HOST_REWARD.spoilt_batch = late_batch
    assert len(side_by_side(stopped)[1].records) == 1


@pytest.mark.parametrize(
    ("seeds", "message"),
    [((), "at least one"), ((1, 1), "only once"), ((0, -1), "between 0"), ((2**63,), "between 0")],
)
def test_impossible_seeds_are_the_users_error(seeds, message):
    with pytest.raises(UserError, match=message):
        initial_states(tutor_of("psi", False), seeds)


ON_TWO_DEVICES = """
import json, jax
from test_seeds import SEEDS, arrays_of, side_by_side, tutor_of
from seqtutor.training import seeds
jax.config.update("jax_enable_x64", True)
tutor = tutor_of("rloo", True)
pair = seeds.initial_states(tutor, SEEDS[:2])
devices = len(pair.iteration.sharding.device_set)
policies = [tuned.policy for tuned in seeds.run_seeds(tutor, SEEDS[:2])]
print(json.dumps([devices, [[a.tolist() for a in arrays_of(policy)] for policy in policies]]))
"""


def test_seeds_spread_over_devices():
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO_DEVICES],
        capture_output=True,
        text=True,
        env={**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    devices, policies = json.loads(done.stdout)
    assert devices == 2
    for found, expected in zip(policies, side_by_side(tutor_of("rloo", True)), strict=False):
        for a, b in zip(found, arrays_of(expected.policy), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
