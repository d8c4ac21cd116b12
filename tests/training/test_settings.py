from __future__ import annotations

import math
import re

import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.training.methods import METHODS
from seqtutor.training.settings import (
    ON_POLICY,
    SYMBOLS,
    Exploration,
    TutorSettings,
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "sarsa"},
        {"c": 0.0},
        {"c": math.nan},
        {"c": math.inf},
        {"c": 1e-300},
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
        {"double_q": True, "method": "ppo"},
        {"entropy_weight": 0.5, "method": "psi"},
        {"entropy_weight": -0.5, "method": "merl"},
        {"log_partition": "batch", "method": "rloo"},
        {"log_partition": "guessed", "method": "path"},
        {"clip": 0.1, "method": "path"},
        {"trace": 0.5, "method": "path"},
        {"trace": 0.5, "method": "rloo"},
        {"target_rate": 0.5, "method": "ppo"},
        {"clip": 0.0, "method": "ppo"},
        {"value_weight": 1.0, "method": "reinforce"},
        {"value_weight": -1.0, "method": "ppo"},
        {"stop_at_kl": 0.0},
        {"stop_at_kl": math.nan},
        {"collapse_entropy": -0.1},
        {"collapse_distinct": -0.1},
        {"learning_rate": 0.0},
        {"log_every": 0},
    ],
    ids=str,
)
def test_impossible_tutor_settings_are_the_users_error(wrong):
    make = TutorSettings.of if "method" in wrong else TutorSettings
    with pytest.raises(UserError) as caught:
        make(**wrong)
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
    ("kind", "wrong", "said"),
    [
        (TutorSettings, {"steps": 2e6}, "steps must be a whole number, not 2000000.0"),
        (TutorSettings, {"c": "0.5"}, "c must be a number, not '0.5'"),
        (TutorSettings, {"double_q": 1}, "double_q must be True or False, not 1"),
        (TutorSettings, {"stop_at_kl": "1"}, "stop_at_kl must be a number or None, not '1'"),
        (TutorSettings, {"batch": True}, "batch must be a whole number, not True"),
        (TutorSettings, {"exploration": "greedy"}, "exploration must be of the type Exploration"),
        (TutorSettings, {"log_partition": "both"}, "log_partition must be learned or batch"),
    ],
    ids=str,
)
def test_a_setting_of_another_type_is_named_with_the_type_it_must_have(kind, wrong, said):
    with pytest.raises(UserError, match=re.escape(said)):
        kind(**wrong)


def test_a_setting_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(UserError, match=r"there is no setting 'learnig_rate'; .* learning_rate"):
        TutorSettings.of("psi", learnig_rate=1e-3)


def test_numbers_of_numpy_are_numbers():
    settings = TutorSettings(c=np.float32(0.5), steps=np.int64(1000), discount=1)
    assert (settings.c, settings.steps, settings.discount) == (0.5, 1000, 1)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_defaults_of_its_own(method):
    """On-policy methods sample from the policy alone and, like path, count all steps the same."""
    defaults = TutorSettings.of(method)
    assert defaults.method == method
    on_policy = METHODS[method].learns_from != "replay"
    assert on_policy == (method in ON_POLICY)
    assert (defaults.exploration.epsilon_start == 0.0) == on_policy
    assert (defaults.discount == 1.0) == (on_policy or method == "path")


def test_names_and_symbols_are_those_of_the_methods():
    assert set(SYMBOLS) == set(METHODS)
    assert len(set(SYMBOLS.values())) == len(SYMBOLS)


def test_changes_win_over_a_methods_defaults():
    changed = TutorSettings.of("ppo", discount=0.9, trace=0.5, clip=0.1, c=2.0)
    assert (changed.discount, changed.trace, changed.clip, changed.c) == (0.9, 0.5, 0.1, 2.0)
    with pytest.raises(UserError, match="there is no method 'sarsa'"):
        TutorSettings.of("sarsa")


@pytest.mark.parametrize(
    "exploration",
    [
        Exploration(epsilon_start=0.1),
        Exploration(epsilon_start=0.0, epsilon_end=0.1),
        Exploration(epsilon_start=0.0, temperature=1.5),
        Exploration(epsilon_start=0.0, behaviour="greedy"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ON_POLICY)
def test_on_policy_methods_refuse_to_explore(method, exploration):
    with pytest.raises(UserError, match="learns from its own policy's samples"):
        TutorSettings.of(method, exploration=exploration)
    assert TutorSettings.of("path", exploration=exploration).exploration == exploration


@pytest.mark.parametrize("method", ON_POLICY)
def test_on_policy_methods_need_sequences_to_compare(method):
    with pytest.raises(UserError, match="environments must be above 1"):
        TutorSettings.of(method, environments=1, batch=1)


def test_ppo_cannot_draw_more_than_was_collected():
    with pytest.raises(UserError, match="batch \\(65\\) must not be above environments \\(64\\)"):
        TutorSettings.of("ppo", environments=64, batch=65)
    assert TutorSettings.of("ppo", environments=64, batch=64).batch == 64
    assert TutorSettings.of("rloo", environments=64, batch=65).batch == 65


def test_the_replays_size_is_no_matter_where_there_is_none():
    with pytest.raises(UserError, match="replay_capacity"):
        TutorSettings.of("path", environments=48, replay_capacity=64)
    assert TutorSettings.of("rloo", environments=48, replay_capacity=64).environments == 48
