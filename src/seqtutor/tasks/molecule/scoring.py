"""Strings to scores: RDKit's measurements of SMILES strings, made in worker processes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from seqtutor.tasks.molecule.measurer import Invalid, Measured, Measurer
from seqtutor.tasks.molecule.reward_settings import CustomTerm
from seqtutor.tasks.molecule.score_records import ScoreRecords
from seqtutor.tasks.molecule.scorers import ScorerPool, ScoringPool, open_scorer
from seqtutor.tasks.molecule.similarity import FINGERPRINT_BYTES
from seqtutor.tasks.molecule.terms import Scores
from seqtutor.workers.cache import CACHE_SIZE, CachedPool
from seqtutor.workers.pool import InProcessPool, Pool, open_pool
from seqtutor.workers.worker import Failure

AT_ONCE = 512
"""Strings between two updates of a progress bar."""
SLOW_AT_ONCE = 64
"""Strings whose scores by the user's own scorers are recorded together."""


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
        self._scoring = ScoringPool(pool, scorers) if scorers else None
        pool = self._scoring or pool
        self._scorers = dict(scorers or {})
        self.keeps_records = False
        """Whether scores of the user's own scorers are kept in files; see `use_records`."""
        alias = None if measurer.as_written else canonical_of
        super().__init__(pool, partial(scores_of, columns), size=size, alias=alias)
        self.measurer = measurer

    @classmethod
    def with_workers(
        cls,
        measurer: Measurer,
        workers: int | None = None,
        scorers: Mapping[str, CustomTerm] | None = None,
    ) -> MoleculeScorer:
        """A scorer with its own processes; `close` ends them.

        Args:
            measurer: measures a string.
            workers: processes, by default one for each core; 0 for none but this one.
            scorers: the user's own, by the names of their terms.
        """
        measurer.check()
        own = {name: open_scorer(term, workers) for name, term in (scorers or {}).items()}
        return cls(measurer, open_pool(measurer, workers), scorers=own)

    def know_scores(self, scores: Mapping[str, Mapping[str, float | Failure]]) -> None:
        """Keep scores of canonical SMILES strings, by scorer, that need not be found again."""
        for name, known in scores.items():
            self._scorers[name].know(known)

    def use_records(self, records: ScoreRecords) -> None:
        """Take the scores of records, and add to them what is found out from now on."""
        if self._scoring is not None:
            self.know_scores(records.read())
            self._scoring.on_scored = records.add
            self.keeps_records = True

    @property
    def seconds(self) -> float | None:
        """Of a molecule given to the user's own scorers, on average; `None` before the first."""
        return None if self._scoring is None else self._scoring.seconds

    def score_slowly(self, strings: Sequence[str]) -> Scores:
        """Score strings whose scores are kept in records, and say now and then how far that is.

        They are scored in parts, so that little is lost if the user ends it.
        """
        from seqtutor.runs.progress import LINE_EVERY, console

        if not self.keeps_records or not strings:
            return self.score(strings)
        parts = [strings[at : at + SLOW_AT_ONCE] for at in range(0, len(strings), SLOW_AT_ONCE)]
        begun = said = time.monotonic()
        # The first part by itself: from it a pool learns whether a function takes lists.
        self.score(parts[0])
        pending = [self.start(part) for part in parts[1:]]
        done = len(parts[0])
        for one in pending:
            one.collect()
            done += len(one.items)
            now = time.monotonic()
            if now - said >= LINE_EVERY and done < len(strings):
                left = in_words((now - begun) * (len(strings) - done) / done)
                names, of = " and ".join(self._scorers), f"{done:,} of {len(strings):,}"
                console.print(f"{names}: {of} SMILES strings, about {left} left", highlight=False)
                said = now
        return self.score(strings)

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


def in_words(seconds: float) -> str:
    """A time for a person: 40 s, 12 min, 3.5 h, 2.2 days."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


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
