"""The game of generator and discriminator: its rounds, records, controls and resuming."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.adversarial.game import (
    Game,
    OldSamples,
    play_rounds,
    recompute_rewards,
)
from seqtutor.adversarial.settings import (
    DiscriminationSettings,
    DiscriminatorSettings,
    GameSettings,
)
from seqtutor.adversarial.training import cross_entropy, logits_of, train_epoch
from seqtutor.errors import UserError
from seqtutor.rewards import compiled
from seqtutor.runs.checkpoint import Checkpoints
from seqtutor.runs.run_folder import RunFolder
from seqtutor.runs.run_on_disk import StoppedError, play_on_disk
from seqtutor.task import Task
from seqtutor.training.rollout import generate
from seqtutor.training.run import DivergedError
from seqtutor.training.settings import TutorSettings
from seqtutor.training.tutor import _advance
from seqtutor.types import SequenceBatch
from tiny_problems import identical, prior, vocabulary

SIZE, LENGTH = 3, 4
SETTINGS = GameSettings(
    rounds=3,
    first_rounds=1,
    generator_iterations=2,
    generated=32,
    old_share=0.25,
    old_rounds=2,
    shape="prefix",
    diagnose_every=2,
    discriminator=DiscriminatorSettings(embedding_size=4, widths=(1, 2), filters=(4, 4)),
    discrimination=DiscriminationSettings(batch=16, learning_rate=1e-2),
)
TUTORING = TutorSettings.of("psi", c=1.0, environments=8, batch=8, replay_capacity=32, updates=2)


@compiled
def unrewarded(tokens, mask):
    return {"nothing": jnp.zeros(len(tokens))}


def model():
    return prior(SIZE, hidden=(4,))


@cache
def data():
    """Another model's sequences."""
    batch = generate(prior(SIZE, seed=11, hidden=(4,)), jax.random.key(5), 64, LENGTH, end=SIZE - 1)
    return batch[:40], batch[40:]


def new_game(method="psi", *, seed=0, reward=unrewarded, **changes):
    tutoring = TUTORING
    if method != "psi":
        tutoring = TutorSettings.of(method, c=1.0, environments=8)
    return Game(
        Task(vocabulary(SIZE, has_end=True), LENGTH, reward),
        model(),
        *data(),
        replace(tutoring, seed=seed),
        replace(SETTINGS, **changes),
    )


def without_time(records):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


@cache
def game():
    """Every state of a whole game, copied, and its records."""
    found = [(jax.tree.map(jnp.copy, one.state), one.record) for one in play_rounds(new_game())]
    return [state for state, _ in found], [record for _, record in found]


def test_a_game_is_its_rounds():
    """The first ones are the discriminator's; the tutor's own measures come with its turns."""
    states, records = game()
    assert [record["round"] for record in records] == [1, 2, 3, 4]
    tokens = 2 * 8 * LENGTH
    assert [record["step"] for record in records] == [0, tokens, 2 * tokens, 3 * tokens]
    assert "reward/logit" not in records[0]
    assert all("reward/logit" in record for record in records[1:])
    for record in records:
        assert record["discriminator/learned"] == 1.0
        assert 0 <= record["discriminator/precision"] <= 1
        assert record["discriminator/loss"] > 0
        assert ("likeness/bleu" in record) == (record["round"] % 2 == 0)
    assert int(states[-1].tutor.iteration) == 6
    assert int(states[-1].old.filled) == 16


def test_the_generator_learns_from_the_discriminator_of_the_round_before():
    """Psi's rewards in the replay, recomputed: those of the newest round by its judge."""
    states, _ = game()
    tutor = new_game().tutor
    before, after = states[1], states[2]
    stored = after.tutor.replay.stored
    expected = tutor.task.reward(stored.tokens, stored.mask, before.discriminator.discriminator)
    np.testing.assert_allclose(stored.rewards, expected.total, atol=1e-5)
    # Sequences of the round before are among them, and were paid otherwise then.
    older = before.tutor.replay.stored
    np.testing.assert_array_equal(older.tokens[:16], stored.tokens[:16])
    assert not np.allclose(older.rewards[:16], stored.rewards[:16])


