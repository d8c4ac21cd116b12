"""A worker as its parent sees it: a process that can be started, given items, and killed."""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO, Any

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.worker import (
    MARK_BYTES,
    NO_ITEM,
    OUT_OF_MEMORY,
    CannotStart,
    Greeting,
)

_SECONDS_TO_START = 120.0
_SECONDS_TO_END = 2.0
_FROM_OUTSIDE = (
    *(-number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)),
    OUT_OF_MEMORY,
)
"""Exit codes of a process that did not fail by itself."""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class DiedError(Exception):
    """A worker ended too early.

    Attributes:
        item: index of the item at which it worked; `NO_ITEM` if it was at none.
        had_started: whether it had been ready for items at all.
        is_from_outside: whether the process was ended by somebody, such as a system without memory
            or one that shuts down, or had itself no memory left; the item is not to blame.
    """

    def __init__(self, reason: str, item: int, had_started: bool, is_from_outside: bool) -> None:
        super().__init__(reason)
        self.item = item
        self.had_started = had_started
        self.is_from_outside = is_from_outside


class WorkerProcess:
    """One process at a time that applies a pickled function.

    It is a new interpreter rather than a fork: a fork of a process in which JAX runs threads may
    deadlock. Only one thread may call `start` and `work`; `watch` and `kill` may be called from
    any.

    Args:
        function: what to apply, pickled.
        seconds: an item that takes longer is given up.
    """

    def __init__(self, function: bytes, seconds: float) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._printed: IO[bytes] | None = None
        self._has_started = self._is_busy = self._is_late = False
        self._seen, self._stuck_for = NO_ITEM, 0.0
        # A file without a name, which the system clears away whatever ends the processes.
        self._shared = tempfile.TemporaryFile()  # noqa: SIM115 - as long as this is
        self._shared.write(bytes(MARK_BYTES))
        self._shared.flush()
        self._mark = memoryview(mmap.mmap(self._shared.fileno(), MARK_BYTES)).cast("q")
        self._greeting = Greeting(function, self._shared.fileno(), seconds)

    @property
    def process_id(self) -> int | None:
        """The system's number of the process, if one runs."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Start a process, without waiting until it is ready."""
        self._has_started = self._is_late = False
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the worker dies
        code = f"import sys; sys.path[:] = {sys.path!r}; import seqtutor.tasks.molecule.worker as w"
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{code}; w.main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            pass_fds=[self._shared.fileno()],
            env={**os.environ, **_ONE_THREAD},
            # A Ctrl-C in the terminal is for the parent alone.
            start_new_session=True,
        )
        with contextlib.suppress(OSError):  # Has it died at once, `work` will say so.
            self._send(self._greeting)

    def work(self, items: Sequence[Any]) -> list[Any]:
        """The function's results or failures for some items.

        Raises:
            DiedError: if the process ends first; `start` starts a new one.
            UserError: if the process cannot load the function.
        """
        self._mark[0] = self._seen = NO_ITEM
        self._stuck_for, self._is_busy = 0.0, True
        try:
            if not self._has_started:
                answer = self._receive()
                if isinstance(answer, CannotStart):
                    raise UserError(f"the worker processes cannot start: {answer.reason}")
                self._has_started, self._stuck_for = True, 0.0
            self._send(items)
            return self._receive()
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._death() from None
        finally:
            self._is_busy = False

    def watch(self, elapsed: float) -> None:
        """Kill the process if it makes no progress; to be called every so often.

        Args:
            elapsed: seconds since the last call.
        """
        if not self._is_busy:
            return
        mark = self._mark[0]
        if mark != self._seen:
            self._seen, self._stuck_for = mark, 0.0
            return
        self._stuck_for += elapsed
        if self._stuck_for > (self._seconds if self._has_started else _SECONDS_TO_START):
            self._is_late = True
            self.kill()

    def kill(self) -> None:
        """End the process, if one runs, and wait until it is gone."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _send(self, message: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin, pickle.HIGHEST_PROTOCOL)
        self._process.stdin.flush()

    def _receive(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)

    def _death(self) -> DiedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            # What ends by itself has an exit code to tell, if it is given the time.
            self._process.wait(_SECONDS_TO_END)  # type: ignore[union-attr]
        self.kill()
        assert self._process is not None
        assert self._printed is not None
        code = self._process.returncode
        is_from_outside = code in _FROM_OUTSIDE and not self._is_late
        if self._is_late:
            reason = f"took longer than {self._seconds:g} s"
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
        for stream in (self._process.stdin, self._process.stdout, self._printed):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        return DiedError(reason, self._mark[0], self._has_started, is_from_outside)
