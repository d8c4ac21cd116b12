"""A chunk can be interrupted, and a reward that fails in it is told in one line."""

import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import jax
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.models.lstm import LSTM
from seqtutor.task import Task
from seqtutor.training.run import run_tutor
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from seqtutor.training.watching import watched
from seqtutor.vocabulary import Vocabulary

SETTINGS = TutorSettings.of("rloo", environments=2, steps=40, log_every=40, c=1.0, seed=0)


def tutor_with(reward):
    vocabulary = Vocabulary(("a", "b"))
    prior = LSTM(2, (3,), key=jax.random.key(0))
    return Tutor(Task(vocabulary, 2, reward), prior, SETTINGS)


class Hanging:
    """A reward that comes back from its third call only when it is let go."""

    def __init__(self):
        self.calls, self.hangs, self.go_on = 0, threading.Event(), threading.Event()

    def __call__(self, tokens, mask):
        self.calls += 1
        if self.calls == 3:
            self.hangs.set()
            self.go_on.wait(30)
        return {"one": np.ones(tokens.shape)}


def test_a_reward_that_hangs_can_be_interrupted():
    reward = Hanging()

    def interrupt():
        reward.hangs.wait(30)
        signal.raise_signal(signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_tutor(tutor_with(reward))
        assert time.monotonic() - start < 20
    finally:
        reward.go_on.set()
        interrupter.join()
        for thread in threading.enumerate():
            if thread.name == "compiled work":
                thread.join()


def test_nothing_is_printed_of_a_reward_that_fails(capfd, caplog):
    calls = []

    def reward(tokens, mask):
        calls.append(1)
        if len(calls) > 3:
            raise ZeroDivisionError("no notes")
        return {"one": np.ones(tokens.shape)}

    with pytest.raises(UserError, match="the reward failed: ZeroDivisionError: no notes"):
        run_tutor(tutor_with(reward))
    assert "Traceback" not in capfd.readouterr().err + caplog.text


def test_what_runs_in_a_thread_gives_what_it_gives_elsewhere():
    def reward(tokens, mask):
        return {"a": (tokens == 0).astype(np.float32)}

    tutor = tutor_with(reward)
    found = []
    thread = threading.Thread(target=lambda: found.append(run_tutor(tutor).records))
    thread.start()
    thread.join()
    here = run_tutor(replace(tutor)).records
    assert [{**r, "seconds": 0} for r in found[0]] == [{**r, "seconds": 0} for r in here]


def test_what_jax_was_told_for_this_thread_counts_in_the_work_too():
    with jax.enable_x64(True):
        assert run_tutor(tutor_with(lambda tokens, mask: {"one": np.ones(tokens.shape)})).records
        doubled = watched(tutor_with(lambda tokens, mask: {}), lambda: jax.numpy.ones(1) * 2)
    assert doubled.dtype == np.float64


INTERRUPTED = """
import signal, threading, time
import jax, jax.numpy as jnp
from seqtutor.training.watching import in_thread

@jax.jit
def long(x):
    return jax.lax.fori_loop(0, 3_000_000, lambda i, y: jnp.sin(y) + i, x).sum()

threading.Timer(2.0, lambda: signal.raise_signal(signal.SIGINT)).start()
try:
    while True:
        in_thread(lambda: long(jnp.zeros(64)).block_until_ready())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_a_program_that_was_interrupted_waits_for_the_work_at_its_end():
    """Python aborts if it ends while XLA computes for it."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