def test_recomputing_changes_rewards_alone():
    states, _ = game()
    replay = states[2].tutor.replay
    tutor = replace(new_game().tutor, reward_parameters=states[2].discriminator.discriminator)
    again = recompute_rewards(tutor, replay)
    same = eqx.tree_at(lambda r: r.stored.rewards, again, replay.stored.rewards)
    assert identical(same, replay)
    assert not identical(again, replay)
    assert identical(recompute_rewards(tutor, again), again)


def test_rounds_share_one_compiled_program():
    before = _advance._cache_size(), train_epoch._cache_size()
    list(play_rounds(new_game(seed=1)))
    game()
    assert _advance._cache_size() <= before[0] + 1
    assert train_epoch._cache_size() <= before[1] + 1


def test_a_game_is_determined_by_its_seed():
    again = list(play_rounds(new_game()))
    assert identical(again[-1].state, game()[0][-1])
    assert without_time([one.record for one in again]) == without_time(game()[1])
    other = list(play_rounds(new_game(seed=1)))
    assert not identical(other[-1].state.discriminator, game()[0][-1].discriminator)


def test_a_game_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    states, records = game()
    checkpoints = Checkpoints(tmp_path, "settings")
    checkpoints.save(states[1], 2)
    found = checkpoints.latest(new_game())
    assert identical(found.state, states[1])
    rest = list(play_rounds(new_game(), found.state, records[:2]))
    assert identical(rest[-1].state, states[-1])
    assert without_time([one.record for one in rest]) == without_time(records[2:])
    assert rest[0].record["seconds"] > records[1]["seconds"]


@pytest.mark.parametrize("method", ["reinforce", "rloo", "g"])
def test_every_method_plays(method):
    """Whatever the shape of the reward; a generator that learns is no longer the prior."""
    shape = "rollouts" if method == "rloo" else "end"
    short = new_game(
        method, rounds=1, generator_iterations=1, shape=shape, term="probability", diagnose_every=0
    )
    last = list(play_rounds(short))[-1]
    assert last.record["reward/probability"] > 0
    assert not identical(last.state.tutor.network, short.initial_state().tutor.network)


def test_a_constant_reward_is_a_half_for_all_and_a_random_one_another_in_each_round():
    tokens, mask = data()[0].tokens, data()[0].mask
    for source in ("constant", "random"):
        control = new_game(source=source, term="probability", shape="end")
        states = [control.initial_state()]
        states.append(eqx.tree_at(lambda s: s.round, states[0], jnp.asarray(1, jnp.int32)))
        paid = [
            control.rewarded_task.reward(
                tokens, mask, control.reward_parameters(state, jax.random.key(0))
            ).total.sum(axis=1)
            for state in states
        ]
        if source == "constant":
            np.testing.assert_allclose(paid, 0.5)
        else:
            assert abs(np.corrcoef(*paid)[0, 1]) < 0.9
            assert np.std(paid[0]) > 0.1


def test_a_frozen_discriminator_learns_in_the_first_rounds_alone():
    found = [
        (jax.tree.map(jnp.copy, one.state.discriminator), one.record["discriminator/learned"])
        for one in play_rounds(new_game(source="frozen", first_rounds=2, rounds=2))
    ]
    assert [learned for _, learned in found] == [1.0, 1.0, 0.0, 0.0]
    assert identical(found[1][0], found[3][0])
    assert not identical(found[0][0], found[1][0])


