"""The measures of real tunes, to stand beside those of policies."""

from __future__ import annotations

from seqtutor.measure import Published

REAL = "Real tunes"
EIGHT_BARS: dict[str, float] = {
    "whole": 1.0000,
    "phrase_returns": 0.3585,
    "varied_returns": 0.1863,
    "bar_returns": 0.1851,
    "sequences": 0.0230,
    "rhythm_returns": 0.5409,
    "half_cadence": 0.4962,
    "tonic_close": 0.7737,
    "long_close": 0.7596,
    "repeatable": 0.9130,
    "usual_range": 0.9297,
    "arch": 0.3645,
    "one_harmony": 0.7091,
    "copies": 0.0000,
    "commonest_first_beat": 0.0179,
    "commonest_first_four": 0.0166,
    "notes_a_beat": 2.7965,
    "steps": 0.5161,
    "leaps": 0.0617,
    "repeated_notes": 0.0958,
    "in_the_scale": 0.9810,
    "unique_highest": 0.3951,
    "major": 0.8274,
    "compound": 0.3312,
}
"""Of the 782 phrases of eight bars of the test tunes; `python benchmarks/form_weights.py` prints
them with their intervals. The share of distinct rhythms falls with the number of tunes and is left
out."""

_METHODS = ("rloo", "psi", "q", "g", "path", "grpo", "ppo")
PUBLISHED = Published({REAL: EIGHT_BARS}, dict.fromkeys(_METHODS, REAL), "real")
"""The column beside a tuned policy."""
