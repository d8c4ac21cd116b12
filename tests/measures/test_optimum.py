"""What is said of the optimum itself, held against the enumeration of every sequence."""

import jax
import numpy as np
import pytest

from seqtutor.measures.optimum import log_masses, optimum_of
from seqtutor.measures.particles import particles
from seqtutor.measures.proposals import Untwisted
from seqtutor.proof import exact
from tiny_problems import prior, task

SIZE, LENGTH = 3, 5
PRIOR, TASK = prior(SIZE, scale=2.0), task(SIZE, LENGTH, has_end=True)
WHOLE = exact.enumerate_problem(PRIOR, TASK.reward, LENGTH, end=SIZE - 1)


def law_at(c):
    best = exact.optimum(WHOLE, c=c)
    log_law = exact.distinct_sequences(WHOLE).along(best.log_policy).sum(axis=1)
    return best.log_partition, log_law


def swept(c, groups, size, seed=0):
    key = jax.random.key(seed)
    return particles(Untwisted(PRIOR), TASK, c, groups=groups, size=size, key=key, stages=5)


@pytest.mark.parametrize("c", [0.3, 2.0])
def test_entropy_and_distinct_share_are_those_of_the_enumerated_optimum(c):
    log_z, log_law = law_at(c)
    law = np.exp(log_law)
    number = 50
    found = optimum_of(swept(c, 64, 64), c, number)
    assert found.log_z == pytest.approx(log_z, abs=0.03)
    assert found.log_mass <= log_z + 1e-4, "the mass of different sequences is part of Z"
    assert found.entropy.value == pytest.approx(float(-(law * log_law).sum()), abs=0.08)
    expected = float((1 - (1 - law) ** number).sum()) / number
    assert found.distinct.value == pytest.approx(expected, rel=0.05)


def test_the_particles_own_weights_tell_the_same_where_few_sequences_are_met():
    """Two groups of few particles: their mass is far below Z, and the weights have the say."""
    c = 2.0
    _, log_law = law_at(c)
    entropies, errors = [], []
    for seed in range(24):
        found = optimum_of(swept(c, 8, 4, seed), c, 50)
        if found.log_mass < found.log_z:
            entropies.append(found.entropy.value)
            errors.append(found.entropy.standard_error)
    assert len(entropies) > 10
    truth = float(-(np.exp(log_law) * log_law).sum())
    assert np.mean(entropies) == pytest.approx(truth, abs=0.4)
    assert 0.3 < np.mean(errors) / np.std(entropies) < 3


def test_every_sequence_counts_once():
    found = swept(1.0, 64, 64)
    masses = log_masses([found, found], 1.0)
    different = np.unique(found.tokens.reshape(-1, LENGTH), axis=0)
    assert len(masses) == len(different)


def test_a_search_finds_the_peak_that_particles_miss():
    """Few particles at a small c, with and without those of a still smaller one."""
    c = 0.2
    log_z, log_law = law_at(c)
    found = swept(c, 8, 4)
    alone = optimum_of(found, c, 1000)
    with_search = optimum_of(found, c, 1000, [swept(c / 2, 64, 64)])
    assert alone.log_mass < with_search.log_mass
    assert with_search.log_z == pytest.approx(log_z, abs=0.05)
    truth = float(-(np.exp(log_law) * log_law).sum())
    assert with_search.entropy.value == pytest.approx(truth, abs=0.05)
    assert with_search.distinct.value < 0.1
