"""Which melodies are copies of real ones."""

from __future__ import annotations

import numpy as np
import pytest

from seqtutor.tasks.melody.encoding import symbols_of_tokens
from seqtutor.tasks.scores.copies import DIFFERENT, Place, RealMelodies, allowed


def distance(one: str, other: str) -> int:
    """Wagner & Fischer's edit distance."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def melodies(number: int, seed: int) -> np.ndarray:
    """Variants of three tunes, of few notes and of many, with some of their tokens changed."""
    themes = np.random.default_rng(0)
    tunes = 14 + np.cumsum(themes.integers(-3, 4, (3, 16)), axis=1) % 12
    for tune, share in zip(tunes, (0.8, 0.5, 0.1), strict=True):
        tune[themes.random(16) < share] = 1
    rng = np.random.default_rng(seed)
    tokens = tunes[rng.integers(0, 3, number)]
    is_changed = rng.random(tokens.shape) < rng.choice([0.03, 0.1, 0.3], (number, 1))
    return np.where(is_changed, rng.choice([0, 1, 14, 16, 17], tokens.shape), tokens)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_copy_is_missed_and_none_is_invented(seed):
    real, given = melodies(100, seed), melodies(40, seed + 10)
    strings, own = map(symbols_of_tokens, (real, given))
    found = RealMelodies(strings, [Place(str(n), "", 1) for n in range(100)])
    distances = [[distance(string, one) for one in strings] for string in own]
    nearest = np.min(distances, axis=1)
    lengths = np.array([len(string) for string in own])
    is_copy = found.copies(own)
    np.testing.assert_array_equal(is_copy, nearest <= lengths // DIFFERENT)
    assert 0.1 < is_copy.mean() < 0.9
    assert set(nearest[is_copy]) > {0, 1}
    for string, least, symbols, copied in zip(own, nearest, lengths, is_copy, strict=True):
        one = found.nearest(string)
        assert (one.distance, one.symbols, one.is_copy) == (least, symbols, copied)
        assert distance(string, strings[int(one.place.title)]) == least


def test_a_key_makes_no_difference_and_a_rhythm_does():
    tune = np.array([14, 1, 16, 1, 18, 1, 14, 1, 0, 1, 19, 1, 18, 16, 14, 1])
    higher = np.where(tune > 1, tune + 5, tune)
    slower = np.array([14, 1, 1, 16, 18, 1, 14, 1, 0, 1, 19, 1, 18, 16, 14, 1])
    # Another pitch: the interval to it and the one from it.
    changed = np.array([14, 1, 16, 1, 19, 1, 14, 1, 0, 1, 19, 1, 18, 16, 14, 1])
    own, *near = symbols_of_tokens(np.stack([tune, higher, slower, changed]))
    assert [distance(own, one) for one in near] == [0, 2, 2]
    real = RealMelodies([own], [Place("Tune", "book", 3)])
    assert len(own) == 9
    assert allowed(9) == 2
    np.testing.assert_array_equal(real.copies(near), [True] * 3)
    twice = np.where(np.arange(16) == 12, 21, changed)
    assert not real.copies(symbols_of_tokens(twice[None]))[0]
    assert real.nearest(near[0]).place == Place("Tune", "book", 3)
