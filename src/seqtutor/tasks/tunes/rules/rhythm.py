"""The rhythm of bars."""

from __future__ import annotations

from jaxtyping import Array, Float

from seqtutor.tasks.tunes.layout import Layout
from seqtutor.tasks.tunes.rules.arrays import are_earlier, same_rhythm


def rhythm_returns(layout: Layout) -> Float[Array, "batch bars"]:
    """The rhythm of a bar comes back: listeners hear the same rhythm as the same figure.

    (Huron 2006, ch. 10, on rhythmic expectation; Schoenberg 1967, ch. III: of all features of a
    motive its rhythm is kept most.) 1/B for each of the B bars whose rhythm an earlier bar has.
    """
    bars = layout.pitch.shape[1]
    return (same_rhythm(layout) & are_earlier(bars)).any(axis=2) / bars
