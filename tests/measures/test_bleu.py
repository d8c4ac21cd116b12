"""BLEU against NLTK 3.10's figures for the same sequences, and what any BLEU must do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.measures.bleu import corpus_bleu, self_bleu, sentence_bleu

REFERENCES = [[0, 1, 2, 3, 4, 5], [0, 1, 2, 0, 1, 2, 0], [3, 3, 3]]
SAMPLES = [
    [0, 1, 2, 3, 4, 5],
    [0, 1, 2, 0, 1],
    [3, 3, 3, 3, 3, 3, 3, 3],
    [5, 4, 3, 2, 1, 0],
    [9, 8, 9, 8],
    [3],
    [0, 1],
    [0, 0, 0, 0, 0],
    [7, 0, 1, 2, 9, 2, 0],
    [0, 9, 1, 9, 2, 9, 3, 9, 4],
]
# nltk.translate.bleu_score.sentence_bleu with SmoothingFunction().method4
AGAINST_REFERENCES = [
    1.0,
    0.8187307531,
    0.1650810304,
    0.0588368579,
    0.0,
    0.1353352832,
    0.1342789667,
    0.0491880131,
    0.2427916178,
    0.0384795863,
]
AGAINST_EACH_OTHER = [
    0.2779966826,
    0.3561792023,
    0.0285996172,
    0.0588368579,
    0.0565262485,
    0.3678794412,
    0.2213885886,
    0.0542869399,
    0.2758645382,
    0.1028173219,
]
CORPUS = 0.3129032423134248


def padded(sequences, filler=0):
    width = max(map(len, sequences))
    lengths = np.array([[len(one)] for one in sequences])
    rows = [one + [filler] * (width - len(one)) for one in sequences]
    return np.array(rows), np.arange(width) < lengths


@pytest.mark.parametrize("filler", [0, 3, 99])
def test_the_figures_are_nltks(filler):
    """Whatever is in the padding."""
    both = (*padded(SAMPLES, filler), *padded(REFERENCES, filler))
    np.testing.assert_allclose(sentence_bleu(*both), AGAINST_REFERENCES, atol=1e-9)
    assert corpus_bleu(*both) == pytest.approx(CORPUS, abs=1e-12)
    assert self_bleu(*padded(SAMPLES, filler)) == pytest.approx(np.mean(AGAINST_EACH_OTHER))


def test_by_hand():
    """Of 0 1 2 against 0 1 3: precisions 2/3, 1/2, (ln 3)/(5·2)/1, (ln 3)/(5·4)/1."""
    found = sentence_bleu(*padded([[0, 1, 2]]), *padded([[0, 1, 3]]))
    expected = (2 / 3 * 1 / 2 * math.log(3) / 10 * math.log(3) / 20) ** 0.25
    np.testing.assert_allclose(found, [expected])


sequences = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=7), min_size=2, max_size=5)


@settings(deadline=None)
@given(sequences)
def test_leaving_one_out_at_once_is_leaving_them_out_one_by_one(samples):
    """`self_bleu` works on second highest counts; here each sample meets the others themselves."""
    one_by_one = [
        sentence_bleu(*padded([one]), *padded(samples[:at] + samples[at + 1 :]))[0]
        for at, one in enumerate(samples)
    ]
    assert self_bleu(*padded(samples)) == pytest.approx(np.mean(one_by_one))


@settings(deadline=None)
@given(sequences)
def test_what_is_among_the_references_has_at_least_the_score_of_a_stranger(samples):
    own = sentence_bleu(*padded(samples), *padded(samples))
    others = sentence_bleu(*padded(samples), *padded([[7, 8], *samples[1:]]))
    assert (own >= others - 1e-12).all()
    assert ((own > 0) & (own <= 1 + 1e-12)).all()
    long = np.array([len(one) >= 4 for one in samples])
    np.testing.assert_allclose(own[long], 1.0)


def test_a_large_vocabulary_is_counted_without_overflow():
    big = np.array([[2**30, 2**30 + 1, 5, 2**31 - 1, 7]] * 2)
    assert self_bleu(big, np.ones_like(big, bool)) == pytest.approx(1.0)


def test_one_sample_has_no_others():
    with pytest.raises(ValueError, match="at least two"):
        self_bleu(*padded([[1, 2]]))
