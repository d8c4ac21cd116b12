"""How a long command ends when it is interrupted: at a point from which it can go on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

SAME_SECONDS = 1.0


class Interrupted(KeyboardInterrupt):
    """An interruption after which there is something to say."""


def resumable(output: object) -> Interrupted:
    """What to raise where the same command goes on with what it has left in its output folder."""
    return Interrupted(f"interrupted; to go on, give the same command again with --output {output}")


@contextmanager
def raising_instead(what: Callable[[], KeyboardInterrupt]) -> Iterator[None]:
    """Within, an interruption that says nothing itself ends with `what` there is to say then."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise what() from None


def telling_how_to_go_on(output: object) -> AbstractContextManager[None]:
    """Within, an interruption that says nothing itself ends with what `resumable` says."""
    return raising_instead(lambda: resumable(output))


def hangup() -> list[signal.Signals]:
    """The signal of a terminal that is closed, where there is one that is not ignored (`nohup`)."""
    found = getattr(signal, "SIGHUP", None)
    return [] if found is None or signal.getsignal(found) == signal.SIG_IGN else [found]


@contextmanager
def stop_request() -> Iterator[Callable[[], bool]]:
    """Within, the first SIGINT, SIGTERM or SIGHUP only asks to stop, the second does it at once.

    Gives a function that tells whether the first has come, or the command has died that started
    this process as one of its runs. Outside the main thread, which alone hears of signals, none
    comes. What follows within a second counts as the same: shells and schedulers may send several.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked_at = None
    # Not above: every command imports this module as it starts.
    from seqtutor.runs.provenance import is_job

    parent = os.getppid() if is_job() else None

    def ask(number: int, frame: object) -> None:
        from seqtutor.runs.progress import console

        nonlocal asked_at
        now = time.monotonic()
        if asked_at is not None:
            if now - asked_at > SAME_SECONDS:
                raise KeyboardInterrupt
            return
        asked_at = now
        console.print("Stopping after this chunk, to save it; interrupt again to stop at once")

    numbers = [signal.SIGINT, signal.SIGTERM, *hangup()]
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield lambda: asked_at is not None or parent not in (None, os.getppid())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