def test_a_discriminator_that_is_right_too_often_waits():
    """Real sequences that no sample can be taken for: soon it is right every time."""
    real = SequenceBatch(jnp.zeros((40, LENGTH), jnp.int32), jnp.ones((40, LENGTH), bool))
    easy = replace(
        new_game(first_rounds=6, rounds=1, train_below=0.8, diagnose_every=0),
        real=real,
        held_out=real,
    )
    records = [one.record for one in play_rounds(easy)]
    for record in records:
        assert record["discriminator/learned"] == (record["discriminator/accuracy"] <= 0.8)
    assert records[0]["discriminator/learned"] == 1.0
    assert records[-1]["discriminator/learned"] == 0.0


def test_a_discriminator_that_learns_by_heart_is_taken_back():
    """Samples of the prior itself as the real ones: nothing but memory tells them apart."""
    real = generate(model(), jax.random.key(8), 64, LENGTH, end=SIZE - 1)
    fast = DiscriminationSettings(batch=16, learning_rate=0.3)
    rules = {"first_rounds": 6, "rounds": 1, "diagnose_every": 0, "discrimination": fast}
    games = [
        replace(new_game(**rules, only_better=flag), real=real[:32], held_out=real[32:])
        for flag in (True, False)
    ]
    state, kept = games[0].initial_state(), []
    for _ in range(6):
        before = jax.tree.map(jnp.copy, state.discriminator)
        state, metrics = games[0].play_round(state)
        after = state.discriminator
        kept.append(metrics["discriminator/learned"] == 1.0)
        assert identical(after.discriminator, before.discriminator) != kept[-1]
        assert identical(after.optimiser, before.optimiser) != kept[-1]
        assert not identical(after.key, before.key)
    assert not all(kept)

    always = games[1].initial_state()
    for _ in range(6):
        always, _ = games[1].play_round(always)
    unseen = [
        generate(model(), jax.random.key(seed), 4000, LENGTH, end=SIZE - 1) for seed in (9, 10)
    ]
    careful, careless = (
        cross_entropy(*(logits_of(one.discriminator.discriminator, part) for part in unseen))
        for one in (state, always)
    )
    assert careful < careless
    assert careful == pytest.approx(np.log(2), abs=0.1)


def test_old_samples_are_a_ring():
    def batch(*firsts):
        tokens = jnp.array([[first, 0] for first in firsts], jnp.int32)
        return SequenceBatch(tokens, jnp.ones(tokens.shape, bool))

    old = OldSamples(batch(0, 0, 0, 0), jnp.asarray(0), jnp.asarray(0))
    samples = batch(7, 8, 9)
    assert old.mixed_into(samples, 2, jax.random.key(0)) is samples
    for firsts in ((1, 2), (3, 4), (5, 6)):
        old = old.extended(batch(*firsts))
    assert old.stored.tokens[:, 0].tolist() == [5, 6, 3, 4]
    mixed = [old.mixed_into(samples, 2, jax.random.key(seed)).tokens[:, 0] for seed in range(30)]
    assert {int(row[0]) for row in mixed} == {9}
    assert {int(one) for row in mixed for one in row[1:]} == {3, 4, 5, 6}
    assert old.extended(samples[:0]) is old


def test_what_is_not_finite_ends_the_game_with_the_last_good_generator():
    broken = new_game(discrimination=DiscriminationSettings(batch=16, learning_rate=1e30))
    with pytest.raises(DivergedError, match="not finite") as error:
        list(play_rounds(broken))
    assert identical(error.value.last_good, broken.policy(broken.initial_state()))


