"""Layouts of any number of tunes, as NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Int

from seqtutor.tasks.tunes.layout import Layout, lay_out
from seqtutor.tasks.tunes.tokens import table_of
from seqtutor.vocabulary import Vocabulary

AT_ONCE = 2048
"""Tunes of one call; a power of two."""


def layouts_of(
    tokens: Int[np.ndarray, "tune time"],
    mask: Bool[np.ndarray, "tune time"],
    vocabulary: Vocabulary,
    bars: int,
) -> Layout:
    """The layout of all tunes, with NumPy arrays."""
    return in_parts(partial(_compiled, vocabulary=vocabulary, bars=bars), tokens, mask)


def in_parts(
    function: Callable[[jax.Array, jax.Array], Any], tokens: np.ndarray, mask: np.ndarray
) -> Any:
    """A function's pytree of arrays for all tunes, which it is given in parts.

    The last part is filled up to the size of the others, or all to a power of two if there is no
    other, so that little is compiled.
    """
    size = min(AT_ONCE, 1 << (len(tokens) - 1).bit_length())
    missing = ((0, -len(tokens) % size), (0, 0))
    filled, real = np.pad(tokens, missing), np.pad(mask, missing)
    found = [
        function(jnp.asarray(filled[i : i + size], jnp.int32), jnp.asarray(real[i : i + size]))
        for i in range(0, len(filled), size)
    ]
    return jax.tree.map(lambda *each: np.concatenate(each)[: len(tokens)], *found)


@partial(jax.jit, static_argnames=("vocabulary", "bars"))
def _compiled(tokens: jax.Array, mask: jax.Array, vocabulary: Vocabulary, bars: int) -> Layout:
    return lay_out(tokens, mask, table_of(vocabulary), bars)
