"""Rhythms of melodies, and bars whose rhythm returns."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.measures.diversity import distinct_share
from seqtutor.tasks.melody.encoding import tokens_to_notes
from seqtutor.tasks.melody.evaluation import variety
from seqtutor.tasks.melody.rhythm import ONSET, SILENCE, SOUNDING, bar_counts, rhythms

MELODIES = st.lists(
    st.lists(st.sampled_from([0, 1, 1, 14, 16, 37]), min_size=12, max_size=12),
    min_size=1,
    max_size=5,
)


def of_notes(tokens):
    found = np.full(len(tokens), SILENCE)
    for note in tokens_to_notes(tokens):
        found[note.onset : note.end] = SOUNDING
        found[note.onset] = ONSET
    return found


@given(MELODIES)
def test_a_rhythm_is_that_of_the_notes_that_sound(melodies):
    np.testing.assert_array_equal(rhythms(np.array(melodies)), [of_notes(m) for m in melodies])


@given(MELODIES, st.lists(st.integers(1, 12), min_size=5, max_size=5), st.integers(1, 5))
def test_bars_that_return_are_those_of_a_loop(melodies, lengths, bar):
    lengths = np.array(lengths[: len(melodies)])
    mask = np.arange(12) < lengths[:, None]
    found = bar_counts(np.array(melodies), mask, bar)
    for row, (melody, length) in enumerate(zip(melodies, lengths, strict=True)):
        rhythm = of_notes(melody)
        bars = [tuple(rhythm[s : s + bar]) for s in range(0, length - bar + 1, bar)]
        assert found.bars[row] == len(bars)
        assert found.returning[row] == sum(one in bars[:n] for n, one in enumerate(bars))


def test_the_measures_of_two_bars_with_one_rhythm():
    bar = [14, 1, 16, 1, 18, 1, 1, 1, 14, 1, 16, 1, 18, 1, 1, 1]
    higher = [token if token == 1 else token + 2 for token in bar]
    other = [14] * 16
    tokens = np.array([bar + higher, bar + other, higher + bar, other + other])
    found = variety(tokens, np.ones(tokens.shape, bool))
    assert found["rhythm_returns"].value == 3 / 8
    assert found["distinct_rhythms"].value == 3 / 4
    assert distinct_share(tokens) == 1
    assert found["commonest_first_beat"].value == found["commonest_first_four"].value == 1 / 2
    # Of beats of half a bar.
    assert variety(tokens[1:2], np.ones((1, 32), bool), beat=8)["commonest_first_beat"].value == 1
