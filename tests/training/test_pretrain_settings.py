"""The settings of maximum likelihood, and of whatever model it makes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

import jax
import pytest

import own_model
from own_model import Attention, AttentionSettings, attention
from seqtutor.errors import UserError
from seqtutor.models import registry
from seqtutor.models.lstm import LSTM
from seqtutor.models.lstm_settings import LSTMSettings
from seqtutor.training.pretrain import new_model
from seqtutor.training.pretrain_settings import PretrainSettings
from tiny_problems import identical, vocabulary


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


def test_settings_are_given_by_name_whichever_record_they_are_in():
    settings = PretrainSettings.of(hidden_sizes=(64, 32), epochs=3, token_bound=1.0)
    assert settings == PretrainSettings(
        architecture=LSTMSettings(hidden_sizes=(64, 32), token_bound=1.0), epochs=3
    )
    assert PretrainSettings.of(**settings.flat) == settings
    assert settings.changed(hidden_sizes=(8,), batch=16).flat == settings.flat | {
        "hidden_sizes": (8,),
        "batch": 16,
    }


def test_a_kind_of_model_brings_its_own_settings():
    of_file = PretrainSettings.of(f"{own_model.__file__}:Attention", width=4, epochs=3)
    assert type(of_file.architecture).__name__ == "AttentionSettings"
    assert (of_file.architecture.width, of_file.epochs) == (4, 3)
    of_class = PretrainSettings.of(Attention, width=4)
    assert of_class.model == "attention"
    assert of_class.architecture == AttentionSettings(width=4)
    usual = PretrainSettings.of(hidden_sizes=(64,), epochs=3)
    assert usual.changed(model="attention").flat == PretrainSettings.of(Attention, epochs=3).flat
    assert PretrainSettings(model="attention").architecture == AttentionSettings()


def test_a_new_model_is_drawn_by_the_seed():
    settings = PretrainSettings.of(Attention, width=6, seed=5)
    assert identical(new_model(vocabulary(3), settings), attention(seed=5))
    lstm = new_model(vocabulary(3), PretrainSettings.of(hidden_sizes=(4,), seed=5))
    assert identical(lstm, LSTM(3, (4,), key=jax.random.key(5)))


@dataclass(frozen=True)
class Clashing(AttentionSettings):
    dropout: float = 0.1


class Dropping(Attention):
    kind = "dropping"
    Settings: ClassVar = Clashing


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"width": 8}, "there is no setting 'width' where the model is lstm; there are model, hid"),
        (
            {"model": Attention, "token_bound": 1.0},
            "no setting 'token_bound' where the model is",
        ),
        ({"architecture": LSTMSettings()}, "there is no setting 'architecture'"),
        (
            {"model": "rnn"},
            "there is no kind of model 'rnn' (known: lstm, gru); to use one of your own",
        ),
        ({"model": "product"}, "'product' is made of other models and cannot be trained from scr"),
        ({"model": Dropping}, "the settings of the model dropping and those of the training share"),
        ({"model": Attention, "width": "6"}, "width must be a whole number, not '6'"),
        ({"model": Attention, "width": True}, "width must be a whole number, not True"),
        ({"hidden_sizes": 100}, "hidden_sizes must be a tuple of which each is"),
        ({"hidden_sizes": (9.5,)}, "hidden_sizes must be a tuple of which each"),
        ({"batch": 2.5}, "batch must be a whole number, not 2.5"),
    ],
    ids=str,
)
def test_a_setting_that_does_not_fit_is_the_users_error(given, said):
    with pytest.raises(UserError, match=re.escape(said)):
        PretrainSettings.of(**given)


def test_the_record_of_another_kind_is_the_users_error():
    registry.register_model(Attention)
    with pytest.raises(UserError, match="the model attention must be a AttentionSettings, not LST"):
        PretrainSettings(model="attention", architecture=LSTMSettings())
    with pytest.raises(UserError, match="model must be the name of a kind"):
        PretrainSettings(model=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_sizes": ()},
        {"hidden_sizes": (10, 0)},
        {"embedding_size": -1},
        {"token_bound": 0.0},
        {"weight_decay": -1.0},
        {"weight_decay": math.nan},
        {"learning_rate": 0.0},
        {"learning_rate": math.inf},
        {"epochs": 0},
        {"patience": 0},
        {"dropout": 1.0},
        {"seed": -1},
    ],
    ids=str,
)
def test_an_impossible_value_is_the_users_error(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        PretrainSettings.of(**wrong)
