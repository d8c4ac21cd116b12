from __future__ import annotations

import time

import jax
import pytest

from seqtutor.runs.speed import Loop, Measurement, Work, operations_of, product
from seqtutor.training.iteration import learn
from seqtutor.training.settings import TutorSettings, applicable_settings
from seqtutor.training.tutor import Tutor
from tiny_problems import prior, task

LENGTH, VOCABULARY, CELLS = 6, 5, 32


def tutor_of(method):
    own = applicable_settings(method, batch=8, updates=1, replay_capacity=32)
    settings = TutorSettings.of(method, environments=16, steps=1000, **own)
    return Tutor(task(VOCABULARY, LENGTH), prior(VOCABULARY, hidden=(CELLS,)), settings)


def operations_by_xla(tutor, state, monkeypatch):
    """XLA's own count, the loops over time written out: it counts the body of a loop once."""
    scan = jax.lax.scan
    monkeypatch.setattr(jax.lax, "scan", lambda *a, **k: scan(*a, **{**k, "unroll": True}))
    program = jax.jit(lambda state, key: learn(tutor, tutor.prior, state, key))
    return program.lower(state, jax.random.key(0)).cost_analysis()["flops"]


@pytest.mark.parametrize("method", ["psi", "rloo"])
def test_the_products_are_most_of_what_xla_counts_and_no_more(method, monkeypatch):
    tutor = tutor_of(method)
    state = tutor.initial_state()
    counted = Work.of(tutor, state).operations_per_update
    assert 0.8 < counted / operations_by_xla(tutor, state, monkeypatch) < 1


def test_a_measurement_is_the_time_of_one_of_several():
    slow = Measurement(lambda: time.sleep(0.02), times=4)
    for _ in range(3):
        slow.measure(0.04)
    assert len(slow.seconds) == 3
    assert slow.median >= 0.005


def test_a_larger_product_takes_longer():
    small, large = product((8, 16, 64)), product((64, 256, 1024))
    for one in (small, large):
        one.measure(0.02)
    assert large.median > small.median
    assert operations_of((64, 256, 1024)) == 2 * 64 * 256 * 1024


def test_a_loop_goes_on_chunk_after_chunk_and_counts_what_it_learns():
    loop = Loop(tutor_of("psi"), iterations=2)
    loop.advance()
    assert int(loop.state.iteration) == 4
    assert loop.transitions == 8 * LENGTH
    assert loop.work.largest_product == (8, CELLS, 4 * CELLS)
    # The prior and the policy: a recurrent product and one of the outputs at each step.
    collected = 2 * LENGTH * 16 * CELLS * (2 * (4 * CELLS + VOCABULARY) + 1)
    learned = loop.work.operations_per_update
    assert loop.work.operations_per_iteration == collected + learned
