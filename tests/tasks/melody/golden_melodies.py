"""The reference's values for 200 melodies, and ways to generate others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

GOLDEN = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data/melody/golden.jsonl").read_text().splitlines()
]
GOLDEN_TOKENS = np.array([melody["tokens"] for melody in GOLDEN])


def golden(name: str) -> np.ndarray:
    """One key of all golden melodies as an array."""
    return np.array([melody[name] for melody in GOLDEN], float)


def golden_rule(name: str) -> np.ndarray:
    """The golden rewards of one rule."""
    return np.array([melody["rules"][name] for melody in GOLDEN], float)


@st.composite
def melodies(draw: st.DrawFn, shortest: int = 1, longest: int = 128) -> list[int]:
    """Melodies with the habits that rules look for: few pitches, repeats, copied passages."""
    length = draw(st.integers(shortest, longest))
    palette = draw(st.lists(st.integers(0, 37), min_size=1, max_size=8))
    tokens: list[int] = []
    while len(tokens) < length:
        kind = draw(st.sampled_from(("any", "palette", "repeat", "copy")))
        if kind == "any":
            tokens.append(draw(st.integers(0, 37)))
        elif kind == "palette":
            tokens += draw(st.lists(st.sampled_from(palette), min_size=1, max_size=12))
        elif kind == "repeat":
            tokens += [draw(st.sampled_from([0, 1, *palette]))] * draw(st.integers(1, 9))
        elif tokens:
            start = draw(st.integers(0, len(tokens) - 1))
            tokens += tokens[start : start + draw(st.integers(4, 24))]
    return tokens[:length]


def random_melodies(seed: int, count: int, length: int, highest: int = 37) -> np.ndarray:
    """Melodies of stepwise motion with rests, holds, leaps and repeats, `highest` included."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.integers(-4, 5, (count, length)), axis=1) + rng.integers(
        2, highest, (count, 1)
    )
    pitches = 2 + np.mod(walk, highest - 1)
    kind = rng.random((count, length))
    tokens = np.where(kind < 0.1, 0, np.where(kind < 0.3, 1, pitches))
    return np.where(kind > 0.9, rng.integers(2, highest + 1, (count, length)), tokens)
