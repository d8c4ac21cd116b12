"""Sequential Monte Carlo, held against the enumeration of every sequence."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.measures.particles import draw_by_particles, particles, systematic
from seqtutor.measures.proposals import Twisted, Untwisted
from seqtutor.models.action_values import ActionValueNetwork
from seqtutor.models.base import SequenceModel
from seqtutor.proof import exact
from tiny_problems import prior, task

SIZE, LENGTH, C = 3, 4, 0.6
PRIOR, OTHER = prior(SIZE, scale=2.0), prior(SIZE, seed=8, scale=2.0)
TASK = task(SIZE, LENGTH, has_end=True)


@functools.cache
def problem():
    return exact.enumerate_problem(PRIOR, TASK.reward, LENGTH, end=SIZE - 1)


@functools.cache
def best():
    return exact.optimum(problem(), c=C)


@functools.cache
def law():
    """Every sequence with its probability under π*."""
    sequences = exact.distinct_sequences(problem())
    log_law = sequences.along(best().log_policy).sum(axis=1)
    return {tuple(row): float(p) for row, p in zip(sequences.tokens, np.exp(log_law), strict=True)}


def shares_of(tokens):
    rows, counts = np.unique(tokens, axis=0, return_counts=True)
    found = dict.fromkeys(law(), 0.0)
    found.update((tuple(row), count / len(tokens)) for row, count in zip(rows, counts, strict=True))
    return found


PROPOSALS = {"prior": Untwisted(PRIOR), "another policy": Untwisted(PRIOR, OTHER)}


@pytest.mark.parametrize(("name", "stages"), [("prior", 4), ("another policy", 1)])
def test_the_estimate_of_z_is_unbiased_for_few_particles(name, stages):
    """Whatever the proposal, and whether or not groups are resampled."""
    found = particles(
        PROPOSALS[name], TASK, C, groups=4096, size=4, key=jax.random.key(1), stages=stages
    )
    ratios = np.exp(found.log_z - best().log_partition)
    assert ratios.mean() == pytest.approx(1.0, abs=4 * ratios.std() / math.sqrt(len(ratios)))
    assert ratios.std() > 0.1, "the mean is not one because each of them is"


def test_one_of_many_particles_has_the_law_of_the_optimum():
    drawn = draw_by_particles(Untwisted(PRIOR, OTHER), TASK, C, number=1500, size=200, seed=2)
    shares = shares_of(drawn.tokens)
    for row, probability in law().items():
        error = math.sqrt(probability * (1 - probability) / len(drawn))
        assert shares[row] == pytest.approx(probability, abs=4.5 * error + 0.002)


def test_few_particles_stand_as_far_off_as_the_bound_says():
    """KL(π_N‖π*) ≤ log Z − E[log Ẑ], and both fall with N."""
    before = math.inf
    for size in (1, 32):
        drawn = draw_by_particles(Untwisted(PRIOR), TASK, C, number=3000, size=size, seed=3)
        shares = shares_of(drawn.tokens)
        divergence = sum(
            share * math.log(share / law()[row]) for row, share in shares.items() if share
        )
        gap = best().log_partition - float((drawn.reward / C - drawn.kl).mean())
        assert divergence <= gap + 0.02
        assert gap < before
        before = gap
    assert before < 0.3


def test_the_rewards_and_the_prior_are_those_of_the_sequences():
    drawn = draw_by_particles(Untwisted(PRIOR, OTHER), TASK, C, number=60, size=32, seed=4)
    earned = TASK.reward(jnp.asarray(drawn.tokens), jnp.asarray(drawn.mask)).total
    np.testing.assert_allclose(drawn.reward, np.asarray(earned).sum(axis=1), atol=1e-5)
    ended = drawn.tokens == SIZE - 1
    before = np.cumsum(ended, axis=1) - ended
    np.testing.assert_array_equal(drawn.mask, before == 0)
    sequences = exact.distinct_sequences(problem())
    log_prior = sequences.along(problem().log_prior).sum(axis=1)
    known = {tuple(row): one for row, one in zip(sequences.tokens, log_prior, strict=True)}
    expected = [known[tuple(row)] for row in drawn.tokens]
    np.testing.assert_allclose(drawn.log_prior, expected, atol=1e-4)
    assert np.isnan(drawn.entropy).all()


class Table(SequenceModel):
    """Logits of every prefix from a table, as a network that has learned them exactly."""

    levels: list
    kind = "table"

    def __init__(self, levels):
        self.levels = [jnp.asarray(level, jnp.float32) for level in levels]
        self.vocabulary_size, self.feature_size = SIZE, SIZE + 1

    def initial_state(self, batch, length):
        return jnp.zeros(batch, jnp.int32), jnp.zeros((), jnp.int32)

    def advance(self, state, tokens):
        cell, position = state
        cell = jnp.where(position == 0, 0, cell * SIZE + jnp.minimum(tokens, SIZE - 1))
        rows = [level[jnp.minimum(cell, len(level) - 1)] for level in self.levels]
        return (cell, position + 1), jnp.stack(rows)[jnp.minimum(position, LENGTH - 1)]

    def readout(self, features):
        return features[..., :SIZE]


def test_with_the_optimums_own_values_no_weight_ever_changes():
    """Ψ's action values less V are the logits, V the scalar: then every Ẑ is Z."""
    solution = best()
    levels = [
        np.concatenate([actions - values[:, None], values[:, None]], axis=1)
        for actions, values in zip(solution.action_values, solution.state_values, strict=True)
    ]
    network = ActionValueNetwork(Table(levels), 1.0)
    object.__setattr__(network, "value_weight", jnp.eye(SIZE + 1)[SIZE])
    twisted = Twisted(PRIOR, network, jnp.ones(()), "psi")
    found = particles(twisted, TASK, C, groups=4, size=16, key=jax.random.key(5), stages=4)
    np.testing.assert_allclose(found.log_weights, solution.log_partition, atol=2e-4)
    assert len({tuple(row) for row in found.tokens.reshape(-1, LENGTH)}) > 3


