"""Ends a run whose scorer gives no molecule a score: what it would learn from is missing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.terms import Scores

FIRST = 100
"""Distinct molecules without any score after which a scorer is taken to be broken."""


class ScorerWatch:
    """Counts the molecules that scorers fail for, until each scorer gave its first score.

    Args:
        scorers: the names of the user's own scorers.
    """

    def __init__(self, scorers: Iterable[str]) -> None:
        self._failed: dict[str, dict[str, str]] = {name: {} for name in scorers}

    def trust(self, names: Iterable[str]) -> None:
        """Scorers that gave a score before the run was interrupted."""
        for name in names:
            self._failed.pop(name, None)

    def check(self, scores: Scores) -> None:
        """Look at a batch.

        Raises:
            UserError: if a scorer has failed for each of the first `FIRST` molecules or more.
        """
        for name, failed in list(self._failed.items()):
            if np.isfinite(scores.columns[name]).any():
                del self._failed[name]
                continue
            for row, reason in scores.failures.get(name, {}).items():
                failed[scores.smiles[row] or ""] = reason
            if len(failed) >= FIRST:
                smiles, reason = next(iter(failed.items()))
                raise UserError(
                    f"the scorer {name} gave no score for any of the first {len(failed):,} "
                    f"molecules, so that the run ends; for {smiles}: {reason}"
                )
