"""A pool that computes each distinct item once and keeps its result.

`start` gives the items that are new to a pool and returns at once; `Pending.collect` waits for
their results. The caller can do other work in between.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from seqtutor.workers.pool import Pool
from seqtutor.workers.worker import Failure

CACHE_SIZE = 500_000

_Collected = TypeVar("_Collected")


@dataclass(frozen=True)
class Counts:
    """The work of a pool so far: items asked for, computed, and those without a result."""

    items: int = 0
    computed: int = 0
    failed: int = 0


class CachedPool(Generic[_Collected]):
    """Computes each distinct item once; several threads may use it.

    Args:
        pool: applies the function.
        combine: makes what is collected of the items of a batch and the result or `Failure` of
            each.
        size: results that are kept, those used last.
        alias: gives, for a result, another item that has the same result, if there is one.
    """

    def __init__(
        self,
        pool: Pool,
        combine: Callable[[list[Any], list[Any]], _Collected],
        *,
        size: int = CACHE_SIZE,
        alias: Callable[[Any], Hashable | None] | None = None,
    ) -> None:
        self.counts = Counts()
        self.combine = combine
        self._pool = pool
        self._size = size
        self._alias = alias
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._under_way: dict[Hashable, Pending[_Collected]] = {}
        self._lock = threading.RLock()

    def start(self, items: Sequence[Any]) -> Pending[_Collected]:
        """Begin to compute the results of items."""
        pending = Pending(self, list(items))
        with self._lock:
            for item in dict.fromkeys(items):
                if item in self._kept:
                    self._kept.move_to_end(item)
                    pending.known[item] = self._kept[item]
                elif item in self._under_way:
                    pending.others.add(self._under_way[item])
                else:
                    self._under_way[item] = pending
                    pending.new.append(item)
            self.counts = replace(
                self.counts,
                items=self.counts.items + len(items),
                computed=self.counts.computed + len(pending.new),
            )
            # Within the lock: a thread that finds `pending` under way must find its future, too.
            pending.future = self._pool.submit(pending.new)
        return pending

    def know(self, results: Mapping[Any, Any]) -> None:
        """Keep results that were computed before; the pool is not asked for them again."""
        with self._lock:
            self._kept.update(results)

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()

    def __enter__(self) -> CachedPool[_Collected]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _keep(self, new: dict[Hashable, Any]) -> None:
        failed = sum(isinstance(result, Failure) for result in new.values())
        with self._lock:
            self.counts = replace(self.counts, failed=self.counts.failed + failed)
            for item, result in new.items():
                self._under_way.pop(item, None)
                self._kept[item] = result
                if self._alias is not None and (alias := self._alias(result)) is not None:
                    self._kept.setdefault(alias, result)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


class Pending(Generic[_Collected]):
    """The results of some items that are being computed."""

    def __init__(self, pool: CachedPool[_Collected], items: list[Any]) -> None:
        self.items = items
        self.known: dict[Hashable, Any] = {}
        self.others: set[Pending[_Collected]] = set()
        self.new: list[Hashable] = []
        self.future: Future[list[Any]]
        self._pool = pool
        self._lock = threading.Lock()
        self._is_kept = False

    def collect(self) -> _Collected:
        """Wait for the results; may be called again.

        Raises:
            UserError: if the worker processes cannot start.
            RuntimeError: if the pool was closed.
        """
        results = dict(self.known)
        for one in (*self.others, self):
            results |= one._computed()
        return self._pool.combine(self.items, [results[item] for item in self.items])

    def _computed(self) -> dict[Hashable, Any]:
        """The results of the items that were new."""
        found = dict(zip(self.new, self.future.result(), strict=True))
        with self._lock:
            if not self._is_kept:
                self._pool._keep(found)
                self._is_kept = True
        return found
