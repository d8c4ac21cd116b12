from __future__ import annotations

from functools import cache

import jax
import numpy as np

from seqtutor.measures.bleu import self_bleu, sentence_bleu
from seqtutor.measures.likeness import likeness, sampled_entropy
from seqtutor.proof import exact
from seqtutor.training.rollout import generate
from tiny_problems import bigram_reward, prior

SIZE, LENGTH, END = 3, 4, 2


def model():
    return prior(SIZE, hidden=(4,))


@cache
def samples():
    return generate(model(), jax.random.key(0), 3000, LENGTH, end=END)


def test_the_entropy_is_that_of_the_enumerated_distribution():
    """Nats a token: the entropy of whole sequences over their mean length."""
    problem = exact.enumerate_problem(model(), bigram_reward(SIZE, LENGTH), LENGTH, end=END)
    sequences = exact.distinct_sequences(problem)
    log_chances = sequences.along(problem.log_prior).sum(axis=1)
    chances = np.exp(log_chances)
    expected = -(chances * log_chances).sum() / (chances * sequences.mask.sum(axis=1)).sum()
    found = sampled_entropy(model(), samples())
    np.testing.assert_allclose([found.entropy, found.surprise], expected, rtol=0.04)


def test_the_last_part_of_the_samples_counts_once():
    """One whole part and one that is filled up, against halves of another size."""
    few = samples()[:70]
    alone = [sampled_entropy(model(), few[at : at + 35]) for at in (0, 35)]
    lengths = np.asarray(few.mask).sum(axis=1).reshape(2, 35).sum(axis=1)
    expected = np.average(alone, axis=0, weights=lengths)
    np.testing.assert_allclose(sampled_entropy(model(), few), expected, rtol=1e-4)


def test_the_columns_of_the_table():
    held_out, generated = samples()[:50], samples()[50:80]
    found = likeness(model(), held_out, generated)
    surprise = sampled_entropy(model(), held_out).surprise
    np.testing.assert_allclose(found.cross_entropy, surprise, rtol=1e-5)
    arrays = [np.asarray(a) for b in (generated, held_out) for a in (b.tokens, b.mask)]
    assert found.bleu == sentence_bleu(*arrays).mean()
    assert found.self_bleu == self_bleu(*arrays[:2])
    assert 0 < found.corpus_bleu <= 1


def test_samples_are_the_same_however_many_are_asked_for_at_once():
    """Whole batches of one size, cut to the number."""
    some = generate(model(), jax.random.key(1), 10, LENGTH, end=END, batch=4)
    more = generate(model(), jax.random.key(1), 12, LENGTH, end=END, batch=4)
    np.testing.assert_array_equal(some.tokens, more.tokens[:10])
    assert some.mask.shape == (10, LENGTH)
