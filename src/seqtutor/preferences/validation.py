"""How well a preference model predicts votes on sequences that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize_scalar

from seqtutor.comparisons import ComparedSequences
from seqtutor.errors import UserError
from seqtutor.preferences.features import features_of
from seqtutor.preferences.fitting import fit, predict
from seqtutor.preferences.model import PreferenceModel, standardised, with_squares

FOLDS, BINS = 10, 5
NOISE = (
    "Held-out votes are predicted no better than by chance: as a reward this model is noise; more "
    "votes are needed."
)
STEEPEST = 20.0
"""Slope of the calibration that is looked for at most."""


@dataclass(frozen=True)
class CalibrationBin:
    """Votes of similar predictions: how many, P(left) as predicted, and the share that was left."""

    votes: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class Validation:
    """Measures over held-out votes.

    Attributes:
        votes: on how many.
        decided: how many of them prefer a side.
        accuracy: share of the decided ones whose side had the greater chance.
        standard_error: of the accuracy.
        log_loss: mean −log P of the vote, in nats, ties included.
        chance_log_loss: the same of a model that knows the bias and the share of ties alone.
        calibration_error: mean distance of predicted from observed P(left) over bins of equal size.
        slope: by which the predicted log-odds would have to be multiplied; below 1 the model is too
            sure of itself.
        bins: of the calibration.
    """

    votes: int
    decided: int
    accuracy: float
    standard_error: float
    log_loss: float
    chance_log_loss: float
    calibration_error: float
    slope: float
    bins: tuple[CalibrationBin, ...]

    @property
    def is_noise(self) -> bool:
        """Whether held-out votes are predicted no better than by chance."""
        return self.log_loss >= self.chance_log_loss


def validate(votes: ComparedSequences, model: PreferenceModel) -> Validation:
    """Cross-validation by sequences.

    The distinct sequences are dealt into ten parts. For each part a model learns from the votes
    without any sequence of it, and predicts the votes with at least one, so that every vote is
    predicted by models that have not seen one or both of its sequences. A vote that is predicted
    twice counts half each time.

    Args:
        votes: all of them.
        model: whose features are taken; its weights are not.

    Raises:
        UserError: if there are too few votes.
    """
    values = features_of(model.features, votes.both)
    number = len(votes)
    parts = parts_of_sequences(votes)
    left, right = parts[:number], parts[number:]
    rows, chances, counted = [], [], []
    chance_losses = []
    for part in range(FOLDS):
        held_out = (left == part) | (right == part)
        if not held_out.any():
            continue
        training = np.flatnonzero(~held_out)
        scale = standardised(np.concatenate([values[training], values[number + training]]))
        z = with_squares((values - scale.center) / scale.scale, model.weights.squares)
        differences = z[:number] - z[number:]
        posterior = fit(differences[training], votes.scores[training])
        own = np.flatnonzero(held_out)
        chances.append(predict(posterior, differences[own]).chances)
        rows.append(own)
        counted.append(np.where(left[own] == right[own], 1.0, 0.5))
        chance_losses.append(_losses(_shares(votes.scores[training], len(own)), votes.scores[own]))
    row, weight = np.concatenate(rows), np.concatenate(counted)
    return _measures(
        np.concatenate(chances), votes.scores[row], weight, np.concatenate(chance_losses)
    )


def parts_of_sequences(votes: ComparedSequences, seed: int = 0) -> Int[np.ndarray, " sequences"]:
    """The part of each left and then of each right sequence; equal sequences are in one."""
    both = votes.both
    padded = np.where(both.mask, both.tokens, -1)
    _, distinct = np.unique(padded, axis=0, return_inverse=True)
    distinct = distinct.reshape(-1)
    count = int(distinct.max()) + 1
    if count < FOLDS:
        raise UserError(
            f"the votes are on {count} different sequences; at least {FOLDS} are needed, such as "
            "those of a study of two models with --clips 5 or more"
        )
    return (np.random.default_rng(seed).permutation(count) % FOLDS)[distinct]


def _shares(scores: Float[np.ndarray, " votes"], number: int) -> Float[np.ndarray, "n outcome"]:
    """The shares of the outcomes, with half a vote more for each, as the prediction of `number`."""
    counts = np.array([(scores == one).sum() + 0.5 for one in (1, 0.5, 0)])
    if not (scores == 0.5).any():
        counts[1] = 0.0
    return np.tile(counts / counts.sum(), (number, 1))


def _losses(
    chances: Float[np.ndarray, "votes outcome"], scores: Float[np.ndarray, " votes"]
) -> Float[np.ndarray, " votes"]:
    outcome = np.where(scores == 1, 0, np.where(scores == 0.5, 1, 2))
    return -np.log(np.maximum(chances[np.arange(len(scores)), outcome], 1e-12))


def _measures(
    chances: Float[np.ndarray, "votes outcome"],
    scores: Float[np.ndarray, " votes"],
    weights: Float[np.ndarray, " votes"],
    chance_losses: Float[np.ndarray, " votes"],
) -> Validation:
    decided = scores != 0.5
    predicted = (chances[:, 0] / (chances[:, 0] + chances[:, 2]))[decided]
    is_left, own = scores[decided] == 1, weights[decided]
    accuracy = float(np.average((predicted > 0.5) == is_left, weights=own))
    bins = _bins(predicted, is_left)
    sizes = [one.votes for one in bins]
    error = np.average([abs(one.predicted - one.observed) for one in bins], weights=sizes)
    number = round(float(own.sum()))
    return Validation(
        votes=round(float(weights.sum())),
        decided=number,
        accuracy=accuracy,
        standard_error=float(np.sqrt(accuracy * (1 - accuracy) / max(number, 1))),
        log_loss=float(np.average(_losses(chances, scores), weights=weights)),
        chance_log_loss=float(np.average(chance_losses, weights=weights)),
        calibration_error=float(error),
        slope=_slope(predicted, is_left, own),
        bins=bins,
    )


def _bins(
    predicted: Float[np.ndarray, " votes"], is_left: Bool[np.ndarray, " votes"]
) -> tuple[CalibrationBin, ...]:
    order = np.argsort(predicted, kind="stable")
    return tuple(
        CalibrationBin(len(rows), float(predicted[rows].mean()), float(is_left[rows].mean()))
        for rows in np.array_split(order, BINS)
        if len(rows)
    )


def _slope(
    predicted: Float[np.ndarray, " votes"],
    is_left: Bool[np.ndarray, " votes"],
    weights: Float[np.ndarray, " votes"],
) -> float:
    """The factor on the log-odds under which the votes are most likely."""
    log_odds = np.log(predicted) - np.log1p(-predicted)
    signed = np.where(is_left, log_odds, -log_odds)

    def loss(slope: float) -> float:
        return float(np.average(np.logaddexp(0.0, -slope * signed), weights=weights))

    return float(minimize_scalar(loss, bounds=(0.0, STEEPEST), method="bounded").x)
