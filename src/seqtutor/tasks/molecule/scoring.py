"""Strings to scores: RDKit's measurements of SMILES strings, made in worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from seqtutor.tasks.molecule.measurer import Invalid, Measured, Measurer
from seqtutor.tasks.molecule.reward_settings import CustomTerm
from seqtutor.tasks.molecule.scorers import ScorerPool, ScoringPool, open_scorer
from seqtutor.tasks.molecule.similarity import FINGERPRINT_BYTES
from seqtutor.tasks.molecule.terms import Scores
from seqtutor.workers.cache import CACHE_SIZE, CachedPool
from seqtutor.workers.pool import SECONDS_PER_ITEM, InProcessPool, Pool, open_pool
from seqtutor.workers.worker import Failure

AT_ONCE = 512
"""Strings between two updates of a progress bar."""


class MoleculeScorer(CachedPool[Scores]):
    """Scores strings with a `Measurer`, each distinct one once; several threads may use it.

    Args:
        measurer: measures a string.
        pool: applies the measurer; by default in this process.
        size: strings whose results are kept, about half a kilobyte each.
        scorers: score the molecules that were measured, each by the name of its column.
    """

    def __init__(
        self,
        measurer: Measurer,
        pool: Pool | None = None,
        size: int = CACHE_SIZE,
        scorers: Mapping[str, ScorerPool] | None = None,
    ) -> None:
        measurer.check()
        pool = pool or InProcessPool(measurer)
        columns = (*measurer.columns, *(scorers or ()))
        if scorers:
            pool = ScoringPool(pool, scorers)
        self._scorers = dict(scorers or {})
        alias = None if measurer.as_written else canonical_of
        super().__init__(pool, partial(scores_of, columns), size=size, alias=alias)
        self.measurer = measurer

    @classmethod
    def with_workers(
        cls,
        measurer: Measurer,
        workers: int | None = None,
        seconds: float = SECONDS_PER_ITEM,
        scorers: Mapping[str, CustomTerm] | None = None,
    ) -> MoleculeScorer:
        """A scorer with its own processes; `close` ends them.

        Args:
            measurer: measures a string.
            workers: processes, by default one for each core; 0 for none but this one.
            seconds: time limit of a molecule, beyond which it counts as not measured.
            scorers: the user's own, by the names of their terms.
        """
        measurer.check()
        own = {name: open_scorer(term, workers) for name, term in (scorers or {}).items()}
        return cls(measurer, open_pool(measurer, workers, seconds), scorers=own)

    def know_scores(self, scores: Mapping[str, Mapping[str, float | Failure]]) -> None:
        """Keep scores of canonical SMILES strings, by scorer, that need not be found again."""
        for name, known in scores.items():
            self._scorers[name].know(known)

    def score(self, strings: Sequence[str]) -> Scores:
        """Score strings, and wait for the scores."""
        return self.start(strings).collect()

    def score_with_bar(self, strings: Sequence[str]) -> Iterator[Scores]:
        """Score strings in parts of `AT_ONCE`, with a progress bar."""
        from seqtutor.runs.progress import progress_bar

        starts = range(0, len(strings), AT_ONCE)
        pending = [self.start(strings[start : start + AT_ONCE]) for start in starts]
        with progress_bar() as progress:
            bar = progress.add_task("Scoring", total=len(strings), unit="molecules", note="")
            for one in pending:
                yield one.collect()
                progress.update(bar, advance=len(one.items))

    def __enter__(self) -> MoleculeScorer:
        return self


def canonical_of(result: Measured | Invalid | Failure) -> str | None:
    """The canonical string of a molecule, which has the same result."""
    return result.smiles if isinstance(result, Measured) else None


def scores_of(
    columns: Sequence[str], strings: list[str], found: list[Measured | Invalid | Failure]
) -> Scores:
    """The result of each string as one array for each column."""
    valid = [result for result in found if isinstance(result, Measured)]
    is_valid = np.array([isinstance(result, Measured) for result in found], bool)
    table = np.full((len(strings), len(columns)), np.nan)
    if valid:
        table[is_valid] = [result.values for result in valid]
    failures: dict[str, dict[int, str]] = {}
    for index, result in enumerate(found):
        for name, reason in result.failures.items() if isinstance(result, Measured) else ():
            failures.setdefault(name, {})[index] = reason
    fingerprints = b"".join(result.fingerprint or b"" for result in valid)
    return Scores(
        strings=strings,
        is_valid=is_valid,
        smiles=[result.smiles if isinstance(result, Measured) else None for result in found],
        scaffolds=[result.scaffold if isinstance(result, Measured) else None for result in found],
        columns=dict(zip(columns, table.T, strict=True)),
        fingerprints=np.frombuffer(fingerprints, np.uint8).reshape(-1, FINGERPRINT_BYTES),
        reasons={
            index: result.reason
            for index, result in enumerate(found)
            if not isinstance(result, Measured) and result.reason is not None
        },
        failures=failures,
    )
