"""How a long command ends when it is interrupted: at a point from which it can go on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Interrupted(KeyboardInterrupt):
    """An interruption after which there is something to say."""


def resumable(output: object) -> Interrupted:
    """What to raise where the same command goes on with what it has left in its output folder."""
    return Interrupted(f"interrupted; to go on, give the same command again with --output {output}")


@contextmanager
def telling_how_to_go_on(output: object) -> Iterator[None]:
    """Within, an interruption that says nothing itself ends with what `resumable` says."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise resumable(output) from None


def hangup() -> list[signal.Signals]:
    """The signal of a terminal that is closed, where there is one that is not ignored (`nohup`)."""
    found = getattr(signal, "SIGHUP", None)
    return [] if found is None or signal.getsignal(found) == signal.SIG_IGN else [found]


@contextmanager
def stop_request() -> Iterator[Callable[[], bool]]:
    """Within, the first SIGINT, SIGTERM or SIGHUP only asks to stop, the second does it at once.

    Gives a function that tells whether the first has come. Outside the main thread, which alone
    hears of signals, it never does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    is_asked = False

    def ask(number: int, frame: object) -> None:
        from seqtutor.cli.progress import console

        nonlocal is_asked
        if is_asked:
            raise KeyboardInterrupt
        is_asked = True
        console.print("Stopping after this chunk, to save it; interrupt again to stop at once")

    numbers = [signal.SIGINT, signal.SIGTERM, *hangup()]
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield lambda: is_asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
