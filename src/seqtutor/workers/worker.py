"""The program of a worker process: applies a function to the items that its parent sends.

The process shares with its parent a connection and a small file. In the file it writes the index of
the item at which it works, so that the parent knows which item it was if the process dies.
"""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import pickle
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from seqtutor.errors import UserError, in_one_line, place_in
from seqtutor.references import load_file

MARK_BYTES = 8
NO_ITEM = -1
"""What the shared file holds while a worker is between items."""

OUT_OF_MEMORY = 12
"""Exit code of a worker that ran out of memory."""

_ORPHAN_SECONDS = 60.0


@dataclass(frozen=True)
class Failure:
    """Takes the place of the result of an item for which there is none.

    Attributes:
        reason: why.
        place: the line of the function's file at which it raised an exception, as `place_in` gives
            it.
        is_of_memory: whether memory ran out.
    """

    reason: str
    place: str = field(default="", compare=False)
    is_of_memory: bool = False


def apply(function: Callable[[Any], Any], item: Any) -> Any:
    """The function's result, or a `Failure` if it raises an exception."""
    try:
        return function(item)
    except (Exception, SystemExit) as error:
        place = place_in(function, error)
        return Failure(in_one_line(error), place, isinstance(error, MemoryError))


def size_of(item: Any) -> int:
    """How many items an item stands for: a tuple is a batch."""
    return len(item) if isinstance(item, tuple) else 1


def main(connection: int, mark: int, seconds: float) -> None:
    """Serve until the parent ends: receive files, a function pickled, then lists of items.

    The files are loaded, because the function is of one of them. Answers the function with `None`,
    or with the reason why it cannot be loaded, and each list with the list of results. `connection`
    and `mark` are file descriptors; `seconds` is the time limit of an item.
    """
    # The parent ends its workers; Ctrl-C in the terminal is meant for the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = Connection(connection)
    current = memoryview(mmap.mmap(mark, MARK_BYTES)).cast("q")
    try:
        for file in parent.recv():
            load_file(Path(file))
        function = pickle.loads(parent.recv_bytes())
        getattr(function, "prepare", lambda: None)()
    except (Exception, SystemExit) as error:
        parent.send(str(error) if isinstance(error, UserError) else in_one_line(error))
        return
    parent.send(None)
    # Standard error was kept for the reason why a worker cannot start.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            items = parent.recv()
            # Ends a worker that hangs after its parent, which would have killed it, was killed.
            limit = seconds * sum(map(size_of, items)) + _ORPHAN_SECONDS
            faulthandler.dump_traceback_later(limit, exit=True)
            results = []
            for index, item in enumerate(items):
                current[0] = index
                result = apply(function, item)
                if isinstance(result, Failure) and result.is_of_memory:
                    # Earlier items may fill this process; a new one has room.
                    os._exit(OUT_OF_MEMORY)
                results.append(result)
            current[0] = NO_ITEM
            faulthandler.cancel_dump_traceback_later()
            parent.send(results)
