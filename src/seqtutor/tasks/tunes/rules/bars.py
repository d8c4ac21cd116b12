"""The metre is kept."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from seqtutor.tasks.tunes.layout import Layout


def faulty_bars(layout: Layout) -> Float[Array, " batch"]:
    """Bars that are not full, missing or too many, and tokens out of place: all that no tune has.

    The last bar may lack what the next upbeat takes, up to half of it; the upbeat is shorter than a
    bar.
    """
    bars = layout.lengths.shape[1]
    full = layout.lengths == layout.bar_units[:, None]
    last = layout.lengths[:, -1]
    closes = (2 * last >= layout.bar_units) & (last <= layout.bar_units)
    there = jnp.arange(bars) < layout.bars[:, None]
    right = full.at[:, -1].set(closes) & there
    surplus = jnp.maximum(layout.bars - bars, 0) + (layout.upbeat >= layout.bar_units)
    return ((~right).sum(axis=1) + surplus + layout.faults).astype(jnp.float32)
