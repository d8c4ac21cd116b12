"""The process that engraves, as this one sees it.

It lives on for the next scores, since it takes half a second to start, and ends with this process,
whose end of the pipe it reads from.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from typing import IO, Any

from seqtutor.errors import UserError

_MODULE = "seqtutor.tasks.scores.engraver"


class EngraverProcess:
    """Engraves scores one after the other; several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def start(self) -> None:
        """Start the process, so that it is ready for the first score."""
        with self._lock:
            self._running = self._running or _Running()

    def engrave(
        self, documents: Sequence[str], width: int, seconds: float, first: int = 0
    ) -> list[str]:
        """A picture of each MusicXML document.

        Args:
            documents: the scores.
            width: of the widest picture, in tenths of a millimetre.
            seconds: that all of them may take together.
            first: how many scores of the same page come before.

        Raises:
            UserError: if a score cannot be engraved, or the time is over; the process is another
                one then.
        """
        deadline = time.monotonic() + seconds
        with self._lock:
            pictures = []
            for number, document in enumerate(documents, start=1):
                running = self._running = self._running or _Running()
                try:
                    picture = running.ask([first + number, width, document], deadline)
                except queue.Empty:
                    self._running = None
                    running.end()
                    raise UserError(
                        f"engraving {len(documents):,} scores took more than {seconds:.0f} "
                        "seconds; write fewer"
                    ) from None
                if picture is None:
                    self._running = None
                    why = running.last_words()
                    raise UserError(f"cannot engrave score {number} of {len(documents)}: {why}")
                pictures.append(picture)
            return pictures


ENGRAVER = EngraverProcess()
"""That of this process."""


class _Running:
    """One process, from its start to its end."""

    def __init__(self) -> None:
        # As long as the process.
        self._messages: IO[str] = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process: subprocess.Popen[str] = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            encoding="utf-8",
        )
        self._answers: queue.Queue[str | None] = queue.Queue()
        reading = (self._process.stdout, self._answers)
        threading.Thread(target=_read, args=reading, daemon=True).start()

    def ask(self, request: Sequence[Any], deadline: float) -> str | None:
        """What the process answers; `None` if it has ended.

        Raises:
            queue.Empty: if it has not answered by the deadline.
        """
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        answer = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
        return None if answer is None else str(json.loads(answer))

    def end(self) -> None:
        """Whatever it is doing."""
        self._process.kill()
        self.last_words()

    def last_words(self) -> str:
        """Why it ended; it is waited for."""
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, AttributeError):
                pipe.close()  # type: ignore[union-attr]
        with self._messages as messages:
            messages.seek(0)
            lines = messages.read().strip().splitlines()
        return lines[-1] if lines else f"verovio ended with code {code}"


def _read(pipe: Iterable[str], answers: queue.Queue[str | None]) -> None:
    with contextlib.suppress(ValueError, OSError):  # The pipe is closed.
        for line in pipe:
            answers.put(line)
    answers.put(None)
