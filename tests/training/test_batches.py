import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.training.batches import (
    WIDTH_STEP,
    WINDOW,
    batches_of_like_length,
    lengths_of,
    padded_width,
)

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=300).map(np.array)


@given(LENGTHS, st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_an_epoch_has_every_sequence_once_but_for_the_rest(lengths, batch, seed):
    rows = batches_of_like_length(lengths, batch, np.random.default_rng(seed))
    assert rows.shape == (len(lengths) // batch, batch)
    assert len(np.unique(rows)) == rows.size
    assert np.isin(rows, np.arange(len(lengths))).all()


@given(LENGTHS, st.integers(1, 20))
def test_a_batch_is_as_wide_as_its_longest_sequence_needs(lengths, batch):
    for rows in batches_of_like_length(lengths, batch, np.random.default_rng(0)):
        width = padded_width(lengths[rows], 60)
        assert lengths[rows].max() <= width <= min(60, lengths[rows].max() + WIDTH_STEP - 1)


def test_sequences_of_one_length_are_only_shuffled():
    rows = batches_of_like_length(np.full(103, 9), 10, np.random.default_rng(4))
    np.testing.assert_array_equal(rows.ravel(), np.random.default_rng(4).permutation(103)[:100])


def test_batches_of_like_length_waste_little_and_stay_mixed():
    # Lengths like those of MOSES: 36 tokens, give or take six.
    lengths = np.clip(np.random.default_rng(0).normal(36, 6, 40_000).round(), 13, 55).astype(int)
    rows = batches_of_like_length(lengths, 64, np.random.default_rng(1))
    tokens = lengths[rows].sum()
    padded = sum(64 * padded_width(lengths[one], 56) for one in rows)
    assert tokens / padded > 0.85
    assert tokens / (56 * rows.size) < 0.7, "what it would be without"
    # Long and short batches follow each other in no order.
    means = lengths[rows].mean(axis=1)
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.2
    assert means[:WINDOW].std() > 4
    other = batches_of_like_length(lengths, 64, np.random.default_rng(2))
    assert set(map(frozenset, rows.tolist())).isdisjoint(map(frozenset, other.tolist()))


@given(st.lists(st.integers(1, 7), min_size=1))
def test_lengths_are_where_the_mask_ends(lengths):
    mask = np.arange(7) < np.array(lengths)[:, None]
    assert lengths_of(mask).tolist() == lengths
