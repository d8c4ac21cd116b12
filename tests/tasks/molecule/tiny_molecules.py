"""A prior of a few tokens, most of whose strings are molecules."""

from __future__ import annotations

from pathlib import Path

import jax

from seqtutor.models.files import SavedModel, save_model
from seqtutor.models.lstm import LSTM
from seqtutor.tasks.molecule.tokens import END_TOKEN
from seqtutor.vocabulary import Vocabulary

VOCABULARY = Vocabulary((END_TOKEN, "=", "C", "N", "O"), END_TOKEN)
LENGTH = 8


def tiny_prior(seed: int = 0, **origin: object) -> SavedModel:
    """A random LSTM; some of its strings end in a double bond or have one too many."""
    model = LSTM(VOCABULARY.size, (8,), key=jax.random.key(seed))
    return SavedModel(model, VOCABULARY, {"max_length": LENGTH, **origin})


def save_tiny_prior(folder: Path, seed: int = 0) -> Path:
    """Write it as a folder; returns the folder."""
    save_model(tiny_prior(seed, extremes={"shortest": 2, "most_carbons": 5}), folder)
    return folder
