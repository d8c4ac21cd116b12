"""The game from Python, for a task of one's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import seqtutor as st
from seqtutor.adversarial.settings import (
    DiscriminationSettings,
    DiscriminatorSettings,
    GameSettings,
)
from tiny_problems import identical

RULES = GameSettings(
    rounds=3,
    first_rounds=2,
    generated=64,
    discriminator=DiscriminatorSettings(embedding_size=4, widths=(1, 2), filters=(8, 8)),
    discrimination=DiscriminationSettings(batch=16, learning_rate=1e-2),
)


def vowels(tokens, mask):
    return {"vowels": np.isin(tokens, [0]).sum(axis=1)}


TASK = st.Task(st.Vocabulary("abc.", end_token="."), 8, vowels, "words")


@pytest.fixture(scope="module")
def words():
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("abc"), rng.integers(1, 7))) for _ in range(200)]


@pytest.fixture(scope="module")
def prior(words):
    return st.pretrain(TASK, words, hidden_sizes=(8,), epochs=2, batch=64)


def test_a_game_gives_both_players(prior, words):
    told = []
    played = st.play(prior, TASK, words, game=RULES, environments=16, on_record=told.append)
    assert told == played.generator.records
    assert [record["round"] for record in told] == [1, 2, 3, 4, 5]
    assert not identical(played.generator.model, prior.model)
    assert played.generator.sample(2)
    # The discriminator is a reward for any task of its vocabulary, beside others or alone.
    judged = st.Task(TASK.vocabulary, 8, played.reward(weight=0.5))
    tuned = st.tune(prior, judged, method="rloo", steps=1000, environments=16)
    assert "reward/discriminator" in tuned.records[-1]


def test_a_game_in_a_folder_is_that_in_memory_and_is_played_once(prior, words, tmp_path):
    options = {"game": RULES, "environments": 16, "method": "psi", "batch": 16}
    options |= {"replay_capacity": 64}
    apart = st.play(prior, TASK, words, **options)
    first = st.play(prior, TASK, words, output=tmp_path / "game", **options)
    assert identical(apart.generator.model, first.generator.model)
    assert identical(apart.discriminator.model, first.discriminator.model)
    made = (tmp_path / "game" / "model" / "config.json").stat().st_mtime_ns
    again = st.play(prior, TASK, words, output=tmp_path / "game", **options)
    assert identical(again.generator.model, first.generator.model)
    assert (tmp_path / "game" / "model" / "config.json").stat().st_mtime_ns == made
    reward = st.Task(TASK.vocabulary, 8, st.discriminator_reward(tmp_path / "game")).reward
    assert list(reward.terms(np.zeros((2, 8), int), np.ones((2, 8), bool))) == ["discriminator"]
    options["game"] = replace(RULES, rounds=4)
    with pytest.raises(st.UserError, match=r"adversary\.rounds"):
        st.play(prior, TASK, words, output=tmp_path / "game", **options)


def test_the_tasks_own_reward_counts_as_much_as_it_is_given(prior, words):
    rules = replace(RULES, task_weight=1.0, source="constant", rounds=12)
    options = {"game": rules, "environments": 64, "learning_rate": 3e-2}
    played = st.play(prior, TASK, words, **options)
    rewards = [r["reward/vowels"] for r in played.generator.records if "reward/vowels" in r]
    assert np.mean(rewards[-3:]) > 1.2 * np.mean(rewards[:3])


def test_a_prior_of_other_tokens_is_refused(prior, words):
    other = st.Task(st.Vocabulary("xyz.", end_token="."), 8, vowels)
    with pytest.raises(st.UserError, match="another vocabulary"):
        st.play(prior, other, words)
