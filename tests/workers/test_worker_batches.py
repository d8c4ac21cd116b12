"""Batches: functions and commands that take many items at once."""

from __future__ import annotations

import os
import sys
import time

import pytest

import ill_behaved
from counting_pool import CountingPool
from seqtutor.errors import UserError
from seqtutor.workers.batches import BatchPool
from seqtutor.workers.command import CommandPool
from seqtutor.workers.pool import WorkerPool
from seqtutor.workers.worker import Failure

WORDS = tuple(f"word{number}" for number in range(40))


def script(tmp_path, body):
    """A command that runs Python code with the lines of its input."""
    path = tmp_path / "script.py"
    path.write_text(f"import sys, time, os\nlines = sys.stdin.read().splitlines()\n{body}\n")
    return f"{sys.executable} {path}"


def reasons(results):
    return {at: one.reason for at, one in enumerate(results) if isinstance(one, Failure)}


def test_only_the_items_at_fault_fail_and_the_others_keep_their_results_in_order():
    inner = CountingPool(ill_behaved.behave_together)
    words = [*WORDS[:10], "raise", *WORDS[10:25], "leave", *WORDS[25:]]
    results = BatchPool(inner, 16, 1).submit(words).result(20)
    assert reasons(results).keys() == {10, 26}
    assert [one for one in results if isinstance(one, str)] == [word.upper() for word in WORDS]
    assert max(map(len, inner.items)) == 16
    assert len(inner.items) <= 3 + 2 * 2 * 4, "a batch is halved, not taken apart item by item"


def test_a_batch_that_crashes_or_hangs_costs_the_item_alone():
    with WorkerPool(ill_behaved.behave_together, 2, seconds=0.5) as inner:
        words = [*WORDS[:3], "crash", *WORDS[3:5], "hang"]
        results = BatchPool(inner, 4, 2).submit(words).result(60)
    assert reasons(results) == {
        3: "crashed its process (exit code 17)",
        6: "took longer than 0.5 s",
    }


def test_a_batch_has_the_time_of_its_items_together():
    with WorkerPool(ill_behaved.slowly_together, 1, seconds=0.8) as inner:
        assert BatchPool(inner, 3, 1).submit(["a", "b", "c"]).result(60) == ["a", "b", "c"]


def test_a_command_answers_each_line_with_a_number(tmp_path):
    pool = CommandPool(script(tmp_path, "for one in lines: print(len(one) / 4)"), 2, 10.0)
    batches = [("a", "bb"), ("ccc",)]
    assert pool.submit(batches).result(30) == [[0.25, 0.5], [0.75]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("print(1)", "wrote 1 lines for 2; it must write one for each"),
        ("sys.exit('no licence')", "ended with exit code 1: no licence"),
        ("os.kill(os.getpid(), 9)", "ended with exit code -9"),
        ("time.sleep(60)", "took longer than 1 s"),
    ],
)
def test_a_command_that_fails_says_how(tmp_path, body, reason):
    pool = CommandPool(script(tmp_path, body), 1, 0.5)
    assert pool.submit([("a", "b")]).result(30) == [Failure(reason)]


def test_a_line_that_is_not_a_number_costs_its_own_item(tmp_path):
    pool = CommandPool(script(tmp_path, "print('1.5'); print('dunno')"), 1, 10.0)
    [[good, bad]] = pool.submit([("a", "b")]).result(30)
    assert good == 1.5
    assert bad == Failure("wrote 'dunno', which is not a number")


def test_what_a_command_started_ends_with_it(tmp_path):
    note = tmp_path / "number"
    body = (
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)"
    )
    pool = CommandPool(script(tmp_path, body), 1, 2.0)
    assert pool.submit([("a",)]).result(30) == [Failure("took longer than 2 s")]
    until = time.monotonic() + 10
    while _runs(int(note.read_text())):
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_closing_ends_the_commands_that_run(tmp_path):
    pool = CommandPool(script(tmp_path, "time.sleep(600)"), 1, 600.0)
    future = pool.submit([("a",), ("b",)])
    time.sleep(0.5)
    pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        future.result(20)


@pytest.mark.parametrize("command", ["no-such-program --fast", "", "'open"])
def test_a_command_that_cannot_run_is_refused_at_once(command):
    with pytest.raises(UserError, match=r"there is no program|cannot be read"):
        CommandPool(command, 1, 1.0)


def test_a_program_that_goes_away_is_a_failure(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 0\n")
    os.chmod(program, 0o755)
    pool = CommandPool(str(program), 1, 10.0)
    program.unlink()
    assert pool.submit([("a",)]).result(10) == [Failure("cannot be run: No such file or directory")]
