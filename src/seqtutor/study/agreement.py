"""Whether listeners agree, and whether they differ in taste by more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from seqtutor.measures.intervals import quantile
from seqtutor.study.bradley_terry import probabilities
from seqtutor.study.inference import Bounded, Inference
from seqtutor.study.tally import Tally, cells_of
from seqtutor.study.votes import Vote

PERMUTATIONS, MORE_PERMUTATIONS = 500, 5000
"""At first, and where the p of a direction is small, so that one or two do not decide it."""
_SMALL_P = 0.03
_SHARED = 0.5
"""Share of the votes on pairs of clips that several listeners heard, from which on these count."""


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's α for ordinal ratings: 1 if listeners agree, 0 if they do no more than chance.

    Attributes:
        alpha: with its 95 % interval over listeners, by the jackknife; NaN if it is not defined, as
            for a single listener or unit, and without ends where it is not without one of them.
        unit: what two listeners must both have rated to be compared: the same two clips, or, where
            few listeners heard the same clips, any clips of the same two models. The latter is far
            from 1 also among listeners of one mind, as each clip and each vote varies.
        units: how many of these two listeners or more have rated; the others cannot count.
    """

    alpha: Bounded
    unit: Literal["clips", "models"]
    units: int


def agreement(votes: Sequence[Vote]) -> Agreement:
    """Krippendorff's α of the ratings of the same two clips, or of the same two models."""
    compared = [vote for vote in votes if vote.kind == "comparison" and vote.left != vote.right]
    unit: Literal["clips", "models"] = "clips"
    table = _value_counts(compared, unit)
    if table.sum() < _SHARED * max(1, len(compared)):
        unit = "models"
        table = _value_counts(compared, unit)
    value, listeners = _alpha(table.sum(axis=0)), len(table)
    half = math.nan
    if listeners > 2 and not math.isnan(value):
        without = np.array([_alpha(table.sum(axis=0) - own) for own in table])
        error = math.sqrt((listeners - 1) / listeners * np.sum((without - without.mean()) ** 2))
        half = quantile(listeners - 1) * error
    high = float(np.minimum(1.0, value + half))
    return Agreement(Bounded(value, value - half, high), unit, table.shape[1])


def _value_counts(
    votes: Sequence[Vote], unit: Literal["clips", "models"]
) -> Int[np.ndarray, "listener unit 5"]:
    """How often each listener gave each rating to each unit that several listeners rated.

    Ratings are turned so that the sides of a unit agree.
    """
    listeners: dict[str, int] = {}
    units: dict[tuple[object, object], int] = {}
    found = []
    for vote in votes:
        left: tuple[object, ...] = (vote.left, *vote.left_clips)
        right: tuple[object, ...] = (vote.right, *vote.right_clips)
        if unit == "models":
            left, right = left[:1], right[:1]
        is_turned = str(left) > str(right)
        key = (right, left) if is_turned else (left, right)
        rating = -vote.rating if is_turned else vote.rating
        row = listeners.setdefault(vote.listener, len(listeners))
        found.append((row, units.setdefault(key, len(units)), rating + 2))
    table = np.zeros((len(listeners), len(units), 5), int)
    if found:
        np.add.at(table, tuple(np.array(found).T), 1)
    return table[:, (table.sum(axis=2) > 0).sum(axis=0) > 1]


def _alpha(value_counts: Int[np.ndarray, "unit 5"]) -> float:
    import krippendorff

    pairable = value_counts[value_counts.sum(axis=1) > 1]
    # Of one unit there is no chance agreement to compare with: α would be 0 whoever answered.
    if len(pairable) < 2 or (pairable.sum(axis=0) > 0).sum() < 2:
        return math.nan
    return float(
        krippendorff.alpha(
            value_counts=pairable, value_domain=[-2, -1, 0, 1, 2], level_of_measurement="ordinal"
        )
    )


@dataclass(frozen=True)
class Heterogeneity:
    """Whether listeners differ in taste.

    Attributes:
        spread: standard deviation of a listener's own log-odds of a model about the mean.
        p: of listeners being alike, from permutations of votes among them; it and what follows are
            NaN for a single listener.
        p_direction: the same of the direction in which they differ most, which finds groups.
        spread_along: the spread in that direction.
        design_effect: see `Inference`.
        direction: `Float["model"]`, of length 1, in which listeners differ most.
        leanings: `Float["listener"]`, each listener's lean along it in standard errors.
    """

    spread: float
    p: float
    p_direction: float
    spread_along: float
    design_effect: float
    direction: Float[np.ndarray, " model"]
    leanings: Float[np.ndarray, " listener"]


