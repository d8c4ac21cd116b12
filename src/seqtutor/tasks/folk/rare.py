"""Rare tokens: counted, dropped, or replaced by the nearest of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from scipy.spatial.distance import cdist

from seqtutor.errors import UserError
from seqtutor.tasks.folk.tokenisation import Tokenisation

_CHUNK = 512
"""Tokens whose distances to all others are in memory at a time."""


@dataclass(frozen=True)
class EncodedTunes:
    """Tunes as ids over the token types that occur in them.

    Attributes:
        tokens: the token types; ids are positions.
        tunes: each `Int["time"]`.
    """

    tokens: tuple[Any, ...]
    tunes: tuple[Int[np.ndarray, " time"], ...]

    @classmethod
    def of(cls, tunes: Sequence[Sequence[Any]]) -> EncodedTunes:
        """Number the tokens in the order in which they come."""
        ids: dict[Any, int] = {}
        numbered = tuple(
            np.array([ids.setdefault(token, len(ids)) for token in tune], dtype=np.int32)
            for tune in tunes
        )
        return cls(tuple(ids), numbered)

    def counts(self, chosen: Bool[np.ndarray, " tune"] | None = None) -> Int[np.ndarray, " type"]:
        """How often each type occurs in all tunes, or in the chosen ones."""
        flags = [True] * len(self.tunes) if chosen is None else chosen.tolist()
        streams = [tune for tune, flag in zip(self.tunes, flags, strict=True) if flag]
        stream = np.concatenate([np.zeros(0, dtype=np.int32), *streams])
        return np.bincount(stream, minlength=len(self.tokens))

    def renumbered(self, new_ids: Int[np.ndarray, " type"], tokens: Sequence[Any]) -> EncodedTunes:
        """The same tunes over other types: each id is replaced by `new_ids[id]`."""
        new_ids = new_ids.astype(np.int32)
        return EncodedTunes(tuple(tokens), tuple(new_ids[tune] for tune in self.tunes))


def tunes_without_rare(encoded: EncodedTunes, below: int) -> Bool[np.ndarray, " tune"]:
    """Which tunes have no token that occurs fewer than `below` times in all tunes.

    The counts are those before any tune is dropped.
    """
    common = encoded.counts() >= below
    return np.array([bool(common[tune].all()) for tune in encoded.tunes], dtype=bool)


def by_frequency(encoded: EncodedTunes, counts: Int[np.ndarray, " type"]) -> EncodedTunes:
    """The same tunes with the types numbered from the most frequent down, equal ones by name."""
    names = list(map(str, encoded.tokens))
    order = sorted(range(len(names)), key=lambda index: (-counts[index], names[index]))
    new_ids = np.empty(len(order), dtype=np.int32)
    new_ids[order] = np.arange(len(order))
    return encoded.renumbered(new_ids, [encoded.tokens[index] for index in order])


def map_rare(
    encoded: EncodedTunes,
    counts: Int[np.ndarray, " type"],
    below: int,
    tokenisation: Tokenisation[Any],
) -> EncodedTunes:
    """Replace every token whose count is lower by the nearest that is kept, in all tunes.

    The types keep their order.

    Raises:
        UserError: if fewer than two types are kept.
    """
    kept = [token for token, count in zip(encoded.tokens, counts, strict=True) if count >= below]
    if len(kept) < 2:
        raise UserError(
            f"only {len(kept)} tokens occur {below} times or more in the training tunes; "
            "give more tunes, lower --rare-below, or use --rare keep"
        )
    return encoded.renumbered(nearest(encoded.tokens, kept, tokenisation), kept)


def nearest(
    tokens: Sequence[Any], places: Sequence[Any], tokenisation: Tokenisation[Any]
) -> Int[np.ndarray, " token"]:
    """For each token the id of the same token among the places, or else of the nearest one.

    The nearest has the least city-block distance of features (see the tokenisation); of several
    the first.
    """
    ids = {token: index for index, token in enumerate(places)}
    found = np.array([ids.get(token, -1) for token in tokens], dtype=np.int32)
    others = np.flatnonzero(found < 0)
    coordinates = np.array([tokenisation.features(token) for token in places])
    for start in range(0, len(others), _CHUNK):
        chunk = others[start : start + _CHUNK]
        own = np.array([tokenisation.features(tokens[index]) for index in chunk])
        found[chunk] = cdist(own, coordinates, "cityblock").argmin(axis=1)
    return found
