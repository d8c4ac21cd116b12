"""The named terms of a molecule's reward, from what was measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, UInt8

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.tasks.molecule.goals import Goal
from seqtutor.tasks.molecule.measure import Measurer
from seqtutor.tasks.molecule.reward_settings import (
    PROPERTY_NAMES,
    MoleculeRewardSettings,
    ScaledTerm,
    TrainingExtremes,
    WindowTerm,
)

# An aliphatic carbon outside brackets: not the C of Cl or Co.
_CARBONS = re.compile(r"(?:C(?![a-z]))+")

Values = Float[np.ndarray, " batch"]


@dataclass(frozen=True)
class Scores:
    """What was found of a batch of strings.

    Attributes:
        strings: as they were given.
        is_valid: whether each is a molecule that could be measured.
        smiles: RDKit's canonical SMILES of each; `None` where not valid.
        scaffolds: the scaffold of each, if that was wanted.
        columns: by name a number for each, NaN where not valid.
        fingerprints: of each valid one in order, if those were wanted.
        reasons: by index why a string has no numbers, where that is known: always where measuring
            crashed, took too long or raised an exception.
    """

    strings: list[str]
    is_valid: Bool[np.ndarray, " batch"]
    smiles: list[str | None]
    scaffolds: list[str | None]
    columns: dict[str, Values]
    fingerprints: UInt8[np.ndarray, "valid bytes"]
    reasons: dict[int, str]


def measurer_for(settings: MoleculeRewardSettings, goal: Goal | None = None) -> Measurer:
    """What measures all that the terms and the goal need, and no more.

    Raises:
        UserError: if a pattern, a molecule, the formula or the function in the settings is none, or
            the goal needs another molecule or formula than the settings name.
    """
    active = set(settings.weights)
    properties: list[str] = [n for n in ("logp", "sa", "qed", "alerts") if n in active]
    if "ring" in active:
        properties.append("excess_ring_atoms")
    properties += [name for name in PROPERTY_NAMES if f"window_{name}" in active]
    measurer = Measurer(
        tuple(dict.fromkeys(properties)),
        required=settings.required.smarts if "required" in active else (),
        forbidden=settings.forbidden.smarts if "forbidden" in active else (),
        similar_to=settings.similarity.to if "similarity" in active else (),
        radius=settings.similarity.radius,
        counted=settings.similarity.counted,
        formula=settings.isomer.formula if "isomer" in active else "",
        custom=settings.custom.function if "custom" in active else "",
        wants_scaffold="diversity" in active,
    )
    if goal is not None:
        measurer = _with_goal(measurer, goal)
    measurer.check()
    return measurer


def _with_goal(measurer: Measurer, goal: Goal) -> Measurer:
    """What measures the goal, too; a measurer knows one similarity and one formula only."""
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
    """The terms that take part, not yet weighted, in the order of the settings' weights.

    All but `known`, which depends on the prior (`KnownMolecules`), and `diversity`, which depends
    on what came before (`ScaffoldMemory`).
    """
    elsewhere = ("known", "diversity")
    return {n: _term(n, settings, scores) for n in settings.weights if n not in elsewhere}


def weighted_terms(settings: MoleculeRewardSettings, scores: Scores) -> dict[str, Values]:
    """What each of these terms earns."""
    weights = settings.weights
    return {name: weights[name] * term for name, term in terms_of(settings, scores).items()}


def _term(name: str, settings: MoleculeRewardSettings, scores: Scores) -> Values:
    if name == "valid":
        return np.where(scores.is_valid, settings.valid.reward, settings.valid.penalty)
    if name.startswith("window_"):
        property_name = name.removeprefix("window_")
        window: WindowTerm = getattr(settings.window, property_name)
        term = in_window(scores.columns[property_name], window)
    elif name in _OF_STRINGS:
        term = _OF_STRINGS[name](settings, scores.strings)
    else:
        column, sign = _COLUMNS.get(name, (name, 1.0))
        term = sign * scores.columns[column]
        own = getattr(settings, name)
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


def _short(settings: MoleculeRewardSettings, strings: list[str]) -> Values:
    assert settings.short.shortest is not None
    return np.minimum(0.0, np.array([len(string) for string in strings]) - settings.short.shortest)


def _carbons(settings: MoleculeRewardSettings, strings: list[str]) -> Values:
    assert settings.carbons.most is not None
    runs = np.array([longest_carbon_run(string) for string in strings])
    return np.minimum(0.0, settings.carbons.most - runs)


_OF_STRINGS: dict[str, Callable[[MoleculeRewardSettings, list[str]], Values]] = {
    "short": _short,
    "carbons": _carbons,
}


def longest_carbon_run(smiles: str) -> int:
    """Aliphatic carbons written one directly after the other, at most."""
    return max(map(len, _CARBONS.findall(smiles)), default=0)


def training_extremes(strings: Iterable[str]) -> TrainingExtremes:
    """What no string of a training set goes beyond.

    Raises:
        UserError: if there is no string.
    """
    shortest, most_carbons = None, 0
    for string in strings:
        shortest = len(string) if shortest is None else min(shortest, len(string))
        # No search where a longer run than the longest so far is not there.
        if "C" * (most_carbons + 1) in string:
            most_carbons = max(most_carbons, longest_carbon_run(string))
    if shortest is None:
        raise UserError("a training set without strings has no extremes")
    return TrainingExtremes(shortest, most_carbons)
