"""Trainings by maximum likelihood that are interrupted and go on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_pretrain import fresh_model, markov_chain, with_lengths

from seqtutor.errors import UserError
from seqtutor.runs.checkpoint import Checkpoints
from seqtutor.runs.pretrain_on_disk import train_on_disk
from seqtutor.runs.pretraining import require_own_folder
from seqtutor.runs.run_folder import CHECKPOINTS
from seqtutor.training.pretrain import train_by_maximum_likelihood
from seqtutor.training.pretrain_settings import PretrainSettings
from tiny_problems import identical

SETTINGS = PretrainSettings.of(
    hidden_sizes=(16,), dropout=0.1, batch=64, epochs=6, patience=2, learning_rate=2e-2, seed=4
)
# Of several lengths, so that the order of an epoch depends on more than one permutation.
TRAINING, VALIDATION = with_lengths(markov_chain(320, 0), 5), markov_chain(128, 1)


class KilledError(Exception):
    """What ends a training in the midst of an epoch."""


def killed_at(update):
    """Ends a training before its next update."""

    def look(model, updates):
        if updates == update:
            raise KilledError

    return look


def train(folder, settings=SETTINGS, training=TRAINING, **options):
    return train_on_disk(fresh_model(), training, VALIDATION, settings, folder, **options)


@pytest.fixture(scope="module")
def whole():
    return train_by_maximum_likelihood(fresh_model(), TRAINING, VALIDATION, SETTINGS)


@pytest.mark.parametrize("updates", [3, 5, 13], ids=["no epoch", "one epoch", "two and a half"])
def test_an_interrupted_training_goes_on_bit_for_bit(whole, tmp_path, updates):
    with pytest.raises(KilledError):
        train(tmp_path, on_update=killed_at(updates))
    told, numbers = [], []
    found = train(
        tmp_path, on_epoch=told.append, on_update=lambda model, number: numbers.append(number)
    )
    assert identical(found.model, whole.model)
    assert identical(found.latest, whole.latest)
    assert found.epochs == whole.epochs
    # The fifth update ends an epoch, but is killed before its checkpoint.
    over = (updates - 1) // 5
    first = max(over, 1)
    assert [len(one.epochs) for one in told] == list(range(first, len(whole.epochs) + 1))
    assert numbers[0] == 5 * over + 1


def test_a_finished_training_is_not_trained_again(whole, tmp_path):
    train(tmp_path)
    told = []
    found = train(tmp_path, on_epoch=told.append, on_update=killed_at(1))
    assert identical(found.model, whole.model)
    assert [one.epochs for one in told] == [whole.epochs]


def test_another_training_does_not_go_on(tmp_path):
    with pytest.raises(KilledError):
        train(tmp_path, on_update=killed_at(7))
    for changes in (
        {"settings": replace(SETTINGS, learning_rate=1e-2)},
        {"training": with_lengths(markov_chain(320, 0), 6)},
    ):
        with pytest.raises(UserError, match="belong to other settings or data"):
            train(tmp_path, **changes)


def test_a_folder_of_checkpoints_that_are_not_ours_is_refused_and_kept(tmp_path):
    theirs = tmp_path / "checkpoints" / "epoch-9.pt"
    theirs.parent.mkdir()
    theirs.write_text("weights")
    with pytest.raises(UserError):
        require_own_folder(tmp_path)
    Checkpoints(tmp_path / CHECKPOINTS, "").forget()
    assert theirs.read_text() == "weights"
