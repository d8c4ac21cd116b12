"""Find tunes that are settings of one another: the same tune in another book, key or dress.

Each tune is reduced to the set of its interval n-grams, which no transposition, tempo or doubling
of note values changes. Two tunes are near-duplicates if they share a good part of the smaller
set, and clusters are the connected components of that relation. All pairs are compared exactly,
by one sparse matrix product over an inverted index. A split deals out whole clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Int
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from seqtutor.tasks.scores.keys import SoundingNote

NGRAM = 8
"""Intervals in an n-gram."""
SIMILARITY = 0.15
"""The share of the smaller set from which two tunes count as near-duplicates.

Measured on the 4,229 tunes of the public-domain books: the largest cluster then has 12 tunes, and
no two tunes with 24 equal intervals in a row are in different clusters. A lower share or shorter
n-grams soon chain tunes that only have figures of their dance in common (n-grams of 6 at this
share put 682 tunes into one cluster).
"""
LEAST_SHARED = 8
"""How many n-grams two tunes must share at least, or all those of the smaller one.

In one run this is fifteen equal intervals. Without it, the short songs of the Essen collection,
where a sixth of a tune is a single cadence, form one cluster of three thousand.
"""
COMMONPLACE = 200
"""An n-gram in more tunes than this is a commonplace (a scale, say) and tells nothing."""

FRACTIONS = (0.8, 0.1, 0.1)
"""Of the tunes, for training, validation and test."""

_CODES = 64  # intervals are clipped to ±31 semitones and coded as 1 … 63


class Melodic(Protocol):
    """A piece with a melody, one note at a time."""

    @property
    def notes(self) -> Sequence[SoundingNote]:
        """In order of time."""


def interval_ngrams(tune: Melodic) -> Int[np.ndarray, " ngram"]:
    """The distinct n-grams of a tune's melodic intervals, as ascending codes.

    A tune with fewer intervals than `NGRAM` has one n-gram, shorter than the others.
    """
    pitches = np.array([note.pitch for note in tune.notes], dtype=np.int64)
    codes = np.clip(np.diff(pitches), -31, 31) + _CODES // 2
    width = min(NGRAM, len(codes))
    if width == 0:
        return np.zeros(1, dtype=np.int64)
    weights = _CODES ** np.arange(width, dtype=np.int64)
    return np.unique(np.lib.stride_tricks.sliding_window_view(codes, width) @ weights)


def near_duplicates(tunes: Sequence[Melodic]) -> Int[np.ndarray, "pair 2"]:
    """The pairs of tunes that are near-duplicates of each other, as positions in `tunes`.

    Of more copies of a tune than make its n-grams commonplaces, each is paired with the first
    alone; a pair may come twice.
    """
    ngrams = [interval_ngrams(tune) for tune in tunes]
    sizes = np.array([len(codes) for codes in ngrams])
    rows = np.repeat(np.arange(len(tunes)), sizes)
    _, columns = np.unique(np.concatenate(ngrams), return_inverse=True)
    frequency = np.bincount(columns)
    kept = (frequency[columns] > 1) & (frequency[columns] <= COMMONPLACE)
    index = sparse.csr_matrix(
        (np.ones(int(kept.sum()), dtype=np.int32), (rows[kept], columns[kept])),
        shape=(len(tunes), len(frequency)),
    )
    shared = sparse.triu(index @ index.T, k=1).tocoo()
    smaller = np.minimum(sizes[shared.row], sizes[shared.col])
    close = shared.data >= np.maximum(SIMILARITY * smaller, np.minimum(LEAST_SHARED, smaller))
    similar = np.stack([shared.row[close], shared.col[close]], axis=1)
    # Where a tune has very many copies, all its n-grams are commonplaces.
    return np.concatenate([similar, _copies(ngrams)])


def cluster_near_duplicates(tunes: Sequence[Melodic]) -> Int[np.ndarray, " tune"]:
    """Number the clusters of near-duplicates: tunes with the same number belong together.

    Clusters are numbered from 0 in the order of their first tunes.
    """
    if not tunes:
        return np.zeros(0, dtype=np.int64)
    pairs = near_duplicates(tunes)
    graph = sparse.coo_matrix(
        (np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])),
        shape=(len(tunes), len(tunes)),
    )
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _copies(ngrams: Sequence[Int[np.ndarray, " ngram"]]) -> Int[np.ndarray, "pair 2"]:
    """Each tune that has the n-grams of an earlier one, with the first that has them."""
    first: dict[bytes, int] = {}
    pairs = [
        (first.setdefault(codes.tobytes(), place), place) for place, codes in enumerate(ngrams)
    ]
    copies = [pair for pair in pairs if pair[0] != pair[1]]
    return np.array(copies, dtype=np.int64).reshape(-1, 2)


def split_clusters(
    clusters: Int[np.ndarray, " tune"],
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
) -> Int[np.ndarray, " tune"]:
    """Say for each tune whether it is for training (0), validation (1) or test (2).

    Whole clusters are dealt out, in random order, each to the part that lacks most tunes.
    """
    sizes = np.bincount(clusters)
    missing = np.array(fractions) / sum(fractions) * len(clusters)
    part_of_cluster = np.zeros(len(sizes), dtype=np.int64)
    for cluster in np.random.default_rng(seed).permutation(len(sizes)):
        part = int(np.argmax(missing))
        part_of_cluster[cluster] = part
        missing[part] -= sizes[cluster]
    return part_of_cluster[clusters]
