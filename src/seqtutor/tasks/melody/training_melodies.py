"""The melodies of the folk tunes that the prior of the package is trained on, to find copies."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from seqtutor.cache import cache_folder
from seqtutor.tasks.melody.abc import READER_VERSION
from seqtutor.tasks.melody.data import MelodyData
from seqtutor.tasks.melody.dataset import MelodyDataset, load_melodies, tokens_of, window_starts
from seqtutor.tasks.melody.encoding import symbols_of_tokens
from seqtutor.tasks.scores.copies import Place, RealMelodies
from seqtutor.tasks.scores.corpus import PUBLIC_DOMAIN_BOOKS, book_sources, fingerprint
from seqtutor.tasks.scores.read_cache import Arrays, load_read, save_read

_FORMAT = 1


@lru_cache(maxsize=4)
def training_melodies(length: int) -> RealMelodies:
    """The melodies of `length` sixteenths of the training tunes of `MelodyData()`.

    They are cut once and kept in the cache folder.

    Raises:
        UserError: if music21's tunes are missing, or none is so long.
    """
    options = MelodyData(length=length)
    sources = book_sources(PUBLIC_DOMAIN_BOOKS)
    name = fingerprint(sources, READER_VERSION, options)[:32]
    path = cache_folder() / f"training-melodies-{name}.npz"
    cached = load_read(path, _FORMAT, _unpack)
    if cached is not None:
        return cached[0][0]
    data = load_melodies(options)
    arrays = _cut(data, length)
    tunes = data.train_tunes
    names = {"titles": [t.title for t in tunes], "sources": [t.source for t in tunes]}
    save_read(path, _FORMAT, names, data.report, arrays)
    return _unpack(arrays, names)[0]


def _cut(data: MelodyDataset, length: int) -> Arrays:
    """The melodies, the numbers of their tunes, and the bars that they begin with, from 1."""
    tokens, places = [], []
    for number, tune in enumerate(data.train_tunes):
        whole = tokens_of(tune)
        for start in window_starts(tune, whole, length):
            tokens.append(whole[start : start + length])
            places.append((number, tune.downbeats.index(start) + 1))
    return {"tokens": np.array(tokens, np.int8), "places": np.array(places, np.int32)}


def _unpack(arrays: Arrays, names: dict[str, Any]) -> list[RealMelodies]:
    titles, sources = names["titles"], names["sources"]
    places = [Place(titles[tune], sources[tune], bar) for tune, bar in arrays["places"].tolist()]
    return [RealMelodies(symbols_of_tokens(arrays["tokens"]), places)]