def test_a_wrong_twist_does_not_bias_the_estimate():
    network = ActionValueNetwork(OTHER, 1.0)
    object.__setattr__(network, "value_weight", jnp.full(OTHER.feature_size, 0.3))
    twisted = Twisted(PRIOR, network, jnp.asarray(2.0), "psi")
    found = particles(twisted, TASK, C, groups=4096, size=4, key=jax.random.key(6), stages=4)
    ratios = np.exp(found.log_z - best().log_partition)
    assert ratios.mean() == pytest.approx(1.0, abs=4 * ratios.std() / math.sqrt(len(ratios)))


def test_forced_tokens_condition_the_target():
    """Log Ẑ of sequences that begin with a token is the soft value of that beginning."""
    forced = np.tile(np.array([[0], [1]], np.int32), (500, 1))
    drawn = draw_by_particles(
        Untwisted(PRIOR), TASK, C, number=1000, size=64, seed=7, forced=forced
    )
    np.testing.assert_array_equal(drawn.tokens[:, :1], forced)
    for token in (0, 1):
        own = drawn[np.flatnonzero(forced[:, 0] == token)]
        beginning = best().state_values[1][token] + problem().rewards[0][0, token] / C
        estimate = float(np.log(np.mean(np.exp(own.reward / C - own.kl))))
        assert estimate == pytest.approx(beginning, abs=0.06)


def test_systematic_resampling_takes_each_as_often_as_its_weight():
    weights = jnp.log(jnp.array([[0.7, 0.1, 0.1, 0.1] * 5, [0.25] * 20]))
    keys = jax.random.split(jax.random.key(0), 100)
    drawn, is_uneven = jax.vmap(lambda key: systematic(weights, key, share=0.7))(keys)
    assert bool(is_uneven[:, 0].all())
    assert not bool(is_uneven[:, 1].any())
    counts = (np.asarray(drawn[:, 0])[..., None] == np.arange(20)).sum(axis=1)
    expected = 20 * np.asarray(jax.nn.softmax(weights[0]))
    assert (np.abs(counts - expected) < 1).all(), "systematic: no count is off by one or more"
    np.testing.assert_allclose(counts.mean(axis=0), expected, atol=0.2)
    assert (np.asarray(drawn[:, 1]) == np.arange(20)).all(), "equal weights are left alone"
