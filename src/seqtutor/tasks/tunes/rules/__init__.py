"""Rules of form: what makes eight bars a tune and not a row of notes.

Each is a pure function of a `Layout`, between 0 and 1 for a phrase but for `faulty_bars`, which
counts. What a rule gives for a bar depends on that bar and those before it alone.

- W. Caplin, Classical Form (1998)
- E. Gould, Behind Bars (2011)
- D. Huron, "The melodic arch in Western folksongs", Computing in Musicology 10 (1996)
- D. Huron, Sweet Anticipation (2006)
- F. Lerdahl, R. Jackendoff, A Generative Theory of Tonal Music (1983)
- A. Schoenberg, Fundamentals of Musical Composition (1967)
- D. Temperley, The Cognition of Basic Musical Structures (2001)
"""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Array, Float

from seqtutor.tasks.tunes.layout import Layout
from seqtutor.tasks.tunes.rules.bars import faulty_bars
from seqtutor.tasks.tunes.rules.cadences import half_cadence, long_close, repeatable, tonic_close
from seqtutor.tasks.tunes.rules.contour import arch, usual_range
from seqtutor.tasks.tunes.rules.harmony import one_harmony
from seqtutor.tasks.tunes.rules.returns import (
    bar_returns,
    phrase_returns,
    sequences,
    varied_returns,
)
from seqtutor.tasks.tunes.rules.rhythm import rhythm_returns

Rule = Callable[[Layout], Float[Array, " batch"] | Float[Array, "batch bars"]]

RULES: dict[str, Rule] = {
    "faulty_bars": faulty_bars,
    "bar_returns": bar_returns,
    "phrase_returns": phrase_returns,
    "varied_returns": varied_returns,
    "sequences": sequences,
    "rhythm_returns": rhythm_returns,
    "half_cadence": half_cadence,
    "tonic_close": tonic_close,
    "long_close": long_close,
    "repeatable": repeatable,
    "usual_range": usual_range,
    "arch": arch,
    "one_harmony": one_harmony,
}
"""The rules by name; a number a phrase is paid at its end, a number a bar at the end of the bar."""
