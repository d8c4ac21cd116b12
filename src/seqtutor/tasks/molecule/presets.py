"""Named settings of tuning, for the shipped prior.

Properties are counted from their mean over the MOSES test set in its standard deviations, so that
the first policy earns about nothing and weights compare. At c = 1 a weight is in nats: tilting the
prior by exp(w·x) moves the mean of a normal property by w standard deviations, and no other policy
moves it as far at so small a KL divergence. So properties are rewarded as they are, without
thresholds; c scales all weights at once.

Every method looks at the end of a string, where all terms are paid: γ = 1, and λ = 1 where there is
a trace. Single random tokens spoil most strings, so nothing but the policy explores.
"""

from __future__ import annotations

from typing import Any

from seqtutor.methods.registry import method_named
from seqtutor.methods.settings import NO_EXPLORATION
from seqtutor.runs.presets import Preset, find_preset, find_tuning
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
    CarbonsTerm,
    DiversityTerm,
    IsomerTerm,
    KnownTerm,
    MoleculeRewardSettings,
    ScaledTerm,
    ShortTerm,
    SimilarityTerm,
    ValidTerm,
)
from seqtutor.tasks.molecule.settings import MoleculeTuning
from seqtutor.training.settings import TutorSettings, applicable_settings

STEPS = 3_000_000
LEARNING_RATE = 7e-4

UPDATES, BATCH, REPLAY = 1, 128, 256
"""After each collection: as many strings are learned from as were generated, and soon after.

Returns to the end of a string are noisy, and what updates add by chance stays: new strings teach
more than old ones do again.
"""

HUBER_THRESHOLD = 100.0
"""An invalid string costs tens of nats, and is to count in full."""

_OFF = ScaledTerm(weight=0.0)
_NO_SHORT, _NO_CARBONS = ShortTerm(weight=0.0), CarbonsTerm(weight=0.0)


def _logp(weight: float) -> ScaledTerm:
    return ScaledTerm(weight, centre=2.44, scale=0.93)


def _sa(weight: float) -> ScaledTerm:
    return ScaledTerm(weight, centre=-2.45, scale=0.46)


def _qed(weight: float) -> ScaledTerm:
    return ScaledTerm(weight, centre=0.807, scale=0.095)


def _tutor(method: str, **changes: Any) -> TutorSettings:
    """What is the same for all presets, changed where asked, as far as the method has it."""
    settings: dict[str, Any] = {
        "c": 1.0,
        "discount": 1.0,
        "steps": STEPS,
        "updates": UPDATES,
        "batch": BATCH,
        "replay_capacity": REPLAY,
        "learning_rate": LEARNING_RATE,
        "huber_threshold": HUBER_THRESHOLD,
        "exploration": NO_EXPLORATION,
    }
    if method_named(method).equations is not None:
        settings["trace"] = 1.0
    return TutorSettings.of(method, **applicable_settings(method, **{**settings, **changes}))


def _goal_tutor(method: str) -> TutorSettings:
    """For a budget of calls: small collections, and many updates after each.

    Methods without a replay learn from each string once or a few times, and need longer steps. The
    learning rate stays what it is, since nobody knows at which step the calls are used.
    """
    is_on_policy = method_named(method).is_on_policy
    return _tutor(
        method,
        environments=32 if is_on_policy else 64,
        updates=2 if is_on_policy else 8,
        batch=32 if is_on_policy else 64,
        replay_capacity=1024,
        learning_rate=1e-3 if is_on_policy else 3e-4,
        learning_rate_final_share=1.0,
        huber_threshold=10.0,
        value_body_share=1.0,
    )


def _paper(method: str) -> MoleculeTuning:
    """The terms of the paper's second experiment, weighted towards its tuned column.

    Its molecules are greasy and easy to make; they lost a third of their QED, which has no weight.
    """
    return MoleculeTuning(
        _tutor(method, c=0.75, steps=4_000_000),
        MoleculeRewardSettings(
            valid=ValidTerm(penalty=-20.0),
            logp=_logp(4.0),
            sa=_sa(4.0),
            qed=_OFF,
            ring=ScaledTerm(weight=50.0),
        ),
    )


