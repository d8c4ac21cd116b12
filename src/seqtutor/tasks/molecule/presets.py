"""Named settings of tuning, for the shipped prior.

Properties are counted from their mean over the MOSES test set in its standard deviations, so that
the first policy earns about nothing and weights are comparable. At c = 1 a weight is in nats:
tilting the prior by exp(w·x) moves the mean of a normal property by w standard deviations, and no
other policy moves it as far at so small a KL divergence. So properties are rewarded as they are,
without thresholds; c scales all weights at once.

All terms are paid at the end of a string, so every method looks that far: γ = 1, and λ = 1 where
there is a trace. Single random tokens spoil most strings, so exploration is the policy's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from seqtutor.methods.registry import method_named
from seqtutor.methods.settings import NO_EXPLORATION
from seqtutor.task_records import Preset
from seqtutor.tasks.molecule.goals import (
    BUDGET,
    CELECOXIB,
    ISOMER,
    LOGP,
    RING_PENALTY,
    SA_PENALTY,
    GoalName,
    Standard,
)
from seqtutor.tasks.molecule.reward_settings import (
    DiversityTerm,
    IsomerTerm,
    KnownTerm,
    MoleculeRewardSettings,
    ScaledTerm,
    SimilarityTerm,
    ValidTerm,
)
from seqtutor.tasks.molecule.settings import MoleculeSettings
from seqtutor.training.settings import applicable_settings

_LOGP, _SA, _QED = Standard(2.44, 0.93), Standard(-2.45, 0.46), Standard(0.807, 0.095)
"""Of the MOSES test set."""


def _scaled(weight: float, standard: Standard) -> ScaledTerm:
    return ScaledTerm(weight, centre=standard.mean, scale=standard.deviation)


def tutor_settings(method: str, **changes: Any) -> dict[str, Any]:
    """The settings that all presets share, changed where asked, as far as the method has them.

    As many strings are learned from as were generated, and soon after: returns to the end of a
    string are noisy, and errors that updates add by chance persist, so new strings teach more than
    old ones do again. The Huber threshold is high because an invalid string costs tens of nats,
    which is to count in full.
    """
    settings: dict[str, Any] = {
        "c": 1.0,
        "discount": 1.0,
        "updates": 1,
        "batch": 128,
        "replay_capacity": 256,
        "learning_rate": 7e-4,
        "huber_threshold": 100.0,
        "exploration": NO_EXPLORATION,
    }
    if method_named(method).equations is not None:
        settings["trace"] = 1.0
    return applicable_settings(method, **{**settings, **changes})


def _goal_tutor(method: str, **changes: Any) -> dict[str, Any]:
    """Settings for a budget of calls: small collections, and many updates after each.

    Methods without a replay learn from each string once or a few times, and need longer steps. The
    learning rate is constant, since the step at which the calls are used up is not known before.
    """
    is_on_policy = method_named(method).is_on_policy
    settings = {
        "environments": 32 if is_on_policy else 64,
        "updates": 2 if is_on_policy else 8,
        "batch": 32 if is_on_policy else 64,
        "replay_capacity": 1024,
        "learning_rate": 1e-3 if is_on_policy else 3e-4,
        "learning_rate_final_share": 1.0,
        "huber_threshold": 10.0,
        "value_body_share": 1.0,
    }
    return tutor_settings(method, **settings, **changes)


def _preset(
    title: str,
    summary: str,
    tutor: Callable[[str], Mapping[str, Any]],
    reward: MoleculeRewardSettings,
    goal: GoalName | None = None,
) -> Preset[MoleculeSettings]:
    settings = MoleculeSettings(reward, goal=goal, calls=goal and BUDGET)
    return Preset(title, summary, tutor, lambda method: settings)


def _goal(title: str, summary: str, goal: GoalName, **terms: Any) -> Preset[MoleculeSettings]:
    """Some terms and validity, without those that keep to the training set.

    The weights are so large that the policy moves far from the prior within the budget.
    """
    reward = replace(_BLANK, valid=ValidTerm(penalty=-5.0), **terms)
    summary = f"{summary}; with a goal and {BUDGET:,} calls of its oracle"
    return _preset(title, summary, _goal_tutor, reward, goal)


# Strings that are easier to make are also easier to write, so that more of them are valid. An
# invalid one costs 28 nats: with 100 its noise drowns the properties, and fewer are valid at the
# end. The last gains come late, when the learning rate is small, hence the many steps.
_DRUG_LIKE = MoleculeRewardSettings(
    valid=ValidTerm(penalty=-17.0),
    logp=_scaled(0.85, _LOGP),
    sa=_scaled(1.2, _SA),
    qed=_scaled(0.35, _QED),
    ring=ScaledTerm(weight=30.0),
    known=KnownTerm(weight=3.6),
    diversity=DiversityTerm(weight=3.0, allowed=50),
)

# Weighted towards the tuned column of the paper's Table 2, whose molecules are greasy and easy to
# make and lost a third of their QED, which has no weight here.
_PAPER = MoleculeRewardSettings(
    valid=ValidTerm(penalty=-20.0),
    logp=_scaled(4.0, _LOGP),
    sa=_scaled(4.0, _SA),
    qed=ScaledTerm(weight=0.0),
    ring=ScaledTerm(weight=50.0),
)

# Validity alone, to which the presets of goals add their terms.
# A term of the user's has a scale of its own; an invalid string is to cost more than it can.
_BLANK = MoleculeRewardSettings().without("logp", "sa", "qed", "ring", "short", "carbons")

PRESETS = {
    "drug-like": _preset(
        "Drug-like, easier to make, logP + 1",
        "logP up by one, easier to make, as drug-like as before, new, of many scaffolds",
        partial(tutor_settings, c=0.6, steps=20_000_000),
        _DRUG_LIKE,
    ),
    "paper": _preset(
        "The paper's terms",
        "the terms of the paper, towards its tuned column",
        partial(tutor_settings, c=0.75, steps=4_000_000),
        _PAPER,
    ),
    "blank": _preset(
        "Your own objective",
        "validity alone: a start for an objective of your own, of which each term is given",
        partial(_goal_tutor, steps=1_000_000),
        _BLANK,
    ),
    "qed": _goal("Drug-likeness", "drug-likeness alone", "qed", qed=_scaled(5.0, _QED)),
    # The normalisation of You et al. (2018), "Graph convolutional policy network".
    "penalized-logp": _goal(
        "Penalised logP",
        "logP − SA − atoms of large rings",
        "penalized-logp",
        logp=_scaled(2.0, LOGP),
        sa=_scaled(2.0, SA_PENALTY),
        ring=_scaled(2.0, RING_PENALTY),
    ),
    "celecoxib": _goal(
        "Rediscovery of celecoxib",
        "similarity to celecoxib, as in GuacaMol",
        "celecoxib",
        similarity=SimilarityTerm(weight=60.0, to=(CELECOXIB,)),
    ),
    "isomers": _goal(
        f"Isomers of {ISOMER}",
        f"the formula {ISOMER}, as in GuacaMol (needs a prior that can write phosphorus)",
        "isomers",
        isomer=IsomerTerm(weight=15.0, formula=ISOMER),
    ),
}
