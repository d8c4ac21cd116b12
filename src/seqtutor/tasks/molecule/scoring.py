"""Strings to scores: RDKit's measurements of SMILES strings, made in worker processes.

`MoleculeScorer.start` returns at once; `PendingScores.collect` waits for the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtutor.tasks.molecule.measure import Invalid, Measured, Measurer
from seqtutor.tasks.molecule.similarity import FINGERPRINT_BYTES
from seqtutor.tasks.molecule.terms import Scores
from seqtutor.workers.cache import CACHE_SIZE, CachedPool, Counts, Pending
from seqtutor.workers.pool import SECONDS_PER_ITEM, InProcessPool, Pool, open_pool
from seqtutor.workers.worker import Failure


class MoleculeScorer:
    """Scores strings with a `Measurer`, each distinct one once; several threads may use it.

    Args:
        measurer: what to measure.
        pool: applies the measurer; by default in this process.
        cache_size: strings whose results are kept, about half a kilobyte each.
    """

    def __init__(
        self, measurer: Measurer, pool: Pool | None = None, cache_size: int = CACHE_SIZE
    ) -> None:
        measurer.check()
        self.measurer = measurer
        self._pool = CachedPool(pool or InProcessPool(measurer), cache_size, self._canonical)

    @classmethod
    def with_workers(
        cls,
        measurer: Measurer,
        workers: int | None = None,
        seconds: float = SECONDS_PER_ITEM,
        cache_size: int = CACHE_SIZE,
    ) -> MoleculeScorer:
        """A scorer with its own processes; `close` ends them.

        Args:
            measurer: what to measure.
            workers: processes, by default one for each core; 0 for none but this one.
            seconds: time limit of a molecule, beyond which it counts as not measured.
            cache_size: strings whose results are kept.
        """
        measurer.check()
        return cls(measurer, open_pool(measurer, workers, seconds), cache_size)

    @property
    def counts(self) -> Counts:
        """How many strings were scored, measured and could not be measured so far."""
        return self._pool.counts

    def start(self, strings: Sequence[str]) -> PendingScores:
        """Begin to score strings."""
        strings = list(strings)
        return PendingScores(strings, self._pool.start(strings), self.measurer)

    def score(self, strings: Sequence[str]) -> Scores:
        """Score strings, and wait for the scores."""
        return self.start(strings).collect()

    def close(self) -> None:
        """End the processes, if there are any."""
        self._pool.close()

    def __enter__(self) -> MoleculeScorer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _canonical(self, result: Any) -> str | None:
        """The canonical string of a measured molecule, which has the same result."""
        is_same = isinstance(result, Measured) and not self.measurer.as_written
        return result.smiles if is_same else None


class PendingScores:
    """Scores of some strings that are being computed."""

    def __init__(self, strings: list[str], pending: Pending, measurer: Measurer) -> None:
        self.strings = strings
        self._pending = pending
        self._measurer = measurer

    def collect(self) -> Scores:
        """Wait for the scores; may be called again.

        Raises:
            UserError: if the worker processes cannot start.
            RuntimeError: if the pool was closed.
        """
        return scores_of(self.strings, self._pending.collect(), self._measurer)


def scores_of(
    strings: list[str], found: list[Measured | Invalid | Failure], measurer: Measurer
) -> Scores:
    """The result of each string as one array for each column."""
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
