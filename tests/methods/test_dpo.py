"""Direct preference optimisation: its optimum, and where it stands in the loop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.comparisons import ComparedSequences
from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.methods.base import Experience
from seqtutor.methods.dpo import implicit_utilities, loss
from seqtutor.models.action_values import ValuedLogits
from seqtutor.objectives.paired_comparison import vote_log_likelihood
from seqtutor.proof import exact
from seqtutor.proof.problems import PROBLEMS, enumeration, votes_on
from seqtutor.proof.verify import Case, check
from seqtutor.training.iteration import rows_to_learn
from seqtutor.training.plan import experience_of_votes
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import identical, prior, task

C, LENGTH = 0.5, 4
WORDS = PROBLEMS["words"]


def compared(number=6, seed=0):
    random = np.random.default_rng(seed)
    shape = (number, LENGTH)
    sides = [
        Sequences(random.integers(0, 3, shape).astype(np.int32), np.ones(shape, bool))
        for _ in range(2)
    ]
    return ComparedSequences(*sides, random.choice([0.0, 0.5, 1.0], number))


def settings_of(**changes):
    small = {"environments": 4, "updates": 2, "batch": 3, "steps": 64, "c": C}
    return TutorSettings.of("dpo", **{**small, **changes})


def a_tutor(**changes):
    return Tutor(task(3, LENGTH), prior(3, hidden=(4,)), settings_of(**changes), votes=compared())


def test_at_the_optimum_the_implicit_utilities_are_those_of_the_listener():
    """û = u + a constant for π ∝ p·exp(u/c), and for no other policy."""
    whole = enumeration(WORDS)
    found = exact.distinct_sequences(whole)
    best = exact.optimum(whole, c=WORDS.c).log_policy
    rows = np.arange(LENGTH)
    logits = np.stack([best[t][found.prefixes[:, t]] for t in rows], axis=1)
    experience = Experience(
        jnp.asarray(found.tokens),
        jnp.asarray(found.mask),
        jnp.zeros(found.mask.shape),
        jnp.asarray(found.along(whole.log_prior)),
    )
    output = ValuedLogits(jnp.asarray(logits), jnp.zeros(found.mask.shape))
    implicit = implicit_utilities(output, experience, WORDS.c)
    utilities = found.along(whole.rewards).sum(axis=1)
    np.testing.assert_allclose(np.ptp(implicit - utilities), 0.0, atol=1e-4)


@pytest.mark.parametrize(("tie", "bias"), [(0.0, 0.0), (0.7, 0.4)])
def test_the_expected_loss_is_least_at_the_listeners_utilities(tie, bias):
    """Over what infinitely many votes say of all pairs: the gradient is zero, the curvature not."""
    votes = votes_on(WORDS, tie, bias)
    whole = enumeration(WORDS)
    found = exact.distinct_sequences(whole)
    utilities = found.along(whole.rewards).sum(axis=1)
    row = {tuple(tokens): at for at, tokens in enumerate(found.tokens.tolist())}
    left, right = (
        jnp.array([row[tuple(tokens)] for tokens in side.tokens.tolist()])
        for side in (votes.left, votes.right)
    )

    def expected(values):
        likelihoods = vote_log_likelihood(
            jnp.asarray(votes.scores),
            values[left] - values[right],
            None if tie == 0 else np.log(tie),
            bias,
        )
        return -jnp.mean(likelihoods)

    with jax.enable_x64(True):
        at_truth = jax.jit(jax.grad(expected))(jnp.asarray(utilities))
        elsewhere = jax.jit(jax.grad(expected))(jnp.asarray(1.2 * utilities))
    np.testing.assert_allclose(at_truth, 0.0, atol=1e-6)
    assert np.abs(elsewhere).max() > 1e-4


def test_training_reaches_the_optimum_from_votes_with_ties_and_a_bias():
    outcome = check(Case(WORDS, "dpo", variant="with ties and a bias"))
    assert outcome.verdict == "pass"
    assert outcome.distance < 0.005


def test_the_loss_of_the_prior_is_that_of_a_coin():
    """A vote that decides costs log 2, and nothing depends on what the votes are on."""
    tutor = a_tutor(tie=0.0)
    state = tutor.initial_state()
    experience = state.replay.stored
    output = state.network.unroll(experience.tokens)
    found = loss(output, output, experience, tutor.settings)
    assert float(found) == pytest.approx(np.log(2), abs=1e-4)


def test_the_votes_stay_as_they_are_and_whole_pairs_are_drawn():
    tutor = a_tutor()
    state = tutor.initial_state()
    rows = np.asarray(rows_to_learn(tutor, state.replay, jax.random.key(0)))
    assert rows.shape == (2, 6)
    np.testing.assert_array_equal(rows[:, 3:], 6 + rows[:, :3])
    assert sorted(rows[:, :3].ravel().tolist()) == list(range(6)), "each vote once a pass"
    kept = jax.tree.map(jnp.copy, state.replay)
    after, metrics = tutor.advance(state, 4)
    assert identical(after.replay.stored, kept.stored)
    assert metrics["kl"][0] == pytest.approx(0.0, abs=1e-5)
    assert (metrics["kl"][1:] > 0).all()


def test_each_sequence_earns_its_share_of_the_vote():
    found = experience_of_votes(compared(), prior(3, hidden=(4,)))
    shares = np.asarray(found.rewards).sum(axis=1)
    np.testing.assert_allclose(shares[:6], compared().scores)
    np.testing.assert_allclose(shares[:6] + shares[6:], 1.0)


def test_what_it_cannot_do_is_said_in_a_line():
    with pytest.raises(UserError, match="dpo learns from votes: name a file of them with --votes"):
        Tutor(task(3, LENGTH), prior(3, hidden=(4,)), settings_of())
    with pytest.raises(UserError, match="on one device: leave out --devices"):
        Tutor(task(3, LENGTH), prior(3, hidden=(4,)), settings_of(), votes=compared(), devices=2)
    with pytest.raises(UserError, match="votes are on sequences of 4 tokens; the task has up to 5"):
        Tutor(task(3, 5), prior(3, hidden=(4,)), settings_of(), votes=compared())
