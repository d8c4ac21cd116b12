"""A reward that judges while the tutor learns."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import equinox as eqx
import jax
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.task import Task
from seqtutor.training.iteration import collect, learn, store
from seqtutor.training.plan import TutorState
from seqtutor.training.run import run_tutor
from seqtutor.training.seeds import run_seeds
from seqtutor.training.settings import TutorSettings, applicable_settings
from seqtutor.training.tutor import Tutor
from tiny_problems import arrays_of, identical, prior, vocabulary

pytestmark = pytest.mark.short_runs

LENGTH = 5
PRIOR = prior(3, hidden=(8,))
SETTINGS = {"environments": 16, "batch": 16, "replay_capacity": 32, "steps": 16 * LENGTH * 6}


def twos(tokens, mask):
    """How many tokens of each sequence are 2."""
    return {"twos": ((tokens == 2) & mask).sum(axis=1).astype(float)}


class Pending:
    """Terms that a thread works out."""

    def __init__(self, judge: Judge, future: Future) -> None:
        self.judge, self.future = judge, future

    def collect(self):
        self.judge.log.append("collect")
        return self.future.result()


class Judge:
    """Judges in a thread of its own, and tells what it was asked for."""

    def __init__(self, function=twos) -> None:
        self.function = function
        self.threads = ThreadPoolExecutor(1)
        self.log: list[str] = []

    def __call__(self, tokens, mask):
        self.log.append("call")
        return self.function(tokens, mask)

    def start(self, tokens, mask):
        self.log.append("start")
        return Pending(self, self.threads.submit(self.function, tokens.copy(), mask.copy()))


def tutor(reward, method="psi", **changes):
    settings = TutorSettings.of(method, **applicable_settings(method, **SETTINGS) | changes)
    return Tutor(Task(vocabulary(3), LENGTH, reward), PRIOR, settings)


@cache
def advanced(method: str, iterations: int, **changes: float) -> TutorState:
    one = tutor(Judge(), method, **changes)
    return one.advance(one.initial_state(), iterations)[0]


compiled_collect = jax.jit(collect, static_argnums=0)
compiled_learn = jax.jit(learn, static_argnums=0)


def by_hand(one: Tutor, iterations: int) -> TutorState:
    """Collect, learn from what the replay holds before, store: equation by equation in Python."""
    state = one.initial_state()
    for iteration in range(iterations):
        key, collect_key, learn_key = jax.random.split(state.key, 3)
        progress = state.iteration / one.iterations
        trajectories = compiled_collect(one, PRIOR, state.network, collect_key, progress)
        state = eqx.tree_at(lambda s: (s.key, s.iteration), state, (key, state.iteration + 1))
        if iteration:
            state, _ = compiled_learn(one, PRIOR, state, learn_key)
        earned = one.task.reward(trajectories.tokens, trajectories.mask)
        state = store(one, state, trajectories, earned)
    return state


@pytest.mark.parametrize(
    "changes", [{}, {"priority_exponent": 0.6}], ids=["uniform", "prioritised"]
)
def test_it_learns_from_what_was_judged_before(changes):
    found, expected = advanced("psi", 4, **changes), by_hand(tutor(twos, **changes), 4)
    assert np.array_equal(found.replay.stored.tokens, expected.replay.stored.tokens)
    np.testing.assert_array_equal(found.replay.stored.rewards, expected.replay.stored.rewards)
    for one, other in zip(arrays_of(found.network), arrays_of(expected.network), strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_each_batch_is_started_and_collected_before_the_next():
    judge = Judge()
    one = tutor(judge)
    one.advance(one.initial_state(), 3)
    asked = [word for word in judge.log if word != "call"]
    assert asked == ["start", "collect"] * 3


def test_a_run_of_one_collection_learns_from_it():
    one = tutor(Judge(), steps=16 * LENGTH)
    state, metrics = one.advance(one.initial_state(), 1)
    assert float(metrics["loss"][0]) > 0
    assert not identical(state.network, one.initial_state().network)


def test_methods_that_need_the_newest_collection_wait_for_it():
    judge = Judge()
    one = tutor(judge, "rloo")
    state, _ = one.advance(one.initial_state(), 3)
    plain = tutor(twos, "rloo")
    assert "start" not in judge.log
    assert identical(state.network, plain.advance(plain.initial_state(), 3)[0].network)


def test_the_judge_works_while_the_network_learns():
    """Its work is over when it is asked for the answer, if learning takes longer than judging."""
    waits = []

    class Watched(Judge):
        def start(self, tokens, mask):
            pending = super().start(tokens, mask)
            whole = pending.collect

            def collect():
                begin = time.perf_counter()
                pending.future.result()
                waits.append(time.perf_counter() - begin)
                return whole()

            pending.collect = collect
            return pending

    def slow(tokens, mask):
        time.sleep(0.02)
        return twos(tokens, mask)

    one = tutor(Watched(slow), updates=400, steps=16 * LENGTH * 10)
    one.advance(one.initial_state(), 4)
    # The first time there is nothing to learn from; after that, hundreds of updates take longer.
    assert min(waits[1:]) < 0.01


def test_what_the_judge_gets_wrong_is_said_in_its_own_words():
    def failing(tokens, mask):
        if (tokens == 2).any():
            raise RuntimeError("no more ink")
        return twos(tokens, mask)

    with pytest.raises(UserError, match="the reward failed: RuntimeError: no more ink"):
        run_tutor(tutor(Judge(failing)))


def test_several_seeds_at_a_time_are_the_seeds_one_by_one():
    together = run_seeds(tutor(Judge()), range(2))
    for seed, tuned in enumerate(together):
        alone = run_tutor(tutor(Judge(), seed=seed))
        for one, other in zip(arrays_of(tuned.policy), arrays_of(alone.policy), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_run_with_it_repeats_bit_for_bit():
    runs = [run_tutor(tutor(Judge(), log_every=160)) for _ in range(2)]
    assert identical(runs[0].policy, runs[1].policy)
