"""Strings to scores: each distinct string is measured once in a run, elsewhere, while others wait.

`MoleculeScorer.start` hands strings that were never met to a pool and returns at once;
`PendingScores.collect` waits for them. Between the two the caller can do other work.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from seqtutor.machine import usable_cores
from seqtutor.tasks.molecule.measure import Invalid, Measured, Measurer
from seqtutor.tasks.molecule.pool import (
    SECONDS_AN_ITEM,
    InProcessPool,
    Pool,
    WorkerPool,
)
from seqtutor.tasks.molecule.similarity import FINGERPRINT_BYTES
from seqtutor.tasks.molecule.terms import Scores
from seqtutor.tasks.molecule.worker import Failure

CACHE_SIZE = 500_000
"""Strings whose results are kept, about half a kilobyte each."""

Result = Measured | Invalid | Failure
"""What came of a string."""


@dataclass(frozen=True)
class ScoringCounts:
    """How much work a scorer had, and was spared.

    Attributes:
        strings: all that were asked for.
        measured: those that were handed to the pool.
        failed: those of them that crashed, hung or raised an exception.
    """

    strings: int = 0
    measured: int = 0
    failed: int = 0


class MoleculeScorer:
    """Scores strings with a `Measurer`; safe to use from several threads.

    Args:
        measurer: what is to be measured.
        pool: applies the measurer; by default in this process.
        cache_size: strings whose results are kept, the latest used ones.
    """

    def __init__(
        self, measurer: Measurer, pool: Pool | None = None, cache_size: int = CACHE_SIZE
    ) -> None:
        measurer.check()
        self.measurer = measurer
        self.counts = ScoringCounts()
        self._pool = pool or InProcessPool(measurer)
        self._cache_size = cache_size
        self._cache: OrderedDict[str, Result] = OrderedDict()
        self._under_way: dict[str, PendingScores] = {}
        self._lock = threading.RLock()

    @classmethod
    def with_workers(
        cls,
        measurer: Measurer,
        workers: int | None = None,
        seconds: float = SECONDS_AN_ITEM,
        cache_size: int = CACHE_SIZE,
    ) -> MoleculeScorer:
        """A scorer with its own processes; `close` ends them.

        Args:
            measurer: what is to be measured.
            workers: processes, one for each core by default; 0 for none but this one.
            seconds: a molecule that takes longer counts as not measured.
            cache_size: strings whose results are kept.
        """
        measurer.check()
        number = usable_cores() if workers is None else workers
        pool = WorkerPool(measurer, number, seconds) if number else None
        return cls(measurer, pool, cache_size)

    def start(self, strings: Sequence[str]) -> PendingScores:
        """Begin to score strings."""
        return PendingScores(self, list(strings))

    def score(self, strings: Sequence[str]) -> Scores:
        """Score strings, and wait for it."""
        return self.start(strings).collect()

    def close(self) -> None:
        """End the processes, if there are any."""
        self._pool.close()

    def __enter__(self) -> MoleculeScorer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _begin(
        self, pending: PendingScores
    ) -> tuple[dict[str, Result], list[PendingScores], list[str], Future[list[Result]]]:
        """What is known already, who is at the rest, and what is left to the pool."""
        known: dict[str, Result] = {}
        others: dict[int, PendingScores] = {}
        new: list[str] = []
        with self._lock:
            for string in dict.fromkeys(pending.strings):
                if string in self._cache:
                    self._cache.move_to_end(string)
                    known[string] = self._cache[string]
                elif string in self._under_way:
                    other = self._under_way[string]
                    others[id(other)] = other
                else:
                    self._under_way[string] = pending
                    new.append(string)
            self.counts = replace(
                self.counts,
                strings=self.counts.strings + len(pending.strings),
                measured=self.counts.measured + len(new),
            )
        return known, list(others.values()), new, self._pool.submit(new)

    def _keep(self, new: dict[str, Result]) -> None:
        failed = sum(isinstance(result, Failure) for result in new.values())
        with self._lock:
            self.counts = replace(self.counts, failed=self.counts.failed + failed)
            for string, result in new.items():
                self._under_way.pop(string, None)
                self._cache[string] = result
                if isinstance(result, Measured) and not self.measurer.as_written:
                    self._cache.setdefault(result.smiles, result)
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)


class PendingScores:
    """Scores that are on their way."""

    def __init__(self, scorer: MoleculeScorer, strings: list[str]) -> None:
        self.strings = strings
        self._scorer = scorer
        self._lock = threading.Lock()
        self._is_kept = False
        self._known, self._others, self._new, self._future = scorer._begin(self)

    def collect(self) -> Scores:
        """Wait for the scores; may be called again.

        Raises:
            UserError: if the worker processes cannot start.
            RuntimeError: if the pool was closed.
        """
        results = dict(self._known)
        for other in self._others:
            results |= other._measured()
        results |= self._measured()
        return scores_of(self.strings, results, self._scorer.measurer)

    def _measured(self) -> dict[str, Result]:
        """What the pool made of this batch's new strings."""
        found = dict(zip(self._new, self._future.result(), strict=True))
        with self._lock:
            if not self._is_kept:
                self._scorer._keep(found)
                self._is_kept = True
        return found


def scores_of(strings: list[str], results: dict[str, Result], measurer: Measurer) -> Scores:
    """Results by string as one array for each column."""
    found = [results[string] for string in strings]
    valid = [result for result in found if isinstance(result, Measured)]
    is_valid = np.array([isinstance(result, Measured) for result in found], bool)
    table = np.full((len(strings), len(measurer.columns)), np.nan)
    if valid:
        table[is_valid] = [result.values for result in valid]
    fingerprints = b"".join(result.fingerprint or b"" for result in valid)
    return Scores(
        strings=strings,
        is_valid=is_valid,
        smiles=[result.smiles if isinstance(result, Measured) else None for result in found],
        scaffolds=[result.scaffold if isinstance(result, Measured) else None for result in found],
        columns=dict(zip(measurer.columns, table.T, strict=True)),
        fingerprints=np.frombuffer(fingerprints, np.uint8).reshape(-1, FINGERPRINT_BYTES),
        reasons={
            index: result.reason
            for index, result in enumerate(found)
            if not isinstance(result, Measured) and result.reason is not None
        },
    )
