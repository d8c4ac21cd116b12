"""A pool that says what it was asked to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from seqtutor.workers.pool import InProcessPool


class CountingPool(InProcessPool):
    """Notes the items that it is given."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__(function)
        self.items: list[Any] = []

    def submit(self, items: Sequence[Any]) -> Future[list[Any]]:
        self.items += items
        return super().submit(items)
