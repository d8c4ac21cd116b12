"""A preference model: from votes to a reward, in a folder and out of it."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.comparisons import ComparedSequences
from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, save_model
from seqtutor.preferences.files import load_preference, load_votes, save_preference
from seqtutor.preferences.model import fit_preference
from seqtutor.preferences.reward import increments_by_length, preference_reward
from seqtutor.preferences.validation import FOLDS, parts_of_sequences, validate
from seqtutor.rewards import require_causal
from seqtutor.task import Task
from seqtutor.task_records import SequenceFeatures
from tiny_problems import prior, vocabulary

SIZE, LENGTH, VOTES = 4, 6, 240
WORDS = vocabulary(SIZE, has_end=True)
NETWORK = prior(SIZE, hidden=(5,))


def sequences(number, seed):
    random = np.random.default_rng(seed)
    mask = np.arange(LENGTH) < random.integers(2, LENGTH + 1, (number, 1))
    tokens = random.integers(0, SIZE - 1, mask.shape)
    is_last = mask & ~np.pad(mask[:, 1:], ((0, 0), (0, 1)))
    return Sequences(np.where(mask & ~is_last, tokens, SIZE - 1).astype(np.int32), mask)


def liking(found):
    """The share of ones."""
    return 4 * ((found.tokens == 1) & found.mask).sum(axis=1) / found.mask.sum(axis=1)


def votes(seed=0, number=VOTES, like=liking):
    left, right = sequences(number, 2 * seed), sequences(number, 2 * seed + 1)
    random = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(like(right) - like(left)))
    scores = np.where(random.random(number) < chance, 1.0, 0.0)
    scores[random.random(number) < 0.1] = 0.5
    return ComparedSequences(left, right, scores)


ONES = SequenceFeatures(
    ("ones",), lambda tokens, mask: jnp.cumsum((tokens == 1) & mask, axis=1)[..., None] / LENGTH
)


@pytest.fixture(scope="module")
def model():
    return fit_preference(votes(), WORDS, NETWORK, basis="both")


def test_it_prefers_what_the_listener_prefers(model):
    other = sequences(400, 99)
    utilities, deviations = model.of_prefixes(other.tokens, other.mask)
    last = other.mask.sum(axis=1) - 1
    own = np.asarray(utilities)[np.arange(400), last]
    assert np.corrcoef(own, liking(other))[0, 1] > 0.8
    assert (np.asarray(deviations) > 0).all()


@pytest.mark.parametrize("basis", ["features", "network", "both"])
@pytest.mark.parametrize("of_task", [None, ONES], ids=["of tokens", "of the task"])
def test_a_folder_holds_the_model_and_its_votes(basis, of_task, tmp_path):
    own = fit_preference(votes(), WORDS, NETWORK, basis=basis, of_task=of_task)
    save_preference(own, votes(), tmp_path / "liked")
    again = load_preference(tmp_path / "liked", of_task)
    other = sequences(20, 5)
    for one, two in zip(
        own.of_prefixes(other.tokens, other.mask),
        again.of_prefixes(other.tokens, other.mask),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)
    kept = load_votes(tmp_path / "liked", WORDS, LENGTH)
    np.testing.assert_array_equal(kept.scores, votes().scores)
    np.testing.assert_array_equal(kept.left.mask, votes().left.mask)


def test_other_folders_and_other_features_are_refused(model, tmp_path):
    save_model(SavedModel(NETWORK, WORDS, {}), tmp_path / "prior")
    with pytest.raises(UserError, match="holds no preference model"):
        load_preference(tmp_path / "prior")
    of_task = fit_preference(votes(), WORDS, NETWORK, basis="features", of_task=ONES)
    save_preference(of_task, votes(), tmp_path / "liked")
    with pytest.raises(UserError, match="reads features that the task defines"):
        load_preference(tmp_path / "liked")
    with pytest.raises(UserError, match="not those that the preference model learned from"):
        load_preference(tmp_path / "liked", replace(ONES, names=("twos",)))
    reward = preference_reward(model)
    with pytest.raises(UserError, match="another vocabulary than the task"):
        Task(vocabulary(3), LENGTH, reward)
    with pytest.raises(UserError, match="pessimism must be at least 0"):
        preference_reward(model, pessimism=-1.0)


def test_the_reward_is_a_lower_bound_however_it_is_paid(model):
    """The sum of what is paid at each token is the utility less k deviations."""
    other = sequences(50, 7)
    last = other.mask.sum(axis=1) - 1
    utilities, deviations = (
        np.asarray(one)[np.arange(50), last] for one in model.of_prefixes(other.tokens, other.mask)
    )
    for pessimism in (0.0, 2.0):
        for shape in ("prefix", "end"):
            reward = preference_reward(model, pessimism=pessimism, shape=shape, weight=3.0)
            found = np.asarray(reward(other.tokens, other.mask).total)
            expected = 3 * (utilities - pessimism * deviations)
            np.testing.assert_allclose(found.sum(axis=1), expected, atol=1e-4)
            if shape == "end":
                assert (np.count_nonzero(found, axis=1) <= 1).all()


def test_the_reward_does_not_know_the_future(model):
    task = Task(WORDS, LENGTH, preference_reward(model))
    require_causal(task.reward, WORDS, LENGTH)


def test_increments_are_a_share_of_the_value_until_the_last():
    values = jnp.array([[4.0, 4.0, 4.0, 4.0]])
    whole = increments_by_length(values, jnp.ones((1, 4), bool))
    np.testing.assert_allclose(whole, [[1.0, 1.0, 1.0, 1.0]])
    ended = increments_by_length(values, jnp.array([[True, True, False, False]]))
    np.testing.assert_allclose(ended, [[1.0, 3.0, 0.0, 0.0]])


def test_uncertainty_grows_with_the_distance_from_what_was_compared():
    """Votes on sequences of zeros and ones say little of twos."""
    known = votes()
    sides = [
        Sequences(np.where(side.tokens == 2, 0, side.tokens), side.mask)
        for side in (known.left, known.right)
    ]
    own = fit_preference(ComparedSequences(*sides, known.scores), WORDS, NETWORK, basis="network")
    usual, strange = sequences(200, 11), sequences(200, 11)
    usual = Sequences(np.where(usual.tokens == 2, 0, usual.tokens), usual.mask)
    near, far = (
        float(own.of_prefixes(one.tokens, one.mask)[1][:, 1].mean()) for one in (usual, strange)
    )
    assert far > 1.1 * near


def test_held_out_votes_are_on_sequences_that_were_not_seen():
    known = votes()
    parts = parts_of_sequences(known, seed=0)
    both = known.both
    rows = [row.tobytes() for row in np.where(both.mask, both.tokens, -1)]
    assert len({(row, part) for row, part in zip(rows, parts, strict=True)}) == len(set(rows))
    assert set(parts) == set(range(FOLDS))


def test_validation_tells_a_preference_from_noise(model):
    informed = validate(votes(), model)
    assert informed.votes == VOTES
    assert informed.accuracy > 0.6
    assert informed.log_loss < informed.chance_log_loss
    assert informed.calibration_error < 0.12
    noise = validate(votes(like=lambda found: np.zeros(len(found))), model)
    assert noise.accuracy == pytest.approx(0.5, abs=3 * noise.standard_error)
    assert noise.log_loss == pytest.approx(noise.chance_log_loss, abs=0.03)


def test_too_few_sequences_are_refused(model):
    with pytest.raises(UserError, match="at least 10 are needed"):
        validate(votes(number=4), model)
