"""Named settings of tuning."""

from __future__ import annotations

from typing import Any

from seqtutor.methods.registry import method_named
from seqtutor.runs.presets import Preset, find_preset, find_tuning
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings
from seqtutor.tasks.melody.settings import MelodyTuning, RuleWeights
from seqtutor.training.settings import TutorSettings


def _trace(method: str, trace: float) -> dict[str, float]:
    """λ of the returns; ppo, whose λ is that of its advantages, keeps its own."""
    return {} if method_named(method).equations is None else {"trace": trace}


def _papers_rules(method: str) -> MelodyTuning:
    """The rules as published; c and γ are ours.

    The papers' c = .5 rewards a repeated motif so much that a policy which sees further than a
    few steps plays one melody for ever. These values keep above .7 nats of entropy a step. Q,
    which knows nothing of the entropy of what follows, needs the larger c to keep as much, and a
    double maximum over a slower target, without which some of its seeds repeat melodies. The
    methods that the papers do not have look to the end of the melody, and need a larger c still.
    """
    published: dict[str, dict[str, Any]] = {
        "q": {"c": 1.6, "discount": 0.87, "double_q": True, "target_rate": 0.02},
        "psi": {"c": 1.2, "discount": 0.83},
        "g": {"c": 1.25, "discount": 0.83},
        "rl-only": {"c": 1.3, "discount": 0.8},
    }
    return MelodyTuning(TutorSettings.of(method, **published.get(method, {"c": 5.0})))


def _strict_rules(method: str) -> MelodyTuning:
    """One set of rules and weights for every method, aimed at the best entry of each row.

    Autocorrelation is punished hard from .02 on, so that it lies near zero in every melody and not
    on average alone; at lag 2 less where it is negative and at lag 3 more, as far as it takes to
    balance them. A repeated motif weighs much but earns once: without that limit every method ends
    in a melody that goes round in circles. A γ of .75 keeps such plans out of sight, and is enough
    to see the end of a melody in time for its unique extremes.

    The autocorrelation of the first four steps is not counted: any two different tokens have one
    of −½, so that all melodies would begin with one note as often as it may be repeated.

    Ψ, and Q even more, need a larger c than G: with G's, some of their seeds end in a few melodies.
    A slower target makes the seeds of Q and G more alike, and so does a double maximum those of Q.
    """
    own: dict[str, dict[str, Any]] = {
        "q": {"c": 3.2, "double_q": True, "target_rate": 0.02},
        "g": {"c": 2.4, "target_rate": 0.02},
    }
    settings = {"discount": 0.75, **_trace(method, 0.85), **own.get(method, {"c": 2.8})}
    return MelodyTuning(
        TutorSettings.of(method, **settings),
        MelodyRuleSettings(
            repeated_motif_limit=1,
            allowed_repeats=4,
            allowed_repeats_with_breaks=6,
            autocorrelation_first_step=5,
            autocorrelation_threshold=0.02,
            autocorrelation_penalties=(-3.0, -9.5, -5.0),
            autocorrelation_negative_factors=(1.0, 0.63, 1.6),
        ),
        RuleWeights(
            key=4.0,
            tonic=2.0,
            penalize_repeating=2.0,
            penalize_autocorrelation=5.0,
            motif=1.7,
            repeated_motif=9.0,
            preferred_intervals=0.4,
            leap_up_back=2.2,
            high_low_unique=9.7,
        ),
    )


PRESETS = {
    "papers-rules": Preset("The papers' rules and weights", _papers_rules),
    "strict-rules": Preset("Rules weighted anew", _strict_rules),
}


def preset_named(name: str) -> Preset[MelodyTuning]:
    """Look up a preset.

    Raises:
        UserError: if there is none of that name.
    """
    return find_preset(PRESETS, name)


def preset_tuning(preset: str, method: str) -> MelodyTuning:
    """A preset's settings for a method.

    Raises:
        UserError: if there is no such preset or method.
    """
    return find_tuning(PRESETS, preset, method)
