"""Copies: tunes that are all but a phrase of a training tune, in whatever key."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from seqtutor.tasks.scores.copies import Place, RealMelodies, symbols_of
from seqtutor.tasks.tunes.data import TunesData
from seqtutor.tasks.tunes.dataset import read_phrases
from seqtutor.tasks.tunes.layout import SLOTS, UNITS_PER_SLOT, Layout
from seqtutor.tasks.tunes.layouts import layouts_of
from seqtutor.vocabulary import Vocabulary


def strings_of(layout: Layout) -> list[str]:
    """The bars of each tune as strings to be compared, as far as each bar goes."""
    number = len(layout.lengths)
    pitch = np.asarray(layout.pitch).reshape(number, -1)
    silent = pitch == 0
    rest_begins = silent & ~np.pad(silent, ((0, 0), (1, 0)))[:, :-1]
    begins = np.asarray(layout.begins).reshape(number, -1) | rest_begins
    within = np.arange(SLOTS) * UNITS_PER_SLOT < np.asarray(layout.lengths)[:, :, None]
    within = within.reshape(number, -1)
    # What is within bars comes first.
    order = np.argsort(~within, axis=1, kind="stable")
    pitch, begins = (np.take_along_axis(one, order, axis=1) for one in (pitch, begins))
    return symbols_of(pitch, begins, within.sum(axis=1))


@lru_cache(maxsize=2)
def training_melodies(vocabulary: Vocabulary, bars: int, source: Path | None) -> RealMelodies:
    """The training phrases of a prior of this vocabulary, read again.

    Raises:
        UserError: if they cannot be read.
    """
    phrases = read_phrases(TunesData(data=source, bars=bars), vocabulary).train
    strings = strings_of(layouts_of(phrases.tokens, phrases.mask, vocabulary, bars))
    return RealMelodies(strings, [Place("", "", 1)] * len(strings))
