"""Copies: tunes that are all but a phrase of a training tune, in whatever key."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int

from seqtutor.tasks.melody.copies import Place, RealMelodies
from seqtutor.tasks.melody.encoding import HOLD, NOTE_OFF, TOKEN_TO_MIDI
from seqtutor.tasks.tunes.data import TunesData
from seqtutor.tasks.tunes.dataset import read_phrases
from seqtutor.tasks.tunes.layout import SLOTS, UNITS_PER_SLOT, Layout
from seqtutor.tasks.tunes.layouts import layouts_of
from seqtutor.vocabulary import Vocabulary


def melodies_of(layout: Layout) -> list[Int[np.ndarray, " slot"]]:
    """The bars of each tune as the tokens of a melody, one a slot, as far as each bar goes."""
    number = len(layout.lengths)
    pitch = np.asarray(layout.pitch).reshape(number, -1)
    begins = np.asarray(layout.begins).reshape(number, -1)
    tokens = np.where(begins, pitch - TOKEN_TO_MIDI, HOLD)
    silent = pitch == 0
    tokens[silent & ~np.pad(silent, ((0, 0), (1, 0)))[:, :-1]] = NOTE_OFF
    within = np.arange(SLOTS) * UNITS_PER_SLOT < np.asarray(layout.lengths)[:, :, None]
    kept = within.reshape(number, -1)
    # A tune without bars has a rest, since a melody has at least one token.
    rows = (row[own] for row, own in zip(tokens, kept, strict=True))
    return [row if len(row) else np.array([NOTE_OFF]) for row in rows]


@lru_cache(maxsize=2)
def training_melodies(vocabulary: Vocabulary, bars: int, source: Path | None) -> RealMelodies:
    """The training phrases of a prior of this vocabulary, read again.

    Raises:
        UserError: if they cannot be read.
    """
    phrases = read_phrases(TunesData(data=source, bars=bars), vocabulary).train
    melodies = melodies_of(layouts_of(phrases.tokens, phrases.mask, vocabulary, bars))
    return RealMelodies(melodies, [Place("", "", 1)] * len(melodies))
