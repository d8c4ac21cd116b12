"""Training and tuning do not ask what kind of model they have."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import seqtutor as st
from own_model import Attention, AttentionSettings, Shifted, attention
from seqtutor.errors import UserError
from seqtutor.proof import exact
from seqtutor.training.pretrain import Sequences, new_model, train_by_maximum_likelihood
from seqtutor.training.pretrain_settings import PretrainSettings
from seqtutor.training.run import run_tutor
from seqtutor.training.seeds import run_seeds
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import Tutor
from tiny_problems import identical, prior, task, vocabulary

LENGTH = 4


def tutor_of(model, method="g", **settings):
    usual = {"environments": 32, "batch": 32, "replay_capacity": 1024, "value_scale": 5.0}
    usual |= {"discount": 1.0, "learning_rate": 5e-3, "learning_rate_final_share": 0.0, "c": 0.5}
    usual |= {"steps": 32 * LENGTH * 150, "log_every": 32 * LENGTH * 75}
    return Tutor(task(3, LENGTH), model, TutorSettings.of(method, **usual | settings))


def test_g_learns_the_optimum_with_a_model_that_knows_no_positions():
    """The rewards are of positions, and the first policy, with a new readout, is the prior."""
    model = Attention(3, AttentionSettings(16), jax.random.key(0))
    tutor = tutor_of(model)
    problem = exact.enumerate_problem(model, tutor.task.reward, LENGTH, end=None)
    best = exact.optimum(problem, c=0.5).log_policy
    first = exact.policy_table(problem, tutor.policy(tutor.initial_state().network))
    for found, expected in zip(first, problem.log_prior, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert exact.kl_divergence(problem, first, best) > 2.0
    learned = exact.policy_table(problem, run_tutor(tutor).policy)
    assert exact.kl_divergence(problem, learned, best) < 0.05


def alternating(number):
    tokens = (np.arange(6) + np.arange(number)[:, None]) % 3
    return Sequences(tokens.astype(np.int32), np.ones(tokens.shape, bool))


def test_maximum_likelihood_trains_a_model_of_ones_own():
    settings = PretrainSettings.of(Attention, width=8, batch=16, epochs=20, learning_rate=2e-2)
    data = alternating(64)
    start = new_model(vocabulary(3), settings)
    trained = train_by_maximum_likelihood(start, data, data, settings)
    losses = [epoch.validation_loss for epoch in trained.epochs]
    # The first token is one of three; the others follow from it.
    assert losses[0] > 0.8
    assert min(losses) < np.log(3) / 6 + 0.2


def test_python_takes_the_class_itself(tmp_path):
    words = ["abca", "bcab", "cabc"] * 20
    letters = st.Task(st.Vocabulary("abc"), 4, lambda tokens, mask: {"a": tokens == 0})
    prior_of_words = st.pretrain(letters, words, model=Attention, width=4, epochs=1, batch=16)
    assert prior_of_words.model.settings == AttentionSettings(width=4)
    prior_of_words.save(tmp_path / "prior")
    loaded = st.Generator.load(tmp_path / "prior", kinds=[Attention])
    assert identical(loaded.model, prior_of_words.model)
    with pytest.raises(st.UserError, match="no setting 'hidden_sizes' where the model"):
        st.pretrain(letters, words, model=Attention, hidden_sizes=(4,))
    with pytest.raises(st.UserError, match=r"the model \(Attention\) is not a class derived from"):
        st.pretrain(letters, words, model=prior_of_words.model)


QUICK = {"environments": 16, "steps": 16 * 4 * 3, "log_every": 16 * 4}


@pytest.mark.parametrize("method", ["g", "psi", "q", "rloo"])
def test_a_model_of_ones_own_goes_all_the_way_with_every_family_of_methods(method, tmp_path):
    """Made by hand, tuned in a folder, which loads the prior in turn, saved, loaded and sampled."""
    letters = st.Task(st.Vocabulary("abc"), 4, lambda tokens, mask: {"a": tokens == 0})
    prior_by_hand = st.Generator(attention(), letters.vocabulary, 4)
    chosen = QUICK | ({} if method == "rloo" else {"batch": 16, "replay_capacity": 64})
    tuned = st.tune(prior_by_hand, letters, method=method, output=tmp_path / "run", **chosen)
    again = st.load(tmp_path / "run", kinds=[Attention])
    assert identical(again.model, tuned.model)
    assert not identical(tuned.model, prior_by_hand.model.as_policy_start(4))
    assert again.records == tuned.records
    assert len(again.records) == 3
    assert again.sample(3) == tuned.sample(3)
    assert st.evaluate(again, letters, prior=prior_by_hand, number=50).estimates["kl"].value > 0
    for policy in (again, tuned):
        with pytest.raises(st.UserError, match="name the prior"):
            st.evaluate(policy, letters, number=50)


def test_a_model_whose_two_ways_differ_is_refused_before_anything_is_learned(tmp_path):
    model, learned = attention(kind=Shifted), []
    letters = task(3, LENGTH)
    by_hand = st.Generator(model, letters.vocabulary, LENGTH)
    grid = {"methods": ["rloo"], "c": [1.0], "steps": 512, "number": 20}
    data, settings = alternating(16), PretrainSettings(batch=16, epochs=1)
    tutor = tutor_of(model, "psi")
    starts = [
        lambda: train_by_maximum_likelihood(model, data, data, settings, learned.append),
        lambda: run_tutor(tutor, learned.append),
        lambda: run_seeds(tutor, [0, 1], lambda seed, record: learned.append(record)),
        lambda: st.tune(by_hand, letters, output=tmp_path / "run", on_record=learned.append),
        lambda: st.compare(by_hand, letters, output=tmp_path / "comparison", **grid),
    ]
    for start in starts:
        with pytest.raises(UserError, match=r"'shifted attention' .* largest difference"):
            start()
    assert not learned


def test_the_check_of_a_model_does_not_change_a_run():
    tutor = tutor_of(prior(3, hidden=(4,)), "psi", steps=32 * LENGTH * 2)
    state, _ = tutor.advance(tutor.initial_state(), tutor.iterations)
    assert identical(run_tutor(tutor).policy, tutor.policy(state.network))
