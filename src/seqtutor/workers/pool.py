"""Pools of worker processes, in which a function may crash or hang at the cost of that item alone.

Code in C++ can end its process or never return, and Python can catch neither. Here that costs the
item at which it happened and a restart of one worker. If a worker is killed from outside or runs
out of memory the item is not to blame, and is tried again.
"""

from __future__ import annotations

import pickle
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from seqtutor.errors import UserError, name_of
from seqtutor.machine import usable_cores
from seqtutor.workers.process import DiedError, WorkerProcess
from seqtutor.workers.worker import NO_ITEM, Failure, apply

SECONDS_PER_ITEM = 10.0

_LARGEST_PORTION = 32
_PORTIONS_PER_WORKER = 4
_TRIES = 3
_TRIES_TO_START = 20
"""For workers of which some have started before, or that something else ended."""


class Pool(Protocol):
    """Applies a function to items, here or elsewhere."""

    def submit(self, items: Sequence[Any]) -> Future[list[Any]]:
        """Begin; the future holds a result or a `Failure` for each item, in order."""

    def close(self) -> None:
        """End all processes. Nothing can be submitted any more."""


@dataclass(frozen=True)
class OneByOne:
    """A function of lists as a function of an item, which it is given as a list of one."""

    function: Callable[[list[Any]], Any]

    @property
    def __wrapped__(self) -> Callable[[list[Any]], Any]:
        return self.function

    def __call__(self, item: Any) -> Any:
        """What the function returns for the item alone."""
        return self.function([item])


class InProcessPool:
    """Applies a function in this process, which a crash then ends."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def submit(self, items: Sequence[Any]) -> Future[list[Any]]:
        """The results, as a future that is done."""
        future: Future[list[Any]] = Future()
        future.set_result([apply(self._function, item) for item in items])
        return future

    def close(self) -> None:
        """Do nothing."""


class WorkerPool:
    """Applies a function in several processes, which are kept.

    The processes end when the pool is closed, has no reference left, or Python ends. They may be
    started before JAX, to load what they need meanwhile, or after it. Several threads may use a
    pool.

    Args:
        function: takes an item. It is pickled by reference, so another process must be able to
            import it by name. An exception that it raises becomes a `Failure`; what it prints is
            lost. If it has a method `prepare`, that is called before the first item.
        workers: number of processes.
        seconds: time limit of an item; if one takes longer, its worker is replaced. A tuple is a
            batch, which has as many times that.
        starts_at_once: whether the processes start now and not with the first items. A file that
            makes a pool as it is imported must say no, if the processes import it themselves.

    Raises:
        UserError: if there are no workers, or the function cannot be sent to another process.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        workers: int,
        seconds: float = SECONDS_PER_ITEM,
        *,
        starts_at_once: bool = True,
    ) -> None:
        if workers < 1:
            raise UserError(f"a pool needs at least one worker, not {workers}")
        self._team = _Team(_pickled(function), workers, seconds)
        if starts_at_once:
            self._team.start()
        self._end = weakref.finalize(self, self._team.close)

    @property
    def restarts(self) -> int:
        """How many workers have been replaced so far."""
        return self._team.restarts

    def submit(self, items: Sequence[Any]) -> Future[list[Any]]:
        """Begin; the future holds a result or a `Failure` for each item, in order.

        The future raises a `UserError` if the workers cannot start.
        """
        return self._team.submit(items)

    def close(self) -> None:
        """End all processes; futures that are not done raise a `RuntimeError`."""
        self._end()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def open_pool(
    function: Callable[[Any], Any],
    workers: int | None = None,
    seconds: float = SECONDS_PER_ITEM,
) -> Pool:
    """A `WorkerPool`, by default with a process for each core; in this process for 0 workers."""
    number = usable_cores() if workers is None else workers
    return WorkerPool(function, number, seconds) if number else InProcessPool(function)


def _pickled(function: Callable[[Any], Any]) -> bytes:
    try:
        pickled = pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        name = name_of(function)
        raise UserError(f"{name} cannot be sent to another process: {error}") from None
    if b"__main__" in pickled:
        raise UserError(
            f"{name_of(function)} must be in a module that other processes can import, not in the "
            "script itself"
        )
    return pickled


class _Job:
    """One submission, and its results so far."""

    def __init__(self, size: int) -> None:
        self.future: Future[list[Any]] = Future()
        self.results: list[Any] = [None] * size
        self.missing = size


@dataclass(frozen=True)
class _Portion:
    """Items of a job that a worker gets at a time; `deaths` counts those that no item explains."""

    job: _Job
    start: int
    items: Sequence[Any]
    deaths: int = 0

    def part(self, first: int, last: int, deaths: int = 0) -> _Portion:
        return _Portion(self.job, self.start + first, self.items[first:last], deaths)


