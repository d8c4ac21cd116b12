"""Melodies to learn from: tunes split into training, validation and test, and cut into windows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.tasks.melody.abc import AbcOptions
from seqtutor.tasks.melody.corpus import read_corpus
from seqtutor.tasks.melody.data import FOLK, FOLK_WITH_ESSEN, MelodyData
from seqtutor.tasks.melody.encoding import LOWEST_PITCH_TOKEN, notes_to_tokens
from seqtutor.tasks.melody.folder import read_folder
from seqtutor.tasks.melody.tune import Tune, to_white_keys
from seqtutor.tasks.scores.corpus import ESSEN, PUBLIC_DOMAIN_BOOKS
from seqtutor.tasks.scores.duplicates import FRACTIONS, cluster_near_duplicates, split_clusters
from seqtutor.tasks.scores.import_report import MOST_NAMED, ImportReport


@dataclass(frozen=True)
class MelodyDataset:
    """Windows of tunes, split by tune.

    Attributes:
        train, validation, test: `Int["sequence time"]` windows of each part, in the order of
            their tunes.
        train_tunes, validation_tunes, test_tunes: the tunes they come from, on the white keys.
        clusters: how many clusters of near-duplicates there are; a tune without any counts as one.
        report: what happened to the tunes on their way in.
    """

    train: Int[np.ndarray, "sequence time"]
    validation: Int[np.ndarray, "sequence time"]
    test: Int[np.ndarray, "sequence time"]
    train_tunes: tuple[Tune, ...]
    validation_tunes: tuple[Tune, ...]
    test_tunes: tuple[Tune, ...]
    clusters: int
    report: ImportReport

    @property
    def length(self) -> int:
        """The length of a window in sixteenths."""
        return self.train.shape[1]

    @property
    def digest(self) -> str:
        """A SHA-256 of the windows, to say in a run's record which data it saw."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            digest.update(repr(part.shape).encode())
            digest.update(np.ascontiguousarray(part, dtype="<i4").tobytes())
        return digest.hexdigest()

    def summary(self) -> dict[str, Any]:
        """The dataset's figures, ready for JSON."""
        tunes = (self.train_tunes, self.validation_tunes, self.test_tunes)
        windows = (self.train, self.validation, self.test)
        names = ("train", "validation", "test")
        return {
            "tunes": {name: len(part) for name, part in zip(names, tunes, strict=True)},
            "windows": {name: len(part) for name, part in zip(names, windows, strict=True)},
            "length": self.length,
            "near_duplicates": sum(map(len, tunes)) - self.clusters,
            "tunes_read": self.report.tunes_read,
            "dropped": dict(self.report.dropped),
            "noted": dict(self.report.noted),
            "skipped_files": len(self.report.skipped_files),
            "sha256": self.digest,
        }


def tokens_of(tune: Tune) -> Int[np.ndarray, " time"]:
    """A whole tune as tokens.

    Raises:
        UserError: if a note is out of the tokens' range; see `to_white_keys`.
    """
    return notes_to_tokens(tune.notes, tune.length)


def windows(tunes: Sequence[Tune], length: int = 32) -> Int[np.ndarray, "sequence time"]:
    """Cut tunes into windows of `length` sixteenths.

    A window begins at every bar line at which a note begins, so its first token is a pitch, and
    windows overlap: the next one begins a bar later. Only full windows are taken. A window that a
    tune brings twice, as every repeat does, is taken once.
    """
    return _stacked([row for tune in tunes for row in _windows_of(tune, length)], length)


def _stacked(rows: list[np.ndarray], length: int) -> Int[np.ndarray, "sequence time"]:
    return np.stack(rows) if rows else np.zeros((0, length), dtype=np.int32)


def window_starts(tune: Tune, tokens: Int[np.ndarray, " time"], length: int) -> list[int]:
    """Where windows begin: at every bar line of a tune at which one of its tokens is a pitch."""
    return [
        start
        for start in tune.downbeats
        if start + length <= len(tokens) and tokens[start] >= LOWEST_PITCH_TOKEN
    ]


