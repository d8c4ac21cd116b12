"""A pool whose function takes items in batches, used like one that takes them one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from seqtutor.workers.pool import Pool
from seqtutor.workers.worker import Failure


class BatchPool:
    """Gives items to another pool in batches, and takes a batch that fails apart.

    The other pool is given tuples of items, and answers each with a result or a `Failure` for every
    item, or with one `Failure` for all of them: the batch is then halved, and its halves are tried
    again, down to single items. So an item fails only if it does so by itself.

    Args:
        pool: is closed with this one.
        most: items of a batch.
        workers: of the pool, among which the items are spread.
    """

    def __init__(self, pool: Pool, most: int, workers: int) -> None:
        self.most = most
        self._pool, self._workers = pool, max(1, workers)

    def submit(self, items: Sequence[Any]) -> Future[list[Any]]:
        """Begin; the future holds a result or a `Failure` for each item, in order."""
        return in_thread(self._work, list(items))

    def close(self) -> None:
        """Close the other pool."""
        self._pool.close()

    def _work(self, items: list[Any]) -> list[Any]:
        size = max(1, min(self.most, -(-len(items) // self._workers)))
        waiting = [range(len(items))[start : start + size] for start in range(0, len(items), size)]
        results: list[Any] = [None] * len(items)
        while waiting:
            batches = [tuple(items[row] for row in rows) for rows in waiting]
            answers = self._pool.submit(batches).result()
            failed = []
            for rows, answer in zip(waiting, answers, strict=True):
                if isinstance(answer, Failure) and len(rows) > 1:
                    half = len(rows) // 2
                    failed += [rows[:half], rows[half:]]
                else:
                    own = [answer] if isinstance(answer, Failure) else answer
                    results[rows.start : rows.stop] = own
                    self.note(answer)
            waiting = failed
        return results

    def note(self, answer: Any) -> None:
        """Learn from an answer of the other pool how to go on; by default nothing."""


def in_thread(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Call a function in a thread of its own, which does not keep Python from ending."""
    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future
