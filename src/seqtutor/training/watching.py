"""Compiled work that can be interrupted, and whose reward can fail with a word of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import jax

from seqtutor.rewards import as_reward
from seqtutor.training.tutor import Tutor

_Result = TypeVar("_Result")

_LOOK_EVERY = 0.05
"""Seconds between two looks for a signal."""
_PATIENCE = 5.0
"""Seconds that an interruption waits for the work, since a program that ends while XLA computes for
it aborts."""


def watched(tutor: Tutor, work: Callable[[], _Result]) -> _Result:
    """Do a chunk of a tutor's work to its end, and give what it gives.

    Python hears of signals between two lines of its own, and a chunk is one line, in which a reward
    on the host may even hang. So the work goes on in a thread while this one listens. After an
    interruption the chunk's results are lost. It is raised when the thread has ended, or after five
    seconds, or at the next interruption.

    Raises:
        UserError: if the reward fails in the compiled loop.
        KeyboardInterrupt: at an interruption, if this is the main thread.
    """
    with _reward_failures(tutor):
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

    # A daemon: Python does not wait at its end for a reward that hangs.
    thread = threading.Thread(target=run, name="compiled work", daemon=True)
    thread.start()
    try:
        while not has_ended.wait(_LOOK_EVERY):
            pass
    except KeyboardInterrupt:
        has_ended.wait(_PATIENCE)
        raise
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def _reward_failures(tutor: Tutor) -> Iterator[None]:
    """Within, a reward that fails in the compiled loop says so itself.

    JAX would print its traceback first, and then raise an error that names parts of the loop.
    """
    printer = logging.getLogger("jax._src.callback")
    was_disabled, printer.disabled = printer.disabled, True
    try:
        yield
    except Exception:
        as_reward(tutor.task.reward).raise_failure()
        raise
    finally:
        printer.disabled = was_disabled
