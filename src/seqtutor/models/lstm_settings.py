"""Settings of the LSTM; loads without JAX, so that the help of `seqtutor pretrain` is quick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from seqtutor.models.settings import ModelSettings
from seqtutor.settings import Positive, Range, require

MOST_LAYERS = 64
"""Each layer is compiled on its own, and a damaged file may ask for any number."""


@dataclass(frozen=True)
class LSTMSettings(ModelSettings):
    """Settings of an LSTM."""

    initial: ClassVar[tuple[str, ...]] = ("token_bound",)

    hidden_sizes: tuple[int, ...] = (100,)
    """Cells in each LSTM layer; the papers' Note RNN has one layer of 100."""
    embedding_size: Annotated[int, Range(at_least=0)] = 0
    """Size of the embedding of a token; 0 for none: each token has weights of its own in the first
    layer."""
    token_bound: Positive | None = None
    """The weights that a token adds to the first layer are drawn within ± this; 1/√cells if not
    given. Tokens of a large vocabulary are seen too seldom to grow from there: 1, which is what
    embeddings are drawn within."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            0 < len(self.hidden_sizes) <= MOST_LAYERS and min(self.hidden_sizes) > 0,
            f"hidden_sizes needs between 1 and {MOST_LAYERS} layers, each of at least one cell",
        )
