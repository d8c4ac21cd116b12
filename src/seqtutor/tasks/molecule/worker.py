"""A process of a `WorkerPool`: applies a function to items that arrive on its standard input.

It shares nothing with its parent but two pipes and a small file, in which it leaves the index of
the item at which it works: should it die, the parent knows of what.
"""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

MARK_BYTES = 8
NO_ITEM = -1
"""The mark of a worker that is between items."""

OUT_OF_MEMORY = 12
"""Exit code of a worker that ran out of memory."""

_ORPHAN_SECONDS = 60.0


@dataclass(frozen=True)
class Greeting:
    """What a worker is told first.

    Attributes:
        function: what to apply, pickled.
        mark: descriptor of the file for the mark, which the process has from its parent.
        seconds: time that one item may take.
    """

    function: bytes
    mark: int
    seconds: float


@dataclass(frozen=True)
class CannotStart:
    """The answer to a greeting, instead of `None`: why the function cannot be loaded."""

    reason: str


@dataclass(frozen=True)
class Failure:
    """Takes the place of a result: why there is none, and whether it is for want of memory."""

    reason: str
    is_of_memory: bool = False


def apply(function: Callable[[Any], Any], item: Any) -> Any:
    """The function's result, or a `Failure` where it raises an exception."""
    try:
        return function(item)
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {message}" if message else type(error).__name__
        return Failure(reason, isinstance(error, MemoryError))


def main() -> None:
    """Serve until standard input ends."""
    # The parent ends its workers; a Ctrl-C in the terminal is meant for the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = _take_streams()
    greeting: Greeting = pickle.load(requests)
    try:
        function = pickle.loads(greeting.function)
        getattr(function, "prepare", lambda: None)()
    except Exception as error:
        _send(answers, CannotStart(traceback.format_exception_only(error)[-1].strip()))
        return
    mark = memoryview(mmap.mmap(greeting.mark, MARK_BYTES)).cast("q")
    _send(answers, None)
    # From here on only the answers count; what else is printed is lost.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            items = pickle.load(requests)
            # A worker that hangs ends even if its parent, which would kill it sooner, was killed.
            limit = greeting.seconds * len(items) + _ORPHAN_SECONDS
            faulthandler.dump_traceback_later(limit, exit=True)
            results = _apply_to_all(function, items, mark)
            faulthandler.cancel_dump_traceback_later()
            _send(answers, results)


def _apply_to_all(
    function: Callable[[Any], Any], items: Sequence[Any], mark: memoryview
) -> list[Any]:
    results = []
    for index, item in enumerate(items):
        mark[0] = index
        result = apply(function, item)
        if isinstance(result, Failure) and result.is_of_memory:
            # What fills this process may be earlier items; a new one has room.
            os._exit(OUT_OF_MEMORY)
        results.append(result)
    mark[0] = NO_ITEM
    return results


def _take_streams() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent, out of reach for whatever prints."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, answers


def _send(answers: BinaryIO, answer: Any) -> None:
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()