def heterogeneity(inference: Inference, generator: np.random.Generator) -> Heterogeneity:
    """Test whether listeners are alike, on the scores s_g of each listener's own log-odds.

    With residuals r = y − E[y] of y = ½, 0, −½ for left, none, right, s_g sums r (e_left − e_right)
    over a listener's votes. Among listeners who are alike, votes of one ordered pair of models may
    be exchanged, which gives the law of Σ|s_g|² and of the largest eigenvalue of Σ s_g s_gᵀ. Were
    listeners' log-odds drawn with variance τ², E Σ|s_g|² would be larger by τ² Σ tr I_g², I_g
    being a listener's information; this gives the spread τ.
    """
    counted = inference.tally
    if len(counted.listeners) < 2:
        return _unknown(len(counted.models), len(counted.listeners))
    votes = _Expanded.of(counted)
    residuals = votes.outcomes - votes.mean
    observed = _scores(votes, residuals[None])[0]
    size, along = _sizes(observed[None])

    def permuted_sizes(draws: int) -> Float[np.ndarray, "2 draw"]:
        return np.concatenate(
            [
                _sizes(_scores(votes, _permuted(votes, residuals, generator, 100)))
                for _ in range(draws // 100)
            ],
            axis=1,
        )

    permuted = permuted_sizes(PERMUTATIONS)
    if _p(along[0], permuted[1]) < _SMALL_P:
        more = permuted_sizes(MORE_PERMUTATIONS - PERMUTATIONS)
        permuted = np.concatenate([permuted, more], axis=1)
    information = _listener_information(counted, inference)
    scale = float(np.einsum("gij,gji->", information, information))
    direction = np.linalg.eigh(observed.T @ observed)[1][:, -1]
    variances = np.einsum("i,gij,j->g", direction, information, direction)
    errors = np.sqrt(variances)
    return Heterogeneity(
        _root(size[0] - permuted[0].mean(), scale),
        _p(size[0], permuted[0]),
        _p(along[0], permuted[1]),
        _root(along[0] - permuted[1].mean(), float((variances**2).sum())),
        inference.design_effect,
        direction,
        observed @ direction / np.maximum(errors, 1e-12),
    )


def _unknown(models: int, listeners: int) -> Heterogeneity:
    nothing = (np.full(models, np.nan), np.full(listeners, np.nan))
    return Heterogeneity(math.nan, math.nan, math.nan, math.nan, math.nan, *nothing)


def _root(excess: float, scale: float) -> float:
    """The standard deviation of a variance that explains an excess; 0 if there is none."""
    return math.sqrt(max(0.0, float(excess) / scale)) if scale > 0 else 0.0


@dataclass(frozen=True)
class _Expanded:
    """Votes one by one: whose, in which cell, and with which outcome y."""

    listener: Int[np.ndarray, " vote"]
    cell: Int[np.ndarray, " vote"]
    outcomes: Float[np.ndarray, " vote"]
    mean: Float[np.ndarray, " vote"]
    listeners: int
    models: int

    @classmethod
    def of(cls, counted: Tally) -> _Expanded:
        places = np.nonzero(counted.counts)
        often = counted.counts[places].astype(int)
        listener, cell, outcome = (np.repeat(one, often) for one in places)
        outcomes = (1 - outcome) / 2
        cells = counted.counts.shape[1]
        cast = np.bincount(cell, minlength=cells)
        mean = np.bincount(cell, outcomes, minlength=cells) / np.maximum(cast, 1)
        return cls(
            listener, cell, outcomes, mean[cell], len(counted.listeners), len(counted.models)
        )


def _scores(
    votes: _Expanded, residuals: Float[np.ndarray, "draw vote"]
) -> Float[np.ndarray, "draw listener model"]:
    from scipy.sparse import csr_array

    cells = np.array(cells_of(votes.models))[votes.cell]
    number = len(votes.cell)
    columns = (votes.listener[:, None] * votes.models + cells).ravel()
    signs = np.tile([1.0, -1.0], number)
    rows = np.repeat(np.arange(number), 2)
    matrix = csr_array((signs, (columns, rows)), shape=(votes.listeners * votes.models, number))
    return (matrix @ residuals.T).T.reshape(-1, votes.listeners, votes.models)


def _sizes(scores: Float[np.ndarray, "draw listener model"]) -> Float[np.ndarray, "2 draw"]:
    products = np.swapaxes(scores, 1, 2) @ scores
    return np.stack([np.trace(products, axis1=1, axis2=2), np.linalg.eigvalsh(products)[:, -1]])


def _permuted(
    votes: _Expanded, residuals: np.ndarray, generator: np.random.Generator, draws: int
) -> Float[np.ndarray, "draw vote"]:
    """The residuals of each cell dealt out anew to the votes of that cell."""
    keys = votes.cell + generator.random((draws, len(votes.cell)))
    into = np.argsort(votes.cell, kind="stable")
    permuted = np.empty(keys.shape)
    permuted[:, into] = residuals[np.argsort(keys, axis=1)]
    return permuted


def _p(observed: float, permuted: Float[np.ndarray, " draw"]) -> float:
    return float((1 + (permuted >= observed * (1 - 1e-9)).sum()) / (1 + len(permuted)))


def _listener_information(
    counted: Tally, inference: Inference
) -> Float[np.ndarray, "listener model model"]:
    """I_g: Fisher's information of a listener's votes on the log-odds of every model."""
    chance = probabilities(inference.fitted.parameters)
    y = np.array([0.5, 0.0, -0.5])
    variance = chance @ y**2 - (chance @ y) ** 2
    cells = np.array(cells_of(len(counted.models)))
    names = np.eye(len(counted.models))
    difference = names[cells[:, 0]] - names[cells[:, 1]]
    return np.einsum(
        "gc,c,ci,cj->gij", counted.counts.sum(axis=-1), variance, difference, difference
    )
