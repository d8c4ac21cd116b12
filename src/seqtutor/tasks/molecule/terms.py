"""The named terms of a molecule's reward, from measurements."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, UInt8

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.tasks.molecule.goals import Goal
from seqtutor.tasks.molecule.measurer import Measurer
from seqtutor.tasks.molecule.reward_settings import (
    PROPERTIES,
    CustomTerm,
    MoleculeRewardSettings,
    ScaledTerm,
    TrainingExtremes,
    WindowTerm,
)

# An aliphatic carbon outside brackets: not the C of Cl or Co.
_CARBONS = re.compile(r"(?:C(?![a-z]))+")

RECORDED = ("logp", "qed", "sa", "molecular_weight")
"""Properties in a run's record: those that a chemist looks for first."""

Values = Float[np.ndarray, " batch"]


@dataclass(frozen=True)
class Scores:
    """The measurements of a batch of strings.

    Attributes:
        strings: as they were given.
        is_valid: whether each is a molecule that could be measured.
        smiles: RDKit's canonical SMILES of each; `None` where not valid.
        scaffolds: the scaffold of each, if that was measured.
        columns: by name a number for each, NaN where not valid.
        fingerprints: of each valid one in order, if those were measured.
        reasons: by index why a string has no numbers, where that is known: always where measuring
            crashed, took too long or raised an exception.
        failures: by the name of a user's scorer, by index why a molecule has no score; NaN stands
            in its column.
    """

    strings: list[str]
    is_valid: Bool[np.ndarray, " batch"]
    smiles: list[str | None]
    scaffolds: list[str | None]
    columns: dict[str, Values]
    fingerprints: UInt8[np.ndarray, "valid bytes"]
    reasons: dict[int, str]
    failures: dict[str, dict[int, str]] = field(default_factory=dict)


def measurer_for(settings: MoleculeRewardSettings, goal: Goal | None = None) -> Measurer:
    """A measurer of all that the terms and the goal need, and no more.

    Raises:
        UserError: if a pattern, a molecule or the formula of the settings cannot be used, or the
            goal needs another molecule or formula than the settings name.
    """
    active = set(settings.weights)
    properties: list[str] = [n for n in ("logp", "sa", "qed", "alerts") if n in active]
    if "ring" in active:
        properties.append("excess_ring_atoms")
    properties += [name for name in PROPERTIES if f"window_{name}" in active]
    measurer = Measurer(
        tuple(dict.fromkeys(properties)),
        required=settings.required.smarts if "required" in active else (),
        forbidden=settings.forbidden.smarts if "forbidden" in active else (),
        similar_to=settings.similarity.to if "similarity" in active else (),
        radius=settings.similarity.radius,
        counted=settings.similarity.counted,
        formula=settings.isomer.formula if "isomer" in active else "",
        wants_scaffold="diversity" in active,
    )
    if goal is not None:
        measurer = _with_goal(measurer, goal)
    measurer.check()
    return measurer


def recording_measurer(settings: MoleculeRewardSettings, goal: Goal | None = None) -> Measurer:
    """The same with what a run's record tells of every molecule, whatever its reward.

    QED, the slowest, is told where it is measured anyway or a scorer of the user's takes longer.
    """
    measurer = measurer_for(settings, goal)
    told = [name for name in RECORDED if name != "qed" or settings.own_scorers]
    return replace(measurer, properties=tuple(dict.fromkeys((*measurer.properties, *told))))


def _with_goal(measurer: Measurer, goal: Goal) -> Measurer:
    """The measurer with the columns of the goal; it has one similarity and one formula only."""
    properties = tuple(dict.fromkeys((*measurer.properties, *goal.properties)))
    with_goal = replace(measurer, properties=properties)
    if goal.similar_to:
        with_goal = replace(with_goal, similar_to=(goal.similar_to,), radius=2, counted=True)
        require(
            not measurer.similar_to or with_goal == measurer,
            f"the goal is {goal.label}, and the reward's similarity another one; leave one out",
        )
    if goal.formula:
        with_goal = replace(with_goal, formula=goal.formula)
        require(
            measurer.formula in ("", goal.formula),
            f"the goal is {goal.label}, and the reward's formula {measurer.formula}; leave one out",
        )
    return with_goal


