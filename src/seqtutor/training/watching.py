"""Compiled work that can be interrupted, and whose reward can fail with a word of its own."""

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

_LOOK_EVERY = 0.05
"""Seconds between two looks for a signal."""
_PATIENCE = 20.0
"""Seconds that the end of the program waits for work that was interrupted."""

_under_way: set[threading.Event] = set()
"""What is set when work has ended that goes on in a thread."""


def watched(tutor: Tutor, work: Callable[[], _Result]) -> _Result:
    """Do a chunk of a tutor's work to its end, and give what it gives.

    Python hears of signals between two lines of its own, and a chunk is one line, in which a reward
    on the host may even hang. So the work goes on in a thread while this one listens. After an
    interruption the chunk's results are lost, and the thread ends with the chunk.

    Raises:
        UserError: if the reward fails in the compiled loop.
        KeyboardInterrupt: at an interruption, if this is the main thread.
    """
    with tutor.task.reward.reporting_failures():
        if threading.current_thread() is not threading.main_thread():
            return jax.block_until_ready(work())
        return in_thread(lambda: jax.block_until_ready(work()))


def in_thread(work: Callable[[], _Result]) -> _Result:
    """Do the work in a thread, while this one listens for signals; give what it gives."""
    results: list[_Result] = []
    errors: list[BaseException] = []
    # Not the thread's own `join`: interrupted, it takes the thread for ended (CPython 3.11).
    has_ended = threading.Event()

    # JAX keeps what a `with` block sets for the thread that it is in.
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
    while not has_ended.wait(_LOOK_EVERY):
        pass
    if errors:
        raise errors[0]
    return results[0]


@atexit.register
def _let_work_end() -> None:
    """Wait for work that was interrupted: Python aborts if it ends while XLA works for it."""
    deadline = time.monotonic() + _PATIENCE
    try:
        while _under_way and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)
    except KeyboardInterrupt:
        pass
    if _under_way:
        os._exit(130)
