"""Settings of the LSTM of bars; loads without JAX, so that the help of `pretrain` is quick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import tyro

from seqtutor.models.settings import ModelSettings
from seqtutor.settings import require
from seqtutor.vocabulary import Vocabulary


@dataclass(frozen=True)
class BarLSTMSettings(ModelSettings):
    """Settings of an LSTM of bars."""

    hidden_sizes: tuple[int, ...] = (192,)
    """Cells in each layer."""
    embedding_size: int = 48
    """Size of the embedding of a token, and of what an earlier bar has at a place."""
    bars_back: tuple[int, ...] = (4, 2, 1)
    """Which earlier bars are looked at: so many bars before the one that is being written."""
    parallel_back: tuple[int, ...] = (2, 1)
    """Which earlier bars are gone on with at the pitch at which the bar follows them."""
    tokens: Annotated[tuple[str, ...], tyro.conf.Suppress] = ()
    """Tokens of the vocabulary, which is that of the training tunes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(min(self.hidden_sizes, default=0) > 0, "hidden_sizes needs a layer of some cells")
        require(self.embedding_size > 0, "embedding_size must be above 0")
        require(min(self.bars_back, default=0) > 0, "bars_back needs numbers above 0")
        require(min(self.parallel_back, default=1) > 0, "parallel_back needs numbers above 0")

    def for_vocabulary(self, vocabulary: Vocabulary) -> BarLSTMSettings:
        """The settings with the vocabulary's tokens."""
        return replace(self, tokens=vocabulary.tokens)
