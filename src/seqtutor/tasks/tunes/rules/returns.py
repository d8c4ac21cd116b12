"""What comes back: bars and phrases, exactly, varied, or at another pitch."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from seqtutor.tasks.tunes.layout import Layout
from seqtutor.tasks.tunes.rules.arrays import (
    are_earlier,
    compared,
    same_bars,
    same_rhythm,
    scale_steps,
)

VARIED = 0.5
"""Share of a bar that must be as before for it to be a varied return."""


def bar_returns(layout: Layout) -> Float[Array, "batch bars"]:
    """A bar comes back: repetition makes a motive of a few notes (Schoenberg 1967, ch. III).

    1/B for each of the B bars that is the same as an earlier one.
    """
    bars = layout.pitch.shape[1]
    return (same_bars(layout) & are_earlier(bars)).any(axis=2) / bars


def phrase_returns(layout: Layout) -> Float[Array, "batch bars"]:
    """The second half begins as the first: antecedent and consequent of a period.

    (Caplin 1998, ch. 4: the consequent repeats the basic idea and closes more strongly.) With H
    bars in half a phrase, 1/(H − 1) for each of the bars H + 1 … 2H − 1 that is the same as the one
    H bars earlier. The bars of the two cadences do not count, which should differ.
    """
    return _of_second_half(_halves(layout, same_bars(layout)))


def varied_returns(layout: Layout) -> Float[Array, "batch bars"]:
    """The second half varies the first (Schoenberg 1967, ch. III and VI).

    As `phrase_returns`, for bars that are not the same but sound alike at least half of the time.
    """
    same = same_bars(layout)
    both = compared(layout)
    alike = (layout.pitch[:, :, None] == layout.pitch[:, None]) & both
    share = alike.sum(axis=3) / jnp.maximum(both.sum(axis=3), 1)
    return _of_second_half(_halves(layout, ~same & (share >= VARIED)))


def sequences(layout: Layout) -> Float[Array, "batch bars"]:
    """A bar comes back at another pitch: a sequence (Schoenberg 1967, ch. V).

    1/B for each of the B bars whose notes lie so many steps of the scale above or below those of
    the bar before, or of the one before that. The rhythm must be the same, and there must be three
    notes at least.
    """
    bars = layout.pitch.shape[1]
    steps = scale_steps(layout.pitch)
    both = compared(layout) & (layout.begins[:, :, None] & layout.begins[:, None])
    moved = steps[:, :, None] - steps[:, None]
    high = jnp.where(both, moved, -999).max(axis=3)
    low = jnp.where(both, moved, 999).min(axis=3)
    near = are_earlier(bars) & ~np.tril(np.ones((bars, bars), bool), -3)
    found = same_rhythm(layout) & (high == low) & (high != 0) & (both.sum(axis=3) >= 3) & near
    return found.any(axis=2) / bars


def _halves(layout: Layout, pairs: Array) -> Array:
    """Of each bar of the second half but the last, what holds with the one half a phrase before."""
    half = layout.pitch.shape[1] // 2
    return jnp.diagonal(pairs[:, half:-1, : half - 1], axis1=1, axis2=2)


def _of_second_half(found: Array) -> Float[Array, "batch bars"]:
    compared_bars = found.shape[1]
    before = jnp.zeros((len(found), compared_bars + 1))
    after = jnp.zeros((len(found), 1))
    return jnp.concatenate([before, found / compared_bars, after], axis=1)
