"""Compiled work that Ctrl-C can interrupt, and that reports the errors of its reward."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import jax

from seqtutor.training.tutor import Tutor

_Result = TypeVar("_Result")

_CHECK_EVERY = 0.05
"""Seconds between two checks for a signal."""
_PATIENCE = 20.0
"""Seconds for which Python, at its end, waits for work that was interrupted."""

_under_way: set[threading.Event] = set()
"""One event for each thread at work, set when it ends."""


def watched(tutor: Tutor, work: Callable[[], _Result]) -> _Result:
    """Run a chunk of a tutor's work and return its result.

    Python handles signals between two of its instructions, and a chunk is one, in which a reward on
    the host may even hang. So the work runs in a thread while this one waits for signals. After an
    interruption the result is lost, and the thread ends with the chunk.

    Raises:
        UserError: if the reward fails in the compiled loop.
        KeyboardInterrupt: at an interruption, if this is the main thread.
    """
    with tutor.task.reward.reporting_failures():
        if threading.current_thread() is not threading.main_thread():
            return jax.block_until_ready(work())
        return in_thread(lambda: jax.block_until_ready(work()))


def in_thread(work: Callable[[], _Result]) -> _Result:
    """Run the work in a thread, while this one waits for signals; return its result."""
    results: list[_Result] = []
    errors: list[BaseException] = []
    # Not the thread's own `join`: interrupted, it takes the thread for ended (CPython 3.11).
    has_ended = threading.Event()

    # What a `with` block sets in JAX holds for its own thread only.
    precise = jax.config.jax_enable_x64  # type: ignore[attr-defined]
    device = jax.config.jax_default_device  # type: ignore[attr-defined]

    def run() -> None:
        try:
            with jax.enable_x64(precise), jax.default_device(device):
                results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            has_ended.set()
            _under_way.discard(has_ended)

    # A daemon: Python does not wait at its end for a reward that hangs.
    thread = threading.Thread(target=run, name="compiled work", daemon=True)
    _under_way.add(has_ended)
    thread.start()
    while not has_ended.wait(_CHECK_EVERY):
        pass
    if errors:
        raise errors[0]
    return results[0]


@atexit.register
def _let_work_end() -> None:
    """Wait for work that was interrupted: Python aborts if it ends while XLA is at work."""
    deadline = time.monotonic() + _PATIENCE
    try:
        while _under_way and time.monotonic() < deadline:
            time.sleep(_CHECK_EVERY)
    except KeyboardInterrupt:
        pass
    if _under_way:
        os._exit(130)