class _Team:
    """The workers, and a thread for each that feeds it."""

    def __init__(self, function: bytes, workers: int, seconds: float) -> None:
        self.restarts = 0
        self.workers: list[WorkerProcess] = []
        self._worker = partial(WorkerProcess, function, seconds)
        self._number = workers
        self._has_results = False
        self._closed = threading.Event()
        self._failure: Exception = RuntimeError("the pool is closed")
        self._waiting: deque[_Portion] = deque()
        self._jobs: set[_Job] = set()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the processes, if they have not been."""
        with self._changed:
            if self._threads or self._closed.is_set():
                return
            self.workers += [self._worker() for _ in range(self._number)]
            self._threads += [
                threading.Thread(target=self._serve, args=(worker,), daemon=True)
                for worker in self.workers
            ]
            for thread in self._threads:
                thread.start()

    def submit(self, items: Sequence[Any]) -> Future[list[Any]]:
        if items:
            self.start()
        job = _Job(len(items))
        wanted = -(-len(items) // (_PORTIONS_PER_WORKER * self._number))
        size = max(1, min(_LARGEST_PORTION, wanted))
        whole = _Portion(job, 0, items)
        with self._changed:
            if self._closed.is_set():
                job.future.set_exception(self._failure)
            elif not items:
                job.future.set_result([])
            else:
                self._jobs.add(job)
                self._waiting.extend(
                    whole.part(start, start + size) for start in range(0, len(items), size)
                )
                self._changed.notify_all()
        return job.future

    def close(self) -> None:
        """Stop, and wait for the threads."""
        self._stop()
        for thread in self._threads:
            thread.join(timeout=5.0)

    def _stop(self, failure: Exception | None = None) -> None:
        """End the processes; jobs that are not done get an exception."""
        with self._changed:
            self._failure = failure or self._failure
            self._closed.set()
            jobs, self._jobs = self._jobs, set()
            self._waiting.clear()
            self._changed.notify_all()
        for job in jobs:
            job.future.set_exception(self._failure)
        for worker in self.workers:
            worker.kill()

    def _serve(self, worker: WorkerProcess) -> None:
        """Give one worker portion after portion, and replace it when it dies."""
        deaths_at_start = 0
        while (portion := self._next()) is not None:
            try:
                results = worker.work(portion.items)
            except UserError as error:
                if not self._has_results:
                    return self._stop(error)
                # A function that was loaded before is not at fault: memory is short.
                worker.kill()
                death = DiedError(str(error), NO_ITEM, had_started=False, is_from_outside=True)
            except DiedError as error:
                death = error
            else:
                deaths_at_start = 0
                self._has_results = True
                self._finish(portion, results)
                continue
            deaths_at_start = 0 if death.had_started else deaths_at_start + 1
            is_patient = self._has_results or death.is_from_outside
            if deaths_at_start == (_TRIES_TO_START if is_patient else _TRIES):
                return self._stop(UserError(f"the worker processes cannot start: {death.reason}"))
            self._recover(portion, death)
            self._replace(worker)
        return None

    def _next(self) -> _Portion | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed.is_set())
            return None if self._closed.is_set() else self._waiting.popleft()

    def _replace(self, worker: WorkerProcess) -> None:
        with self._changed:  # So that no process starts after `_stop` has killed them all.
            if not self._closed.is_set():
                self.restarts += 1
                worker.start()

    def _finish(self, portion: _Portion, results: Sequence[Any]) -> None:
        job = portion.job
        with self._changed:
            job.results[portion.start : portion.start + len(results)] = results
            job.missing -= len(results)
            if job.missing or job not in self._jobs:
                return
            self._jobs.remove(job)
        job.future.set_result(job.results)

    def _recover(self, portion: _Portion, death: DiedError) -> None:
        """Give up the item that caused a death, or try again; the rest goes to the front."""
        size, item = len(portion.items), death.item
        first, last = (0, size) if item == NO_ITEM else (item, item + 1)
        suspect = portion.part(first, last, portion.deaths + death.had_started)
        is_at_fault = item != NO_ITEM and not death.is_from_outside
        if is_at_fault or suspect.deaths == _TRIES:
            self._finish(suspect, [Failure(death.reason)] * (last - first))
            suspect = portion.part(first, first)
        again = [portion.part(0, first), suspect, portion.part(last, size)]
        with self._changed:
            if not self._closed.is_set():
                self._waiting.extendleft(part for part in reversed(again) if part.items)
                self._changed.notify_all()
