from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

import ill_behaved
from ill_behaved import process_ids
from seqtutor.errors import UserError
from seqtutor.workers.pool import InProcessPool, WorkerPool
from seqtutor.workers.worker import Failure

WORDS = [f"word{number}" for number in range(150)]


def is_running(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(ill_behaved.behave, 2, seconds=2.0) as pool:
        yield pool


def with_items(words, *items):
    """The words with the items spread among them, and what is to become of them."""
    mixed = list(words)
    for place, item in enumerate(items, 1):
        mixed.insert(place * len(words) // (len(items) + 1), item)
    return mixed


def test_results_come_in_the_order_of_the_items(pool):
    jobs = [pool.submit(WORDS[start:]) for start in (0, 50, 149, 150)]
    for start, job in zip((0, 50, 149, 150), jobs, strict=True):
        assert job.result(30) == [word.upper() for word in WORDS[start:]]


@pytest.mark.parametrize(
    ("item", "reason", "restarts"),
    [
        ("crash", "crashed its process (exit code 17)", 1),
        ("hang", "took longer than 2 s", 1),
        ("killed", f"crashed its process (exit code {-signal.SIGKILL})", 3),
        ("fill", "ran out of memory", 3),
    ],
)
def test_an_item_that_ends_its_worker_costs_a_restart_or_three(pool, item, reason, restarts):
    before = pool.restarts
    mixed = with_items(WORDS, item)
    results = pool.submit(mixed).result(60)
    expected = [Failure(reason) if word == item else word.upper() for word in mixed]
    assert results == expected
    assert pool.restarts == before + restarts


def test_a_worker_without_memory_costs_no_item():
    """The system's limit is on the process; the one that takes its place has none."""
    with WorkerPool(ill_behaved.fill, 1) as pool:
        (first,) = pool.submit([1]).result(30)
        resource.prlimit(first, resource.RLIMIT_AS, (1 << 20, 1 << 20))
        then = pool.submit([256, 1]).result(30)
        assert first not in then
        assert then[0] == then[1]
        assert pool.restarts == 1


def test_a_worker_that_finds_too_little_room_to_start_again_is_given_another_try(tmp_path):
    path = tmp_path / "full"
    with WorkerPool(ill_behaved.LoadsLater(str(path)), 1) as pool:
        assert pool.submit(WORDS[:2]).result(30) == WORDS[:2]
        path.touch()
        os.kill(process_ids(pool)[0], signal.SIGKILL)
        assert pool.submit(WORDS[2:4]).result(30) == WORDS[2:4]
        assert pool.restarts == 2
        assert not path.exists()


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_ended_from_outside_costs_no_item(signal_number):
    with WorkerPool(ill_behaved.slowly, 1) as pool:
        job = pool.submit(WORDS[:8])
        wait_until(lambda: process_ids(pool))
        time.sleep(1.0)
        os.kill(process_ids(pool)[0], signal_number)
        assert job.result(30) == WORDS[:8]
        assert pool.restarts == 1


def test_exceptions_and_printing_do_no_harm(pool):
    before = pool.restarts
    results = pool.submit(["a", "raise", "print", "leave", "b"]).result(30)
    assert [results[0], results[2], results[4]] == ["A", "PRINT", "B"]
    assert results[1].reason.startswith("ValueError: invalid literal")
    assert results[3] == Failure("SystemExit: leaving")
    assert pool.restarts == before


def test_many_bad_items_at_once(pool):
    before = pool.restarts
    bad = ["crash", "hang", "crash", "killed", "raise"]
    results = pool.submit([*bad, *WORDS, "crash"]).result(60)
    assert all(isinstance(result, Failure) for result in [*results[: len(bad)], results[-1]])
    assert results[len(bad) : -1] == [word.upper() for word in WORDS]
    assert pool.restarts == before + 7


def test_in_process_it_gives_the_same_results(pool):
    items = ["a", "raise", "b"]
    assert InProcessPool(ill_behaved.behave).submit(items).result() == pool.submit(items).result(30)


def test_a_worker_imports_nothing_heavy():
    with WorkerPool(ill_behaved.modules, 1) as pool:
        (found,) = pool.submit([None]).result(30)
    assert not {"jax", "matplotlib", "music21", "rich", "equinox"} & set(found)


def test_a_closed_pool_leaves_no_process_and_no_job_waiting():
    pool = WorkerPool(ill_behaved.behave, 2)
    assert pool.submit(["a"]).result(30) == ["A"]
    numbers = process_ids(pool)
    assert len(numbers) == 2
    job = pool.submit(["hang"])
    pool.close()
    assert not any(map(is_running, numbers))
    for late in (job, pool.submit(["a"])):
        with pytest.raises(RuntimeError, match="the pool is closed"):
            late.result(1)
    pool.close()


def test_a_forgotten_pool_ends_its_processes():
    pool = WorkerPool(ill_behaved.behave, 1)
    numbers = process_ids(pool)
    del pool
    wait_until(lambda: not any(map(is_running, numbers)))


@pytest.mark.parametrize(
    ("function", "reason"),
    [(ill_behaved.Unloadable(), "no such thing"), (ill_behaved.CrashesWhenLoaded(), "no reason")],
)
def test_workers_that_cannot_start_are_the_users_error(function, reason):
    with WorkerPool(function, 2) as pool:
        for _ in range(2):
            with pytest.raises(UserError, match=f"the worker processes cannot start: .*{reason}"):
                pool.submit(["a", "b", "c"]).result(30)


def test_what_cannot_be_sent_is_refused():
    with pytest.raises(UserError, match="cannot be sent to another process"):
        WorkerPool(lambda item: item, 1)
    with pytest.raises(UserError, match="at least one worker"):
        WorkerPool(ill_behaved.behave, 0)


SCRIPT = """
import sys, time
import ill_behaved
from ill_behaved import process_ids
from seqtutor.workers.pool import WorkerPool
pool = WorkerPool(ill_behaved.behave, 2)
assert pool.submit(["a"] * 8).result() == ["A"] * 8
job = pool.submit(["hang"] * 2) if sys.argv[1] == "busy" else None
time.sleep(0.2)
try:
    print(*ill_behaved.process_ids(pool), flush=True)
    job.result() if job else time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    ("signal_number", "state"), [(signal.SIGINT, "busy"), (signal.SIGKILL, "")]
)
def test_an_interrupted_or_killed_program_leaves_nothing(signal_number, state, tmp_path):
    """No process: Ctrl-C reaches the whole group, and a killed parent closes its pipes. No file."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, state],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "TMPDIR": str(tmp_path),
        },
    )
    workers = [int(word) for word in process.stdout.readline().split()]
    assert len(workers) == 2
    assert all(map(is_running, workers))
    os.killpg(process.pid, signal_number)
    said = process.communicate(timeout=30)[0]
    wait_until(lambda: not any(map(is_running, workers)))
    assert not list(tmp_path.iterdir())
    if signal_number == signal.SIGINT:
        assert said == "interrupted\n"
        assert process.returncode == 0
