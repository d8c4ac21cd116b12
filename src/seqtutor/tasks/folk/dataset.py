"""Tunes with chords as training data: split by tune, tokenised, and cut into sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.data import Dataset, Sequences
from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.task_records import PriorRecord
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.joint import JointTokenisation
from seqtutor.tasks.folk.published import read_published
from seqtutor.tasks.folk.rare import (
    EncodedTunes,
    by_frequency,
    map_rare,
    nearest,
    tunes_without_rare,
)
from seqtutor.tasks.folk.report import FolkReport
from seqtutor.tasks.folk.sources import read_sources
from seqtutor.tasks.folk.tokenisation import Tokenisation
from seqtutor.tasks.folk.tokenisations import tokenisation_named
from seqtutor.tasks.scores.duplicates import cluster_near_duplicates, split_clusters
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.lead_sheet import LeadSheet
from seqtutor.vocabulary import Vocabulary

PARTS = ("train", "validation", "test")
MUCH_REPLACED = 0.05
"""Share of replaced tokens from which a user is warned."""


@dataclass(frozen=True)
class FolkData:
    """Sequences of equal length, split by tune.

    Attributes:
        vocabulary: the names of the tokens.
        tokens: the tokens themselves, by id.
        train, validation, test: `Int["sequence time"]` ids.
        tokenisation: reads tokens as lead sheets.
        train_tunes, validation_tunes, test_tunes: where the sequences come from, as read; empty if
            they were read as tokens.
        report: counts of what was read and replaced.
    """

    vocabulary: Vocabulary
    tokens: tuple[Any, ...]
    train: Int[np.ndarray, "sequence time"]
    validation: Int[np.ndarray, "sequence time"]
    test: Int[np.ndarray, "sequence time"]
    tokenisation: Tokenisation[Any]
    train_tunes: tuple[LeadSheet, ...]
    validation_tunes: tuple[LeadSheet, ...]
    test_tunes: tuple[LeadSheet, ...]
    report: FolkReport

    @property
    def length(self) -> int:
        """Tokens in a sequence."""
        return self.train.shape[1]

    def decode(self, ids: Sequence[int] | Int[np.ndarray, " time"]) -> LeadSheet:
        """Read a sequence of ids as a lead sheet."""
        return self.tokenisation.decode([self.tokens[int(index)] for index in ids])

    def as_dataset(self, source: str) -> Dataset:
        """The sequences, with what a model must say about them so that its tokens can be read."""
        train, validation, test = (
            Sequences(part, np.ones(part.shape, bool))
            for part in (self.train, self.validation, self.test)
        )
        data = Dataset(self.vocabulary, self.length, train, validation, test)
        figures = {**self.report.summary(), "length": self.length, "sha256": data.digest}
        return replace(
            data,
            origin={
                "tokenisation": self.tokenisation.name,
                "data": {**figures, "source": source},
            },
            summary=[f"Tunes of {source}", *self.report.lines()],
            warnings=self._warnings(),
        )

    def _warnings(self) -> list[str]:
        found = []
        if self.train_tunes and not any(sheet.chords for sheet in self.train_tunes):
            found.append("None of the tunes has chords: only melodies are learned")
        replaced = self.report.replaced / max(1, sum(self.report.tokens.values()))
        if replaced > MUCH_REPLACED:
            found.append(
                f"{replaced:.0%} of the tokens were replaced by others: the tunes have changed. "
                "With so few tunes choose a smaller --rare-below, or --rare keep"
            )
        return found


def read_folk_data(settings: FolkDataSettings, vocabulary: Vocabulary | None = None) -> Dataset:
    """The sequences for training a prior.

    Args:
        settings: which tunes, and how they become tokens.
        vocabulary: of a model whose training continues; other tokens become the nearest of these.

    Raises:
        UserError: as for `load_folk_data`, and if there are too few tunes for a validation part.
    """
    data = load_folk_data(settings, vocabulary)
    tunes, tokens = data.report.tunes, data.report.tokens
    require(
        not data.train_tunes or len(data.validation_tunes) > 0,
        f"of {sum(tunes.values())} tunes none is left to validate on; give more tunes or other "
        "--fractions",
    )
    require(
        len(data.validation) > 0,
        f"the tunes for validation have {tokens['validation']:,} tokens, too few for a sequence of "
        f"{data.length}; give more tunes, a smaller --length or other --fractions",
    )
    source = settings.sequences or settings.data or "the tunes that come with music21"
    return data.as_dataset(str(source))


def load_folk_data(
    settings: FolkDataSettings | None = None, vocabulary: Vocabulary | None = None
) -> FolkData:
    """Load tunes with chords, or sequences that are tokens already.

    Raises:
        UserError: if a source is missing or not what it should be, nothing is left to train on, or
            the sequences have other tokens than the given vocabulary.
    """
    settings = settings or FolkDataSettings()
    if settings.sequences is not None and settings.token_table is not None:
        data = _load_published(settings)
        require(
            vocabulary is None or vocabulary == data.vocabulary,
            f"the tokens of {settings.token_table} are not those of the model",
        )
        return data
    sheets, imported = read_sources(settings.data)
    return build_folk_data(sheets, imported, settings, vocabulary)


def _load_published(settings: FolkDataSettings) -> FolkData:
    assert settings.sequences is not None
    assert settings.token_table is not None
    read = read_published(settings.sequences, settings.token_table)
    arrays = dict(zip(PARTS, (read.train, read.validation, read.test), strict=True))
    used = np.bincount(read.train.ravel(), minlength=len(read.tokens))
    report = FolkReport(
        imported=ImportReport(),
        tokenisation=JointTokenisation().name,
        vocabulary_size=len(read.tokens),
        rare_types=int((used < settings.rare_below).sum()),
        rare_occurrences=int(used[used < settings.rare_below].sum()),
        tunes=dict.fromkeys(PARTS, 0),
        tokens={name: int(array.size) for name, array in arrays.items()},
        sequences={name: len(array) for name, array in arrays.items()},
    )
    return FolkData(
        vocabulary=Vocabulary(tuple(map(str, read.tokens))),
        tokens=read.tokens,
        **arrays,
        tokenisation=JointTokenisation(),
        train_tunes=(),
        validation_tunes=(),
        test_tunes=(),
        report=report,
    )


def build_folk_data(
    sheets: Sequence[LeadSheet],
    imported: ImportReport,
    settings: FolkDataSettings,
    vocabulary: Vocabulary | None = None,
) -> FolkData:
    """Split, tokenise and cut lead sheets.

    With a `vocabulary` its tokens are used, whatever the settings say about rare ones.

    Raises:
        UserError: if nothing is left to train on, or the vocabulary is of another tokenisation.
    """
    if not sheets:
        raise UserError(f"none of the {imported.tunes_read} tunes can be used")
    tokenisation = tokenisation_named(settings.tokenisation)
    encoded = EncodedTunes.of([tokenisation.encode(sheet) for sheet in sheets])
    if settings.rare == "drop-tunes" and vocabulary is None:
        sheets, encoded, imported = _without_rare(sheets, encoded, imported, settings.rare_below)
    clusters = cluster_near_duplicates(sheets)
    parts = split_clusters(clusters, settings.fractions, settings.split_seed)
    counts = encoded.counts(parts == 0)
    rare = counts < settings.rare_below
    replaced = 0
    if vocabulary is not None:
        known = [tokenisation.parse(name) for name in vocabulary.tokens]
        kept = set(known)
        is_new = np.array([token not in kept for token in encoded.tokens])
        replaced = int(encoded.counts()[is_new].sum())
        encoded = encoded.renumbered(nearest(encoded.tokens, known, tokenisation), known)
    else:
        encoded, counts = by_frequency(encoded, counts), -np.sort(-counts)
        if settings.rare == "map":
            replaced = int(encoded.counts()[counts < settings.rare_below].sum())
            encoded = map_rare(encoded, counts, settings.rare_below, tokenisation)

    tunes = {name: _chosen(sheets, parts == index) for index, name in enumerate(PARTS)}
    streams = {
        name: np.concatenate([np.zeros(0, np.int32), *_chosen(encoded.tunes, parts == index)])
        for index, name in enumerate(PARTS)
    }
    arrays = {name: cut(stream, settings.length) for name, stream in streams.items()}
    if not len(arrays["train"]):
        raise UserError(
            f"the {len(tunes['train'])} training tunes have only {len(streams['train'])} tokens, "
            f"too few for a sequence of {settings.length}; give more tunes or a smaller --length"
        )
    report = FolkReport(
        imported=imported,
        tokenisation=tokenisation.name,
        vocabulary_size=len(encoded.tokens),
        rare_types=int(rare.sum()),
        rare_occurrences=int(counts[counts < settings.rare_below].sum()),
        replaced=replaced,
        near_duplicates=len(sheets) - int(clusters.max()) - 1,
        tunes={name: len(part) for name, part in tunes.items()},
        tokens={name: len(stream) for name, stream in streams.items()},
        sequences={name: len(array) for name, array in arrays.items()},
    )
    return FolkData(
        vocabulary=Vocabulary(tuple(map(str, encoded.tokens))),
        tokens=encoded.tokens,
        **arrays,
        tokenisation=tokenisation,
        train_tunes=tunes["train"],
        validation_tunes=tunes["validation"],
        test_tunes=tunes["test"],
        report=report,
    )


def read_tunes(path: Path, prior: PriorRecord, max_length: int) -> tuple[list[str], Sequences]:
    """Read tunes of a file as tokens of a prior, in pieces of at most `max_length` tokens.

    Tokens that the prior does not know become the nearest that it knows.

    Returns:
        The title of each tune, with the number of the piece if there are several, and the pieces.

    Raises:
        UserError: if the file cannot be read or holds no usable tune.
    """
    sheets, _ = read_sources(path)
    tokenisation = tokenisation_named(prior.origin["tokenisation"])
    known = [tokenisation.parse(name) for name in prior.vocabulary.tokens]
    names: list[str] = []
    rows: list[Int[np.ndarray, " time"]] = []
    for sheet in sheets:
        ids = nearest(tokenisation.encode(sheet), known, tokenisation)
        pieces = [ids[start : start + max_length] for start in range(0, len(ids), max_length)]
        title = sheet.title or f"tune {sheet.index + 1}"
        numbered = [f"{title} ({number} of {len(pieces)})" for number in range(1, len(pieces) + 1)]
        names += numbered if len(pieces) > 1 else [title]
        rows += pieces
    mask = np.arange(max_length) < np.array([[len(row)] for row in rows])
    tokens = np.zeros(mask.shape, np.int32)
    tokens[mask] = np.concatenate(rows)
    return names, Sequences(tokens, mask)


Item = TypeVar("Item")


def _chosen(items: Sequence[Item], chosen: Bool[np.ndarray, " item"]) -> tuple[Item, ...]:
    return tuple(item for item, flag in zip(items, chosen, strict=True) if flag)


def _without_rare(
    sheets: Sequence[LeadSheet], encoded: EncodedTunes, imported: ImportReport, below: int
) -> tuple[Sequence[LeadSheet], EncodedTunes, ImportReport]:
    """Drop the tunes with rare tokens and count them."""
    kept = tunes_without_rare(encoded, below)
    if not kept.any():
        raise UserError(
            f"each of the {len(sheets)} tunes has a token that occurs fewer than {below} times; "
            "use --rare map, or lower --rare-below"
        )
    dropped = int((~kept).sum())
    imported += ImportReport(0, {"with rare tokens": dropped} if dropped else {})
    left = _chosen(encoded.tunes, kept)
    used = np.unique(np.concatenate(left))
    new_ids = np.zeros(len(encoded.tokens), dtype=np.int32)
    new_ids[used] = np.arange(len(used))
    smaller = EncodedTunes(encoded.tokens, left)
    tokens = [encoded.tokens[index] for index in used]
    return _chosen(sheets, kept), smaller.renumbered(new_ids, tokens), imported


def cut(stream: Int[np.ndarray, " token"], length: int) -> Int[np.ndarray, "sequence time"]:
    """Cut the tunes of one part, joined one after the other, into sequences.

    As in the papers, a sequence may begin in the middle of a tune and end in the next one, here
    always of the same part. Every token is in exactly one sequence, except fewer than `length` at
    the end. Cutting within tunes would lose short tunes and the ends of others, or repeat tokens.
    """
    rows = len(stream) // length
    return stream[: rows * length].reshape(rows, length)
