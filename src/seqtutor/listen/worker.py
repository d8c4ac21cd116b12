"""One thread that does the work of all requests, and a queue before it that has an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

MOST_WAITING = 8


class BusyError(Exception):
    """As many requests wait as may."""


class GoneError(Exception):
    """Whoever asked is gone."""


class Worker:
    """Runs functions one after the other; all methods are called from one event loop."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self.most_waiting = most_waiting
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="listen")

    async def run(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        gone: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> Result:
        """What a function returns, once its turn has come.

        Args:
            function: what is to be done.
            arguments: of the function.
            gone: ends once nobody waits for it any more; what is not at work yet gives its place
                to others then.

        Raises:
            BusyError: if `most_waiting` others wait or are at work.
            GoneError: if nobody waits any more.
        """
        if self._waiting >= self.most_waiting:
            raise BusyError
        self._waiting += 1
        loop = asyncio.get_running_loop()
        work = self._thread.submit(function, *arguments)
        # Not in a `finally`: whoever asked may be gone while the thread is still at work.
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        answer = asyncio.wrap_future(work)
        if gone is None:
            return await answer
        leaving = asyncio.create_task(gone())
        try:
            await asyncio.wait((answer, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if answer.done():
            return answer.result()
        answer.cancel()
        raise GoneError

    def _done(self) -> None:
        self._waiting -= 1

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
