"""The record of a run in its folder: every string that it scored, and the scores that failed.

Both are tables that grow with the run. A checkpoint holds how long they were; a run that continues
from it cuts them there, so that they end up as if it had not been interrupted.
"""

from __future__ import annotations

import csv
import heapq
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.errors import UserError
from seqtutor.files import open_own
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.terms import RECORDED, Scores, Values
from seqtutor.tasks.molecule.tokens import shortened
from seqtutor.workers.worker import Failure

MOLECULES, FAILURES = "molecules.csv", "failures.csv"
"""The files of what was scored, and of what could not be, in the folder of a run."""

RDKIT = "rdkit"
"""Stands in the table of failures for the measurements of all terms but the user's own."""

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_TOO_LARGE = re.compile(r"is too large \([^)]*\)")

_VALUE = "_value"
"""Ends the name of the column of a property, or of what a scorer of the user's gave."""

_TERM = "reward_"
"""Begins the name of the column of a weighted term, one of which is called `valid`."""

FIRST = 100
"""Distinct molecules without any score after which a scorer is taken to be broken."""


class ScoredLog:
    """What a run scores, in the order of the scoring; nothing before `record_in` names a folder.

    Args:
        settings: of the reward.
    """

    def __init__(self, settings: MoleculeRewardSettings) -> None:
        self._settings = settings
        self._own = list(settings.own_scorers)
        values = [f"{name}{_VALUE}" for name in self._own]
        told = [f"{name}{_VALUE}" for name in RECORDED]
        terms = [f"{_TERM}{name}" for name in settings.weights]
        self._columns = {
            MOLECULES: ["step", "smiles", "is_valid", *told, *terms, "total", *values],
            FAILURES: ["step", "smiles", "scorer", "reason"],
        }
        self._folder: Path | None = None
        self._forget()

    def _forget(self) -> None:
        self._rows: dict[str, list[list[Any]]] = {MOLECULES: [], FAILURES: []}
        self._headings: dict[str, list[str]] = {}
        self._step = self._scored = 0
        self._first: dict[str, str] = {}
        self._counts: dict[str, dict[str, int]] = {}

    @property
    def is_open(self) -> bool:
        """Whether there is a folder to record in."""
        return self._folder is not None

    def record_in(self, folder: Path | None) -> None:
        """Begin in a folder, at what is there already, or end with `None`."""
        self._folder = folder
        self._forget()

    def add(self, steps: int, scores: Scores, terms: Mapping[str, Values]) -> None:
        """Record a batch, in which so many environment steps were made, with its terms."""
        if self._folder is None:
            return
        self._step += steps
        weights = self._settings.weights
        weighted = [weights[name] * terms[name] for name in weights]
        total = np.sum(weighted, axis=0)
        numbers = [*weighted, total]
        unknown = np.full(len(scores.strings), np.nan)
        told = [scores.columns.get(name, unknown) for name in RECORDED]
        for row, string in enumerate(scores.strings):
            smiles = scores.smiles[row]
            properties = [_short(values[row]) for values in told]
            known = [_exact(scores.columns[name][row]) for name in self._own]
            cells = [*properties, *map(_short, (values[row] for values in numbers))]
            own = [self._step, smiles or string, int(scores.is_valid[row]), *cells, *known]
            self._rows[MOLECULES].append(own)
        self._scored += int(scores.is_valid.sum())
        self._add_failures(RDKIT, scores.strings, scores.reasons)
        for name, reasons in scores.failures.items():
            self._add_failures(name, scores.smiles, reasons)

    def _add_failures(
        self, scorer: str, strings: Sequence[str | None], reasons: Mapping[int, str]
    ) -> None:
        for row, reason in reasons.items():
            if scorer not in self._first:
                at = f"{shortened(strings[row] or '')} at step {self._step:,}"
                self._first[scorer] = f"{at}: {reason}"
            counts = self._counts.setdefault(scorer, {})
            counts[kind_of(reason)] = counts.get(kind_of(reason), 0) + 1
            self._rows[FAILURES].append([self._step, strings[row], scorer, reason])

    def remarks(self, is_over: bool) -> list[str]:
        """What the user should know: the first failure of each scorer; at the end, all counts."""
        found = []
        for scorer, first in self._first.items():
            found.append(f"no score by {scorer} for {first}; {self._consequence(scorer)}")
            if is_over:
                counts = self._counts[scorer]
                times = f"{sum(counts.values()):,} times in {self._scored:,}"
                kinds = ", ".join(f"{kind}: {number:,}" for kind, number in counts.items())
                found.append(f"{scorer} gave no score {times} ({kinds}); see {FAILURES}")
        return found

    def _consequence(self, scorer: str) -> str:
        if scorer == RDKIT:
            return "such a string counts as invalid"
        failed = self._settings.own_scorers[scorer].failed
        if failed is not None:
            return f"such a molecule has the score {failed:g}"
        return "such a molecule has the mean of the other scores of its collection"

    def flush(self) -> None:
        """Append what is new to the files.

        Raises:
            UserError: if that cannot be done.
        """
        for name, rows in self._rows.items():
            if self._folder is None or not rows:
                continue
            text, columns = io.StringIO(), self._columns[name]
            path = self._folder / name
            # A run that an earlier version began goes on with the columns of its table, where
            # terms had their bare names.
            if name not in self._headings:
                self._headings[name] = _heading(path) or columns
            there = self._headings[name]
            columns = [one if one in there else one.removeprefix(_TERM) for one in columns]
            writer = csv.DictWriter(text, there, extrasaction="ignore", lineterminator="\n")
            if not _size(path):
                writer.writeheader()
            writer.writerows(dict(zip(columns, row, strict=True)) for row in rows)
            try:
                with open(path, "a", encoding="utf-8", newline="", opener=open_own) as file:
                    file.write(text.getvalue())
            except OSError as error:
                raise UserError(f"cannot write {path}: {error.strerror}") from None
            rows.clear()

    def state(self) -> dict[str, Any]:
        """How far the record has come, which is then on the disk, in JSON's types."""
        assert self._folder is not None
        self.flush()
        paths = {name: self._folder / name for name in self._rows}
        for path in paths.values():
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        return {
            "bytes": {name: _size(path) for name, path in paths.items()},
            "step": self._step,
            "scored": self._scored,
            "first": dict(self._first),
            "counts": {scorer: dict(counts) for scorer, counts in self._counts.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Cut the files to what they were at a state, `{}` for the beginning."""
        assert self._folder is not None
        self._forget()
        for name in self._rows:
            _cut(self._folder / name, state.get("bytes", {}).get(name, 0))
        self._step, self._scored = state.get("step", 0), state.get("scored", 0)
        self._first = dict(state.get("first", {}))
        self._counts = {s: dict(counts) for s, counts in state.get("counts", {}).items()}

    def known_scores(self) -> dict[str, dict[str, float | Failure]]:
        """What an interrupted run in the folder has found out, by scorer and canonical SMILES."""
        return {} if self._folder is None else recorded_scores(self._folder, self._own)


def recorded_scores(folder: Path, scorers: Sequence[str]) -> dict[str, dict[str, float | Failure]]:
    """What the training of a run found out, by scorer and canonical SMILES.

    Of a scorer that gave no score at all nothing is known: it may have been mended since.
    """
    known: dict[str, dict[str, float | Failure]] = {name: {} for name in scorers}
    if not known:
        return known
    for row in read_rows(folder / MOLECULES):
        for name, scores in known.items():
            value = finite(row.get(f"{name}{_VALUE}"))
            if row.get("is_valid") == "1" and value is not None:
                scores[row.get("smiles") or ""] = value
    usable = {name for name, scores in known.items() if scores}
    for row in read_rows(folder / FAILURES):
        own = row.get("scorer") or ""
        if row.get("reason") and own in usable:
            known[own][row.get("smiles") or ""] = Failure(row["reason"])
    return known


def kind_of(reason: str) -> str:
    """A reason without what differs from molecule to molecule: a message, a text that was given."""
    return _QUOTED.sub("…", _TOO_LARGE.sub("is too large", reason)).partition(":")[0]


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a record; without what a killed process left of its last line.

    A table that is damaged ends where it is.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        whole = (line for line in file if line.endswith("\n"))
        with suppress(csv.Error):
            yield from csv.DictReader(whole)


def finite(text: str | None) -> float | None:
    """The number that a cell of a record has; `None` where it has none."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def best_rows(folder: Path, number: int) -> list[dict[str, str]]:
    """The rows of the molecules of a run with the highest total, each molecule once.

    Without those that a scorer of the user's gave no score.
    """

    def total(row: Mapping[str, str]) -> float:
        return float(row["total"])

    best: dict[str, dict[str, str]] = {}
    for row in read_rows(folder / MOLECULES):
        known = best.get(row["smiles"])
        is_scored = row["is_valid"] == "1" and all(row[name] for name in _values_in(row))
        if is_scored and (known is None or total(row) > total(known)):
            best[row["smiles"]] = row
    return heapq.nlargest(number, best.values(), key=total)


def scorers_without_score(folder: Path) -> list[str]:
    """The user's own scorers that were asked and gave no molecule of a run a score."""
    silent: set[str] = set()
    for place, row in enumerate(
        row for row in read_rows(folder / MOLECULES) if row["is_valid"] == "1"
    ):
        names = {name for name in _values_in(row) if not row[name]}
        silent = names if place == 0 else silent & names
        if not silent:
            break
    return sorted(name.removesuffix(_VALUE) for name in silent)


def _values_in(row: Mapping[str, str]) -> list[str]:
    """The columns of what the user's own scorers gave."""
    names = list(row)
    return [name for name in names[names.index("total") + 1 :] if name]


def _exact(value: float) -> str:
    """The shortest text that is read back as the same number; "" for NaN."""
    return "" if value != value else repr(float(value))


def _short(value: float) -> str:
    """Six digits; "" for NaN."""
    return "" if value != value else f"{value:.6g}"


def _heading(path: Path) -> list[str]:
    """The names of the columns of a table that is there; none where there is none."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return next(csv.reader(file), [])


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _cut(path: Path, size: int) -> None:
    if _size(path) > size:
        try:
            with open(path, "r+b", opener=open_own) as file:
                file.truncate(size)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None


class ScorerWatch:
    """Ends a run whose scorer gives no molecule a score: what it would learn from is missing.

    It counts the molecules that each scorer fails for, until that gave its first score.

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