def _drug_like(method: str) -> MoleculeTuning:
    """One more of logP, easier to make, as drug-like as the prior, new, and of many scaffolds.

    Strings that are easier to make are also easier to write, so that more of them are valid. An
    invalid one costs 28 nats: with 100 its noise drowns the properties, and fewer are valid at the
    end. What is left to gain comes late, when the learning rate is small: hence the many steps.
    """
    return MoleculeTuning(
        _tutor(method, c=0.6, steps=20_000_000),
        MoleculeRewardSettings(
            valid=ValidTerm(penalty=-17.0),
            logp=_logp(0.85),
            sa=_sa(1.2),
            qed=_qed(0.35),
            ring=ScaledTerm(weight=30.0),
            known=KnownTerm(weight=3.6),
            diversity=DiversityTerm(weight=3.0, allowed=50),
        ),
    )


def _goal(method: str, goal: GoalName, **terms: object) -> MoleculeTuning:
    """Some terms and validity, without those that keep to the training set.

    They are scaled so that the policy goes far from the prior within the budget.
    """
    chosen: dict = {
        "logp": _OFF,
        "sa": _OFF,
        "qed": _OFF,
        "ring": _OFF,
        "short": _NO_SHORT,
        "carbons": _NO_CARBONS,
        "valid": ValidTerm(penalty=-5.0),
        **terms,
    }
    reward = MoleculeRewardSettings(**chosen)
    return MoleculeTuning(_goal_tutor(method), reward, goal=goal, calls=BUDGET)


def _standardised(weight: float, standard: Standard) -> ScaledTerm:
    return ScaledTerm(weight, centre=standard.mean, scale=standard.deviation)


def _best_qed(method: str) -> MoleculeTuning:
    return _goal(method, "qed", qed=_qed(5.0))


def _penalized_logp(method: str) -> MoleculeTuning:
    """The sum of logP, −SA and −ring atoms beyond six, in standard deviations of ZINC-250k.

    The normalisation of You et al. (2018), "Graph convolutional policy network".
    """
    return _goal(
        method,
        "penalized-logp",
        logp=_standardised(2.0, LOGP),
        sa=_standardised(2.0, SA_PENALTY),
        ring=_standardised(2.0, RING_PENALTY),
    )


def _celecoxib(method: str) -> MoleculeTuning:
    """Similarity to celecoxib by counted Morgan fingerprints of radius 2, as in GuacaMol."""
    return _goal(method, "celecoxib", similarity=SimilarityTerm(weight=60.0, to=(CELECOXIB,)))


def _isomers(method: str) -> MoleculeTuning:
    """A molecular formula to meet, as in GuacaMol."""
    return _goal(method, "isomers", isomer=IsomerTerm(weight=15.0, formula=ISOMER))


PRESETS = {
    "drug-like": Preset("Drug-like, easier to make, logP + 1", _drug_like),
    "paper": Preset("The paper's terms", _paper),
    "qed": Preset("Drug-likeness", _best_qed),
    "penalized-logp": Preset("Penalised logP", _penalized_logp),
    "celecoxib": Preset("Rediscovery of celecoxib", _celecoxib),
    "isomers": Preset(f"Isomers of {ISOMER}", _isomers),
}


def preset_named(name: str) -> Preset[MoleculeTuning]:
    """Look up a preset.

    Raises:
        UserError: if there is none of that name.
    """
    return find_preset(PRESETS, name)


def preset_tuning(preset: str, method: str) -> MoleculeTuning:
    """A preset's settings for a method.

    Raises:
        UserError: if there is no such preset or method.
    """
    return find_tuning(PRESETS, preset, method)
