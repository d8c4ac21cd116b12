"""A worker process as its parent sees it: it can be started, given items, and killed."""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import IO, Any

from seqtutor.errors import UserError
from seqtutor.references import files_of
from seqtutor.workers.worker import MARK_BYTES, NO_ITEM, OUT_OF_MEMORY, size_of

_SECONDS_TO_START = 120.0
_SECONDS_TO_END = 2.0
_ENDED_FROM_OUTSIDE = {
    *(-number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)),
    OUT_OF_MEMORY,
}
"""Exit codes of a process that did not fail by itself."""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_SHARES_A_GPU = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""For a user's file, which may use JAX as it is imported: the parent needs the device's memory."""


@dataclass(eq=False)
class DiedError(Exception):
    """A worker ended too early.

    Attributes:
        reason: why.
        item: index of the item at which it worked; `NO_ITEM` if it was at none.
        had_started: whether it had been ready for items at all.
        is_from_outside: whether something else ended the process, such as the system for want of
            memory or because it shuts down. The item is not to blame then.
    """

    reason: str
    item: int
    had_started: bool
    is_from_outside: bool


class WorkerProcess:
    """Applies a pickled function in one process at a time.

    The process is a new interpreter and not a fork: a fork of a process in which JAX runs threads
    may deadlock. Only one thread may call `start` and `work`; any may call `kill`.

    Args:
        function: the function to apply, pickled. The files that `references.load_file` has loaded
            here and that it names are loaded there first.
        seconds: time limit of one item; a tuple is a batch, which has as many times that.
    """

    def __init__(self, function: bytes, seconds: float) -> None:
        self._function, self._seconds = function, seconds
        self._limit = seconds
        # A file without a name: the system removes it however the processes end.
        self._shared = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as this object
        self._shared.write(bytes(MARK_BYTES))
        self._shared.flush()
        self._mark = memoryview(mmap.mmap(self._shared.fileno(), MARK_BYTES)).cast("q")
        self.start()

    def start(self) -> None:
        """Start a process, without waiting until it is ready."""
        self._has_started = self._is_late = False
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_death`
        self._connection: Connection
        self._connection, others = Pipe()
        descriptors = others.fileno(), self._shared.fileno()
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; import seqtutor.workers.worker as worker; "
            f"worker.main(*{descriptors}, {self._seconds})"
        )
        with others:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._printed,
                pass_fds=descriptors,
                env={**_SHARES_A_GPU, **os.environ, **_ONE_THREAD},
                # Ctrl-C in the terminal is for the parent alone.
                start_new_session=True,
            )
        with contextlib.suppress(OSError):  # If it died at once, `work` raises the error.
            self._connection.send(files_of(self._function))
            self._connection.send_bytes(self._function)

    def work(self, items: Sequence[Any]) -> list[Any]:
        """The function's result or a `Failure` for each item.

        Raises:
            DiedError: if the process ends first; `start` starts a new one.
            UserError: if the process cannot load the function.
        """
        self._mark[0] = NO_ITEM
        try:
            if not self._has_started:
                reason = self._receive(_SECONDS_TO_START)
                if reason is not None:
                    raise UserError(f"the worker processes cannot start: {reason}")
                self._has_started = True
            self._connection.send(items)
            self._limit = self._seconds * max(map(size_of, items), default=1)
            return self._receive(self._limit)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._death() from None

    def kill(self) -> None:
        """End the process and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def _receive(self, limit: float) -> Any:
        """The next message; kills the process if it is at one item for longer than `limit`."""
        interval = min(1.0, limit / 5)
        seen, stuck_for, before = NO_ITEM, 0.0, time.monotonic()
        while not self._connection.poll(interval):
            now = time.monotonic()
            # The time while the whole machine sleeps does not count.
            elapsed, before = min(now - before, 2 * interval), now
            stuck_for = stuck_for + elapsed if self._mark[0] == seen else 0.0
            seen = self._mark[0]
            if stuck_for > limit:
                self._is_late = True
                self.kill()
        return self._connection.recv()

    def _death(self) -> DiedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            # A process that ends by itself takes a moment until it has an exit code.
            self._process.wait(_SECONDS_TO_END)
        self.kill()
        code = self._process.returncode
        is_from_outside = code in _ENDED_FROM_OUTSIDE and not self._is_late
        if self._is_late:
            reason = f"took longer than {self._limit:g} s"
        elif code == OUT_OF_MEMORY:
            reason = "ran out of memory"
        elif self._has_started:
            reason = f"crashed its process (exit code {code})"
        elif is_from_outside:
            reason = f"something else ended it as it started (exit code {code})"
        else:
            self._printed.seek(0)
            lines = self._printed.read().decode(errors="replace").split("\n")
            reason = next((line for line in reversed(lines) if line.strip()), "no reason is known")
        self._connection.close()
        self._printed.close()
        return DiedError(reason, self._mark[0], self._has_started, is_from_outside)
