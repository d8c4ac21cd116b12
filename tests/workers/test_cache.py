from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import ill_behaved
from counting_pool import CountingPool
from seqtutor.workers.cache import CachedPool, Counts
from seqtutor.workers.pool import WorkerPool
from seqtutor.workers.worker import Failure

WORDS = [f"word{number}" for number in range(60)]


def shouted(words):
    return [word.upper() for word in words]


class SlowPool:
    """Has results once `answer` is called."""

    def __init__(self, function):
        self.function = function
        self.jobs = []

    def submit(self, items):
        future = Future()
        self.jobs.append((items, future))
        return future

    def answer(self):
        for items, future in self.jobs:
            future.set_result([self.function(item) for item in items])

    def close(self):
        pass


def cached_pool(pool, **arguments):
    return CachedPool(pool, lambda items, results: results, **arguments)


@pytest.fixture
def pool():
    return CountingPool(ill_behaved.behave)


def test_each_item_is_computed_once_and_a_failure_is_kept_like_a_result(pool):
    cached = cached_pool(pool)
    assert cached.start(["a", "b", "a", "raise"]).collect()[:3] == ["A", "B", "A"]
    assert pool.items == ["a", "b", "raise"]
    again = cached.start(["raise", "a", "c"]).collect()
    assert pool.items == ["a", "b", "raise", "c"]
    assert isinstance(again[0], Failure)
    assert again[1:] == ["A", "C"]
    assert cached.counts == Counts(items=7, computed=4, failed=1)


def test_the_items_that_were_not_used_for_longest_are_dropped(pool):
    cached = cached_pool(pool, size=3)
    for batch in (["a", "b", "c"], ["a"], ["d"], ["a", "b"]):
        assert cached.start(batch).collect() == shouted(batch)
    assert pool.items == ["a", "b", "c", "d", "b"]


def test_a_batch_larger_than_the_cache_is_computed_whole(pool):
    cached = cached_pool(pool, size=1)
    assert cached.start([*WORDS, WORDS[0]]).collect() == shouted([*WORDS, WORDS[0]])


def test_an_alias_of_a_result_is_not_computed_again(pool):
    cached = cached_pool(pool, alias=lambda result: result)
    cached.start(["a", "A", "b"]).collect()
    assert cached.start(["A", "B"]).collect() == ["A", "B"]
    assert pool.items == ["a", "A", "b"]


def test_batches_may_be_under_way_together_and_share_work():
    pool = SlowPool(ill_behaved.behave)
    cached = cached_pool(pool)
    batches = (["a", "b"], ["b", "c"], ["a", "b", "c"])
    pending = [cached.start(batch) for batch in batches]
    assert [items for items, _ in pool.jobs] == [["a", "b"], ["c"], []]
    pool.answer()
    for one, batch in reversed(list(zip(pending, batches, strict=True))):
        assert one.collect() == shouted(batch)
        assert one.collect() == shouted(batch)
    assert cached.counts == Counts(items=7, computed=3, failed=0)


def test_several_threads_may_use_it():
    batches = [WORDS[start : start + 30] for start in range(0, 31, 5)]
    with WorkerPool(ill_behaved.behave, 2) as workers, ThreadPoolExecutor(4) as threads:
        cached = cached_pool(workers)
        found = list(threads.map(lambda batch: cached.start(batch).collect(), batches))
    assert found == list(map(shouted, batches))
    assert cached.counts.computed == len({word for batch in batches for word in batch})
