"""The measures of real tunes, to stand beside those of policies."""

from __future__ import annotations

from seqtutor.measure import Published

REAL = "Real tunes"
EIGHT_BARS: dict[str, float] = {}
"""Of the 782 phrases of eight bars of the test tunes; `python benchmarks/form_weights.py` prints
them with their intervals."""

_METHODS = ("rloo", "psi", "q", "g", "path", "grpo", "ppo")
PUBLISHED = Published({REAL: EIGHT_BARS}, dict.fromkeys(_METHODS, REAL), "real")
"""The column beside a tuned policy."""
