"""Scores of the user's own scorers that runs have found out, so that none is asked for twice.

A run records what it scored in training (`scored_log`). What is scored afterwards, for its samples,
its table, its page, or by `evaluate`, `report` and `sample`, is added to `scores.csv` beside that.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from seqtutor.files import open_own
from seqtutor.tasks.molecule.scored_log import finite, read_rows, recorded_scores
from seqtutor.workers.worker import Failure

SCORES = "scores.csv"
"""The file of what was scored after the training, in the folder of a run."""

_COLUMNS = ["scorer", "smiles", "score", "reason"]

Found = Mapping[str, Mapping[str, float | Failure]]
"""By scorer and canonical SMILES a score, or why there is none."""


class ScoreRecords:
    """The scores in the folders of runs that share a reward.

    Args:
        folders: of the runs; what is new is added to the first.
        scorers: their names.
    """

    def __init__(self, folders: Sequence[Path], scorers: Sequence[str]) -> None:
        self._folders, self._scorers = list(folders), list(scorers)

    def read(self) -> dict[str, dict[str, float | Failure]]:
        """All that is known."""
        known: dict[str, dict[str, float | Failure]] = {name: {} for name in self._scorers}
        for folder in self._folders:
            for name, scores in recorded_scores(folder, self._scorers).items():
                known[name] |= scores
            for row in read_rows(folder / SCORES):
                if (name := row.get("scorer") or "") in known:
                    smiles, score = row.get("smiles") or "", finite(row.get("score"))
                    if score is not None:
                        known[name][smiles] = score
                    elif reason := row.get("reason"):
                        known[name][smiles] = Failure(reason)
        return known

    def add(self, found: Found) -> None:
        """Append what was found out; where the folder cannot be written, it is not kept."""
        rows = [
            [name, smiles, "", score.reason + score.place]
            if isinstance(score, Failure)
            else [name, smiles, repr(score), ""]
            for name, scores in found.items()
            for smiles, score in scores.items()
        ]
        if not rows or not self._folders:
            return
        path, text = self._folders[0] / SCORES, io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not path.is_file():
            writer.writerow(_COLUMNS)
        writer.writerows(rows)
        with (
            suppress(OSError),
            open(path, "a", encoding="utf-8", newline="", opener=open_own) as file,
        ):
            file.write(text.getvalue())
