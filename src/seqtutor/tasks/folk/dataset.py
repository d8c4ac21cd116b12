"""Tunes with chords to learn from: split by tune, tokenised, and cut into sequences."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.errors import UserError
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.joint import JointTokenisation
from seqtutor.tasks.folk.lead_sheet import LeadSheet
from seqtutor.tasks.folk.published import read_published
from seqtutor.tasks.folk.rare import EncodedTunes, by_frequency, map_rare, tunes_without_rare
from seqtutor.tasks.folk.report import FolkReport
from seqtutor.tasks.folk.sources import read_sources
from seqtutor.tasks.folk.tokenisation import Tokenisation
from seqtutor.tasks.folk.tokenisations import tokenisation_named
from seqtutor.tasks.scores.duplicates import cluster_near_duplicates, split_clusters
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.vocabulary import Vocabulary

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class FolkData:
    """Sequences of equal length, split by tune.

    Attributes:
        vocabulary: the tokens' names; a model begins with the id one past the last.
        tokens: what the ids stand for.
        train, validation, test: `Int["sequence time"]` ids.
        tokenisation: reads tokens as lead sheets.
        train_tunes, validation_tunes, test_tunes: what the sequences come from, as read; empty if
            they were read as tokens.
        report: what happened to the tunes and tokens on their way in.
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

    @cached_property
    def digest(self) -> str:
        """A SHA-256 of vocabulary and sequences, to say in a run's record which data it saw."""
        digest = hashlib.sha256("\n".join(self.vocabulary.tokens).encode())
        for part in (self.train, self.validation, self.test):
            digest.update(repr(part.shape).encode())
            digest.update(np.ascontiguousarray(part, dtype="<i4").tobytes())
        return digest.hexdigest()

    def decode(self, ids: Sequence[int] | Int[np.ndarray, " time"]) -> LeadSheet:
        """Read a sequence of ids, a model's for instance, as a lead sheet."""
        return self.tokenisation.decode([self.tokens[int(index)] for index in ids])

    def summary(self) -> dict[str, Any]:
        """The data's figures, ready for JSON."""
        return self.report.summary() | {"length": self.length, "sha256": self.digest}


def decode_ids(
    ids: Sequence[int] | Int[np.ndarray, " time"], vocabulary: Vocabulary, tokenisation: str
) -> LeadSheet:
    """Read ids as a lead sheet where only a saved model's vocabulary is at hand.

    Raises:
        UserError: if there is no such tokenisation, or a token is not one of its names.
    """
    reader = tokenisation_named(tokenisation)
    return reader.decode([reader.parse(vocabulary.tokens[int(index)]) for index in ids])


def load_folk_data(settings: FolkDataSettings | None = None) -> FolkData:
    """Load tunes with chords, or sequences that are tokens already.

    Raises:
        UserError: if a source is missing or not what it should be, or nothing is left to train on.
    """
    settings = settings or FolkDataSettings()
    if settings.sequences is not None and settings.token_table is not None:
        return _load_published(settings)
    sheets, imported = read_sources(settings.data, settings.use_cache)
    return build_folk_data(sheets, imported, settings)


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
    sheets: Sequence[LeadSheet], imported: ImportReport, settings: FolkDataSettings
) -> FolkData:
    """Split, tokenise and cut lead sheets.

    Raises:
        UserError: if nothing is left to train on.
    """
    if not sheets:
        raise UserError(f"none of the {imported.tunes_read} tunes can be used")
    tokenisation = tokenisation_named(settings.tokenisation)
    encoded = EncodedTunes.of([tokenisation.encode(sheet) for sheet in sheets])
    if settings.rare == "drop-tunes":
        sheets, encoded, imported = _without_rare(sheets, encoded, imported, settings.rare_below)
    clusters = cluster_near_duplicates(sheets)
    parts = split_clusters(clusters, settings.fractions, settings.split_seed)
    counts = encoded.counts(parts == 0)
    rare = counts < settings.rare_below
    encoded = by_frequency(encoded, counts)
    counts = -np.sort(-counts)
    everywhere = encoded.counts()
    if settings.rare == "map":
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
        replaced=int(everywhere[counts < settings.rare_below].sum() * (settings.rare == "map")),
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
    """Cut the tunes of one part, written one after the other, into sequences.

    As in the papers, a sequence may begin in the middle of a tune and end in the next, but here
    only in another tune of the same part. Cut within tunes, short tunes and the ends of all others
    would be lost, or tokens would be counted in several overlapping sequences; so every token of a
    part is in exactly one sequence, but for fewer than `length` at its end.
    """
    rows = len(stream) // length
    return stream[: rows * length].reshape(rows, length)
