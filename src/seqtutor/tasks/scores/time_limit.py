"""A limit on the time that a reader of others' making may take."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

_AGAIN = 0.02


class TooLongError(BaseException):
    """The time is over. No `Exception`: a reader would take it for one of its own and go on."""


@contextlib.contextmanager
def time_limit(seconds: float, package: str) -> Iterator[None]:
    """Within, a package's Python code that takes longer ends with a `TooLongError`.

    An alarm of the system does it, which only a main thread hears; elsewhere, and where there is no
    such alarm (Windows), there is no limit.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "SIGALRM"):
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        # Raised in a finaliser or a callback of other code, it would be lost, and printed.
        if frame is not None and package in Path(frame.f_code.co_filename).parts:
            raise TooLongError

    before = signal.signal(signal.SIGALRM, end)
    # Again and again, until it comes while the package itself is at work.
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining, interval)
        signal.signal(signal.SIGALRM, before)
