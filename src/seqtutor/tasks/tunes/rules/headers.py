"""Metre and mode, which no rule of form is about, and which tuning must not change."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqtutor.tasks.tunes.phrase import METERS, MODES
from seqtutor.tasks.tunes.tokens import TokenTable

HEADERS = {
    **{f"meter_{beats}_{unit}": f"{beats}/{unit}" for beats, unit in METERS},
    **{f"mode_{mode}": mode for mode in MODES},
}
"""The tokens of metres and modes, by the names of their terms."""


def headers(
    tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"], table: TokenTable
) -> dict[str, Float[Array, "batch time"]]:
    """For each metre 1 at the first token if it is this one, for each mode at the second.

    The rules are easier to keep in some metres than in others, and a policy that is paid for them
    would write more jigs than there are. The weights of these terms take that away: with them the
    optimum has each metre and mode as often as real tunes have.
    """
    steps = jnp.arange(tokens.shape[1])
    return {
        name: ((tokens == table.headers[token]) & mask & (steps == (token in MODES))).astype(
            jnp.float32
        )
        for name, token in HEADERS.items()
    }
