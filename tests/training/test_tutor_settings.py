from __future__ import annotations

import math
import re
from dataclasses import fields

import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.methods.settings import Exploration
from seqtutor.training.pretrain_settings import PretrainSettings
from seqtutor.training.settings import (
    TutorSettings,
    applicable_settings,
    from_flat,
    setting_names,
    to_flat,
)
from tiny_problems import METHODS, OFF_POLICY, ON_POLICY


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
        {"seed": -1},
        {"updates": 3, "method": "rloo"},
        {"batch": 32, "method": "merl"},
        {"replay_capacity": 256, "method": "ppo"},
        {"huber_threshold": 1.0, "method": "reinforce"},
        {"value_scale": 1.0, "method": "reinforce-baseline"},
    ],
    ids=str,
)
def test_impossible_tutor_settings_are_the_users_error(wrong):
    with pytest.raises(UserError) as caught:
        TutorSettings.of(**wrong)
    assert next(iter(wrong)).split("_")[0] in str(caught.value)
    assert "\n" not in str(caught.value)


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
        PretrainSettings.of(**wrong)


@pytest.mark.parametrize(
    ("make", "wrong", "said"),
    [
        (TutorSettings.of, {"steps": 2e6}, "steps must be a whole number, not 2000000.0"),
        (TutorSettings.of, {"c": "0.5"}, "c must be a number, not '0.5'"),
        (TutorSettings.of, {"method": "q", "double_q": 1}, "double_q must be True or False, not 1"),
        (TutorSettings.of, {"stop_at_kl": "1"}, "stop_at_kl must be a number or None, not '1'"),
        (TutorSettings.of, {"batch": True}, "batch must be a whole number, not True"),
        (TutorSettings.of, {"exploration": "greedy"}, "exploration must be of the type Explor"),
        (
            TutorSettings.of,
            {"method": "path", "log_partition": "both"},
            "log_partition must be learned or batch",
        ),
        (
            PretrainSettings.of,
            {"hidden_sizes": 100},
            "hidden_sizes must be a tuple of which each is",
        ),
        (PretrainSettings.of, {"hidden_sizes": (9.5,)}, "hidden_sizes must be a tuple of"),
    ],
    ids=str,
)
def test_a_setting_of_another_type_is_named_with_the_type_it_must_have(make, wrong, said):
    with pytest.raises(UserError, match=re.escape(said)):
        make(**wrong)


def test_a_setting_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(UserError, match=r"there is no setting 'learnig_rate'; .* learning_rate"):
        TutorSettings.of("psi", learnig_rate=1e-3)
    with pytest.raises(UserError, match="there is no setting 'options'"):
        TutorSettings.of("psi", options=METHODS["psi"].settings())


@pytest.mark.parametrize("method", METHODS)
def test_a_setting_that_the_method_ignores_is_refused_with_the_methods_that_have_it(method):
    """Every setting of any method is the method's own, or is refused."""
    own = setting_names(METHODS[method])
    for name in {name for other in METHODS.values() for name in setting_names(other)}:
        have = [other for other in METHODS if name in setting_names(METHODS[other])]
        if name in own:
            assert method in have
            continue
        said = f"{name} is a setting of {', '.join(have)}, not of {method}"
        with pytest.raises(UserError, match=f"^{re.escape(said)}$"):
            TutorSettings.of(method, **{name: 1})
        with pytest.raises(UserError, match=f"^{re.escape(said)}$"):
            TutorSettings.of(method).with_changes(**{name: 1})


def test_numbers_of_numpy_are_numbers():
    settings = TutorSettings.of(c=np.float32(0.5), steps=np.int64(1000), discount=1)
    assert (settings.c, settings.steps, settings.discount) == (0.5, 1000, 1)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_defaults_of_its_own(method):
    """On-policy methods sample from the policy alone and, like path, count all steps the same."""
    defaults = TutorSettings.of(method)
    assert defaults.method == method
    assert type(defaults.options) is METHODS[method].settings
    on_policy = method in ON_POLICY
    of_paths = ("rloo", "ppo", "grpo", "merl", "reinforce", "reinforce-baseline")
    assert on_policy == (method in of_paths)
    assert hasattr(defaults.options, "exploration") == (method in OFF_POLICY)
    assert (defaults.discount == 1.0) == (on_policy or method in ("path", "dpo"))


def test_changes_win_over_a_methods_defaults():
    changed = TutorSettings.of("ppo", discount=0.9, trace=0.5, clip=0.1, c=2.0)
    assert (changed.discount, changed.c) == (0.9, 2.0)
    assert (changed.options.trace, changed.options.clip) == (0.5, 0.1)
    again = changed.with_changes(trace=0.7, c=3.0)
    assert (again.options.trace, again.options.clip, again.c) == (0.7, 0.1, 3.0)
    assert changed.with_changes() == changed
    with pytest.raises(UserError, match="there is no method 'sarsa'"):
        TutorSettings.of("sarsa")


def test_one_methods_settings_are_not_anothers():
    with pytest.raises(UserError, match="the settings are those of another method than rloo"):
        TutorSettings.of("psi").with_changes(method="rloo")


@pytest.mark.parametrize("method", ON_POLICY)
def test_on_policy_methods_do_not_explore(method):
    with pytest.raises(UserError, match=f"exploration is a setting of .*, not of {method}"):
        TutorSettings.of(method, exploration=Exploration(epsilon_start=0.1))


