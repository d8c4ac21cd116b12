"""What is said when a long command is interrupted."""

import os
import signal
from pathlib import Path

import pytest

from seqtutor.cli.main import find_call, parse
from seqtutor.cli.tune import _interrupted_before_table
from seqtutor.runs import interruption
from seqtutor.runs.interruption import Interrupted, stop_request, telling_how_to_go_on
from seqtutor.runs.provenance import COMMAND


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (KeyboardInterrupt(), "interrupted; to go on, .* with --output runs/mine"),
        (Interrupted("interrupted at step 8"), "^interrupted at step 8$"),
    ],
    ids=["says nothing", "says something"],
)
def test_an_interruption_tells_how_to_go_on_unless_it_tells_something_itself(raised, told):
    with pytest.raises(Interrupted, match=told), telling_how_to_go_on("runs/mine"):
        raise raised


@pytest.mark.parametrize(
    ("seeds", "told"),
    [
        (1, "for its table and page: seqtutor tune melody --resume runs/mine$"),
        (3, "for its table and page: give the same command again with --output runs/mine$"),
    ],
)
def test_a_run_without_its_table_is_told_how_to_get_all_of_it(seeds, told):
    """Not by `evaluate`, which knows nothing of the run's own reward."""
    call = find_call("tune", ["melody", "--seeds", str(seeds)])
    with pytest.raises(Interrupted, match=told):
        raise _interrupted_before_table(call.spec, Path("runs/mine"), parse(call))


def test_the_second_signal_stops_at_once_but_not_one_that_comes_with_the_first(monkeypatch):
    with stop_request() as is_to_stop:
        assert not is_to_stop()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert is_to_stop()
        monkeypatch.setattr(interruption, "SAME_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_run_stops_when_the_command_that_started_it_has_died(monkeypatch):
    for was_started in (False, True):
        if was_started:
            monkeypatch.setenv(COMMAND, "seqtutor compare")
        with stop_request() as is_to_stop, monkeypatch.context() as later:
            assert not is_to_stop()
            later.setattr(os, "getppid", lambda: 1)
            assert is_to_stop() == was_started
