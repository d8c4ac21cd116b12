"""What generators expect to come next at one step of a real sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from seqtutor.models.base import SequenceModel
from seqtutor.vocabulary import Vocabulary


@dataclass(frozen=True)
class NextToken:
    """Distributions over the vocabulary after the first tokens of a sequence.

    Attributes:
        names: of the tokens, by their ids.
        given: how many tokens were given.
        real: the id of the token that really follows.
        probabilities: by generator, the one that the others are compared with first.
    """

    names: tuple[str, ...]
    given: int
    real: int
    probabilities: Mapping[str, Float[np.ndarray, " vocab"]]

    @property
    def order(self) -> Int[np.ndarray, " vocab"]:
        """All ids, those first that the first generator finds most likely."""
        first = next(iter(self.probabilities.values()))
        return np.argsort(-first, kind="stable")


def next_token(
    models: Mapping[str, SequenceModel],
    vocabulary: Vocabulary,
    sequence: Int[Any, " time"],
    given: int,
) -> NextToken:
    """Ask generators for the token after the first `given` ones of a sequence.

    Raises:
        ValueError: if the sequence has no token there.
    """
    if not 0 <= given < len(sequence):
        raise ValueError(f"a sequence of {len(sequence)} tokens has none after {given}")
    prefix = jnp.asarray(sequence[: given + 1], jnp.int32)[None]
    probabilities = {
        name: np.asarray(_probabilities(model, prefix))[0, -1] for name, model in models.items()
    }
    return NextToken(vocabulary.tokens, given, int(sequence[given]), probabilities)


@eqx.filter_jit
def _probabilities(
    model: SequenceModel, tokens: Int[Array, "batch time"]
) -> Float[Array, "batch time vocab"]:
    return jax.nn.softmax(model.unroll(tokens))
