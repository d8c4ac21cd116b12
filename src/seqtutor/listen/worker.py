"""One thread that does the work of all requests, and a queue before it that has an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

MOST_WAITING = 8


class BusyError(Exception):
    """As many requests wait as may."""


class Worker:
    """Runs functions one after the other; all methods are called from one event loop."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self.most_waiting = most_waiting
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="listen")

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What a function returns, once its turn has come.

        Raises:
            BusyError: if `most_waiting` others wait or are at work.
        """
        if self._waiting >= self.most_waiting:
            raise BusyError
        self._waiting += 1
        loop = asyncio.get_running_loop()
        task = loop.run_in_executor(self._thread, function, *arguments)
        # Not in a `finally`: whoever asked may be gone while the thread is still at work.
        task.add_done_callback(self._done)
        return await task

    def _done(self, task: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not task.cancelled():
            task.exception()  # It is known, even if nobody waits for it any more.

    def close(self) -> None:
        """End the thread, after what it is at."""
        self._thread.shutdown(wait=True, cancel_futures=True)


class Preparation:
    """A thread that makes later answers fast, one function after the other, beside the worker."""

    def __init__(self, functions: Iterable[Callable[[], Any]]) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        for function in functions:
            self._thread.submit(function)

    def close(self) -> None:
        """End the thread, after what it is at: a compiler that is cut off takes Python with it."""
        self._thread.shutdown(wait=True, cancel_futures=True)