def test_the_guards_of_the_tutor_end_the_game():
    guarded = new_game()
    guarded = replace(guarded, tutoring=replace(guarded.tutoring, stop_at_kl=1e-9))
    found = list(play_rounds(guarded))
    assert len(found) == 2
    assert "stopped at step" in found[-1].remark


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": "rollouts"}, "take too long"),
        ({"rollouts": 3}, "option of the shape rollouts"),
        ({"old_share": 0.0}, "old_rounds does nothing"),
        ({"train_below": 0.4}, "train_below"),
        ({"rounds": 0}, "rounds must be above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        new_game(**changes)


def test_sequences_of_two_widths_are_refused():
    one = new_game()
    short = SequenceBatch(one.held_out.tokens[:, :2], one.held_out.mask[:, :2])
    with pytest.raises(UserError, match=r"held-out sequences have 2 columns.*pad them"):
        replace(one, held_out=short)


def after(number):
    """Asks to stop after so many rounds."""
    answers = iter([False] * (number - 1) + [True])
    return lambda: next(answers)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_game_that_was_stopped_on_the_disk_goes_on_bit_for_bit(tmp_path, stop):
    """Also from the first rounds, in which the generator makes no step that would count them."""
    folder = RunFolder.start(tmp_path / "game", new_game().settings, {})
    with pytest.raises(StoppedError, match=f"round {stop}"):
        play_on_disk(new_game(), folder, is_to_stop=after(stop))
    assert [record["round"] for record in folder.records()] == list(range(1, stop + 1))
    state = play_on_disk(new_game(), folder)
    states, records = game()
    expected = states[-1]
    assert identical(new_game().policy(state), new_game().policy(expected))
    assert identical(state.discriminator.discriminator, expected.discriminator.discriminator)
    assert without_time(folder.records()) == without_time(records)


def test_records_after_the_last_checkpoint_are_forgotten(tmp_path):
    """Those of the first rounds bear the same step; the round tells them apart."""
    settings = {"first_rounds": 3}
    folder = RunFolder.start(tmp_path / "game", new_game(**settings).settings, {})
    with pytest.raises(StoppedError):
        play_on_disk(new_game(**settings), folder, is_to_stop=after(1))
    folder.append(folder.records()[-1] | {"round": 2})
    assert [record["step"] for record in folder.records()] == [0, 0]
    play_on_disk(new_game(**settings), folder)
    assert [record["round"] for record in folder.records()] == [1, 2, 3, 4, 5, 6]
    assert not folder.remarks()


def ones(tokens, mask):
    """A host reward of a user's: how many ones there are."""
    return {"ones": (np.asarray(tokens) == 1).sum(axis=1)}


@pytest.mark.parametrize("method", ["rloo", "psi"])
def test_a_tasks_own_reward_is_added_with_its_weight(method):
    with_own = new_game(method, reward=ones, task_weight=2.0, diagnose_every=0)
    records = [one.record for one in play_rounds(with_own)]
    assert all(record["reward/ones"] > 0 for record in records[1:])
    tokens, mask = data()[0].tokens, data()[0].mask
    state = with_own.initial_state()
    breakdown = with_own.rewarded_task.reward(tokens, mask, state.discriminator.discriminator)
    sums = np.asarray(breakdown.terms["ones"].sum(axis=1))
    np.testing.assert_array_equal(sums, 2.0 * ones(tokens, mask)["ones"])
    alone = new_game(method, diagnose_every=0)
    paid = alone.rewarded_task.reward(tokens, mask, state.discriminator.discriminator).total
    np.testing.assert_allclose(breakdown.total - breakdown.terms["ones"], paid, atol=1e-6)


def test_a_failure_of_the_tasks_own_reward_is_one_line():
    calls = []

    def fails(tokens, mask):
        calls.append(len(tokens))
        if len(calls) > 4:
            raise ZeroDivisionError("no such tune")
        return {"fails": np.zeros(len(tokens))}

    with pytest.raises(UserError, match=r"the reward failed: ZeroDivisionError: no such tune"):
        list(play_rounds(new_game(reward=fails, task_weight=1.0)))


def test_a_reward_with_a_memory_cannot_be_recomputed():
    class Novelty:
        def __call__(self, tokens, mask):
            return {"new": np.zeros(len(tokens))}

        def restart(self):
            pass

        def state(self):
            return None

        def restore(self, state):
            pass

    new_game(reward=Novelty())
    with pytest.raises(UserError, match="depends on earlier sequences"):
        new_game(reward=Novelty(), task_weight=1.0)
