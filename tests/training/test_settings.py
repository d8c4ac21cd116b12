from __future__ import annotations

import math

import pytest

from seqtutor.errors import UserError
from seqtutor.objectives.temporal_difference import METHODS
from seqtutor.training.settings import Exploration, PretrainSettings, TutorSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "sarsa"},
        {"c": 0.0},
        {"c": math.nan},
        {"c": math.inf},
        {"discount": 1.1},
        {"discount": math.nan},
        {"trace": -0.1},
        {"steps": 0},
        {"batch": 0},
        {"updates": -1},
        {"target_rate": 2.0},
        {"replay_capacity": 100, "environments": 64},
        {"replay_capacity": 64, "environments": 128},
        {"double_q": True, "method": "psi"},
        {"double_q": True, "method": "g"},
        {"learning_rate": 0.0},
        {"log_every": 0},
    ],
    ids=str,
)
def test_impossible_tutor_settings_are_the_users_error(wrong):
    with pytest.raises(UserError) as caught:
        TutorSettings(**wrong)
    assert next(iter(wrong)).split("_")[0] in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"behaviour": "timid"},
        {"temperature": 0.0},
        {"temperature": math.nan},
        {"epsilon_start": 1.5},
        {"epsilon_end": -0.1},
        {"epsilon_decay_share": 2.0},
    ],
    ids=str,
)
def test_impossible_exploration_is_the_users_error(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Exploration(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_sizes": ()},
        {"hidden_sizes": (10, 0)},
        {"weight_decay": -1.0},
        {"weight_decay": math.nan},
        {"learning_rate": 0.0},
        {"epochs": 0},
        {"patience": 0},
    ],
    ids=str,
)
def test_impossible_pretraining_is_the_users_error(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        PretrainSettings(**wrong)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_named(method):
    assert TutorSettings(method=method).method == method