@pytest.mark.parametrize("method", ON_POLICY)
def test_on_policy_methods_need_sequences_to_compare(method):
    with pytest.raises(UserError, match="environments must be above 1"):
        TutorSettings.of(method, environments=1, **applicable_settings(method, batch=1))


def test_ppo_cannot_draw_more_than_was_collected():
    with pytest.raises(UserError, match="batch \\(65\\) must not be above environments \\(64\\)"):
        TutorSettings.of("ppo", environments=64, batch=65)
    assert TutorSettings.of("ppo", environments=64, batch=64).options.batch == 64


def test_the_replays_size_is_no_matter_where_there_is_none():
    with pytest.raises(UserError, match="replay_capacity"):
        TutorSettings.of("path", environments=48, replay_capacity=64)
    assert TutorSettings.of("rloo", environments=48).environments == 48


def test_a_preset_of_all_methods_gives_each_what_it_has():
    wanted = {"c": 2.0, "trace": 1.0, "entropy_weight": 0.5}
    assert applicable_settings("psi", **wanted) == {"c": 2.0, "trace": 1.0}
    assert applicable_settings("merl", **wanted) == {"c": 2.0, "entropy_weight": 0.5}
    assert applicable_settings("rloo", **wanted) == {"c": 2.0}


@pytest.mark.parametrize("method", METHODS)
def test_flat_settings_come_back(method):
    settings = TutorSettings.of(method, c=3.0, seed=5, stop_at_kl=2.0)
    flat = to_flat(settings)
    assert set(flat) == set(setting_names(METHODS[method]))
    assert from_flat(flat) == settings
    assert from_flat({"method": method}) == TutorSettings.of(method)


def test_flat_numbers_get_the_types_of_their_fields():
    """YAML's 1 is the 1.0 of a field that holds any number."""
    flat = {"method": "psi", "c": 1, "stop_at_kl": 2, "exploration": {"temperature": 3}}
    settings = from_flat(flat)
    assert settings == TutorSettings.of(
        c=1.0, stop_at_kl=2.0, exploration=Exploration(temperature=3.0)
    )
    assert isinstance(settings.c, float)
    assert isinstance(settings.stop_at_kl, float)
    assert isinstance(settings.options.exploration.temperature, float)


@pytest.mark.parametrize(
    ("flat", "said"),
    [
        ({"method": "psi", "tralse": 1}, "there is no setting 'tralse'"),
        ({"method": "rloo", "updates": 8}, "updates is a setting of"),
        ({"method": "psi", "exploration": {"boldness": 1}}, "there is no setting boldness"),
        ({"method": "sarsa"}, "no method 'sarsa'"),
    ],
)
def test_what_is_no_flat_settings_is_the_users_error(flat, said):
    with pytest.raises(UserError, match=said):
        from_flat(flat)


def test_a_run_of_a_version_without_a_choice_of_optimiser_goes_on_with_adam():
    flat = to_flat(TutorSettings.of("psi"))
    del flat["optimiser"]
    assert from_flat(flat).optimiser == "adam"


# What every run wrote before methods had settings of their own.
OLD = {
    "c": 0.5,
    "discount": 1.0,
    "trace": 0.8,
    "steps": 1000,
    "environments": 64,
    "updates": 8,
    "batch": 64,
    "replay_capacity": 4096,
    "priority_exponent": 0.0,
    "importance_exponent": 0.4,
    "learning_rate": 0.003,
    "learning_rate_final_share": 0.02,
    "gradient_norm": 10.0,
    "huber_threshold": 10.0,
    "target_rate": 0.05,
    "value_scale": 20.0,
    "value_body_share": 0.1,
    "double_q": False,
    "entropy_weight": 1.0,
    "log_partition": "learned",
    "clip": 0.2,
    "value_weight": 0.5,
    "exploration": vars(Exploration(epsilon_start=0.0)),
    "seed": 3,
    "log_every": 20000,
    "stop_at_kl": None,
    "stop_on_collapse": False,
    "collapse_entropy": 0.1,
    "collapse_distinct": 0.5,
}


@pytest.mark.parametrize("method", METHODS)
def test_settings_of_older_versions_still_load(method):
    """With what the method ignored, whatever it was, if it could be anything."""
    settings = from_flat({"method": method, **OLD})
    own = applicable_settings(
        method, trace=0.8, updates=8, batch=64, exploration=Exploration(epsilon_start=0.0)
    )
    assert settings == TutorSettings.of(
        method, discount=1.0, steps=1000, environments=64, seed=3, **own
    )
    ignored = {"updates": 2, "batch": 32, "huber_threshold": 7.0}
    settings = from_flat({"method": method, **OLD, **ignored})
    own |= applicable_settings(method, **ignored)
    assert settings == TutorSettings.of(
        method, discount=1.0, steps=1000, environments=64, seed=3, **own
    )


def test_a_setting_that_older_versions_refused_is_refused():
    with pytest.raises(UserError, match="clip is a setting of ppo, grpo, not of rloo"):
        from_flat({"method": "rloo", **OLD, "clip": 0.3})
    with pytest.raises(UserError, match="double_q is a setting of q, rl-only, not of psi"):
        from_flat({"method": "psi", **OLD, "double_q": True})


def test_no_name_is_both_of_every_method_and_a_methods_own():
    common = {one.name for one in fields(TutorSettings)}
    for method in METHODS.values():
        assert not common & {one.name for one in fields(method.settings)}