def _windows_of(tune: Tune, length: int) -> list[np.ndarray]:
    tokens = tokens_of(tune)
    cut = {
        tokens[start : start + length].tobytes(): tokens[start : start + length]
        for start in window_starts(tune, tokens, length)
    }
    return list(cut.values())


def build_dataset(
    tunes: Sequence[Tune],
    report: ImportReport | None = None,
    *,
    length: int = 32,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    bar_lengths: frozenset[int] | None = None,
) -> MelodyDataset:
    """Bring tunes to the white keys, split them and cut them into windows.

    Args:
        tunes: at any pitch.
        report: of reading them; what is dropped here is added to it.
        length: of a window, in sixteenths.
        fractions: of the tunes, for training, validation and test.
        seed: of the split.
        bar_lengths: keep only tunes whose bars are so many sixteenths long; `None` keeps all.

    Raises:
        UserError: if the settings make no sense, or no tune is left.
    """
    if length < 1 or min(fractions) < 0 or fractions[0] <= 0:
        raise UserError(
            "windows need a length of at least 1 and the training part a share above 0; "
            f"got length {length} and fractions {fractions}"
        )
    report = ImportReport(len(tunes)) if report is None else report
    dropped: Counter[str] = Counter()
    kept: list[tuple[Tune, list[np.ndarray]]] = []
    left_out: list[tuple[str, str]] = []
    for tune in tunes:
        if bar_lengths is not None and tune.bar_length not in bar_lengths:
            reason = "in another metre"
        elif (transposed := to_white_keys(tune)) is None:
            reason = "out of range"
        elif not (cut := _windows_of(transposed, length)):
            reason = "too short for a window"
        else:
            kept.append((transposed, cut))
            continue
        dropped[reason] += 1
        left_out.append((_named(tune), reason))
    report += ImportReport(0, dict(dropped), left_out=tuple(left_out[:MOST_NAMED]))
    if not kept:
        unread = ""
        if report.skipped_files:
            name, reason = report.skipped_files[0]
            number = len(report.skipped_files)
            unread = f"; files that could not be read: {number}, the first, {name}: {reason}"
        raise UserError(f"none of {report.tunes_read} tunes can be used ({report.reasons}){unread}")
    clusters = cluster_near_duplicates([tune for tune, _ in kept])
    parts = split_clusters(clusters, fractions, seed)
    train, validation, test = (
        [pair for pair, part in zip(kept, parts, strict=True) if part == chosen]
        for chosen in range(3)
    )
    return MelodyDataset(
        train=_stacked([row for _, cut in train for row in cut], length),
        validation=_stacked([row for _, cut in validation for row in cut], length),
        test=_stacked([row for _, cut in test for row in cut], length),
        train_tunes=tuple(tune for tune, _ in train),
        validation_tunes=tuple(tune for tune, _ in validation),
        test_tunes=tuple(tune for tune, _ in test),
        clusters=int(clusters.max()) + 1,
        report=report,
    )


def _named(tune: Tune) -> str:
    return f"{tune.source}: {tune.title or f'tune {tune.index + 1}'}"


def load_melodies(options: MelodyData) -> MelodyDataset:
    """The tunes that the options ask for, and their melodies.

    Raises:
        UserError: if the tunes cannot be read, or there are too few.
    """
    how = AbcOptions(options.off_grid)
    if options.data in (FOLK, FOLK_WITH_ESSEN):
        books = PUBLIC_DOMAIN_BOOKS + ((ESSEN,) if options.data == FOLK_WITH_ESSEN else ())
        tunes, report = read_corpus(books, how)
    else:
        tunes, report = read_folder(Path(options.data), how)
    return build_dataset(
        tunes,
        report,
        length=options.length,
        seed=options.split_seed,
        bar_lengths=frozenset(options.bar_lengths),
    )