def terms_of(settings: MoleculeRewardSettings, scores: Scores) -> dict[str, Values]:
    """The active terms, not weighted, in the order of the settings' weights.

    Without `known`, which depends on the prior (`KnownMolecules`), and `diversity`, which depends
    on earlier batches (`ScaffoldMemory`). A score that failed counts as the setting `failed` of its
    scorer says.
    """
    columns = dict(scores.columns)
    for name, scorer in settings.own_scorers.items():
        columns[name] = with_neutral(columns[name], scores.is_valid, scorer)
    return _terms(settings, replace(scores, columns=columns))


def weighted_terms(settings: MoleculeRewardSettings, scores: Scores) -> dict[str, Values]:
    """The same terms, weighted; NaN where a score failed."""
    weights = settings.weights
    return {name: weights[name] * term for name, term in _terms(settings, scores).items()}


def with_neutral(values: Values, is_valid: Bool[np.ndarray, " batch"], term: CustomTerm) -> Values:
    """The scores with a neutral one in place of NaN: by default the mean of the others.

    Where no molecule has a score, their term is zero.
    """
    known = values[is_valid & np.isfinite(values)]
    mean = float(known.mean()) if len(known) else term.centre
    return np.where(np.isfinite(values), values, mean if term.failed is None else term.failed)


def _terms(settings: MoleculeRewardSettings, scores: Scores) -> dict[str, Values]:
    elsewhere = ("known", "diversity")
    return {n: _term(n, settings, scores) for n in settings.weights if n not in elsewhere}


def _term(name: str, settings: MoleculeRewardSettings, scores: Scores) -> Values:
    if name == "valid":
        return np.where(scores.is_valid, settings.valid.reward, settings.valid.penalty)
    if name.startswith("window_"):
        property_name = name.removeprefix("window_")
        window: WindowTerm = getattr(settings.window, property_name)
        term = in_window(scores.columns[property_name], window)
    elif name == "short":
        lengths = np.array([len(string) for string in scores.strings])
        term = np.minimum(0.0, lengths - settings.short.shortest)
    elif name == "carbons":
        runs = np.array([longest_carbon_run(string) for string in scores.strings])
        term = np.minimum(0.0, settings.carbons.most - runs)
    else:
        column, sign = _COLUMNS.get(name, (name, 1.0))
        term = sign * scores.columns[column]
        own = settings.scorers.get(name) or getattr(settings, name)
        if isinstance(own, ScaledTerm):
            term = (term - own.centre) / own.scale
    # Adding zero turns −0 into 0.
    return np.where(scores.is_valid, term + 0.0, 0.0)


_COLUMNS = {
    "sa": ("sa", -1.0),
    "ring": ("excess_ring_atoms", -1.0),
    "alerts": ("alerts", -1.0),
    "forbidden": ("forbidden", -1.0),
}
"""The column that a term is made of and its sign, where they are not the term's name and +."""


def in_window(values: Values, window: WindowTerm) -> Values:
    """1 within the window, e^(−d²/2) where a value is d times `falloff` away from it."""
    distance = np.zeros_like(values)
    if window.low is not None:
        distance = np.maximum(distance, window.low - values)
    if window.high is not None:
        distance = np.maximum(distance, values - window.high)
    return np.exp(-0.5 * (distance / window.falloff) ** 2)


def longest_carbon_run(smiles: str) -> int:
    """Length of the longest run of aliphatic carbons, written one directly after the other."""
    return max(map(len, _CARBONS.findall(smiles)), default=0)


def training_extremes(strings: Iterable[str]) -> TrainingExtremes:
    """The bounds that no string of a training set exceeds.

    Raises:
        UserError: if there is no string.
    """
    shortest, most_carbons = None, 0
    for string in strings:
        shortest = len(string) if shortest is None else min(shortest, len(string))
        # The regular expression is slow, and only needed where there may be a longer run.
        if "C" * (most_carbons + 1) in string:
            most_carbons = max(most_carbons, longest_carbon_run(string))
    if shortest is None:
        raise UserError("a training set without strings has no extremes")
    return TrainingExtremes(shortest, most_carbons)
