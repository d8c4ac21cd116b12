"""Fitting utilities to votes: the posterior of a linear model, by Laplace's approximation.

    u(x) = w·z(x),   w ~ N(0, 1/λ),   P(vote | d) as in `objectives/paired_comparison.py`

z are standardised features. Newton's method finds the most probable w, b and log ν; the inverse of
the Hessian there is the posterior covariance; λ is the one of greatest evidence

    log p(votes | λ) ≈ log p(votes | ŵ) + log p(ŵ | λ) − ½ log det H + const

(MacKay 1992, "The evidence framework applied to classification networks"). The log-posterior is
concave, so that the optimum is the only one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logsumexp

from seqtutor.errors import UserError

PRECISIONS = np.logspace(-1, 4, 11)
"""λ that are tried. A standardised feature of weight 1 moves the log-odds by 1."""
SIDE_PRECISION, TIE_PRECISION = 1.0, 0.25
"""Of the normal priors of b and log ν, whose standard deviations are 1 and 2."""
NEWTON_STEPS, LEAST_STEP = 50, 1e-4
TOLERANCE = 1e-9
"""In nats of the log-posterior: what the next step could gain."""


@dataclass(frozen=True)
class Posterior:
    """What votes say of the weights of features.

    Attributes:
        weights: the most probable ones.
        covariance: of the weights, b and log ν integrated out.
        bias: b, towards the left side, in nats.
        log_tie: log ν; `None` where no vote is a tie, with ν = 0.
        precision: λ.
        evidence: log p(votes | λ) up to a constant.
    """

    weights: Float[np.ndarray, " features"]
    covariance: Float[np.ndarray, "features features"]
    bias: float
    log_tie: float | None
    precision: float
    evidence: float


@dataclass(frozen=True)
class Predictions:
    """Of some votes: the differences of the utilities, their deviations, and P of each outcome."""

    differences: Float[np.ndarray, " votes"]
    deviations: Float[np.ndarray, " votes"]
    chances: Float[np.ndarray, "votes outcome"]


def fit(
    differences: Float[np.ndarray, "votes features"], scores: Float[np.ndarray, " votes"]
) -> Posterior:
    """The posterior at the λ of greatest evidence.

    Args:
        differences: z(left) − z(right).
        scores: 1, ½ or 0.

    Raises:
        UserError: if there are fewer than two votes that decide.
    """
    decided = scores != 0.5
    if decided.sum() < 2:
        raise UserError("at least two votes must prefer a side")
    best: Posterior | None = None
    start = None
    for precision in PRECISIONS[::-1]:
        start, found = _fit_at(differences, scores, precision, start)
        if best is None or found.evidence > best.evidence:
            best = found
    assert best is not None
    return best


def _fit_at(
    differences: np.ndarray, scores: np.ndarray, precision: float, start: np.ndarray | None
) -> tuple[np.ndarray, Posterior]:
    """Newton's method with halved steps; gives the parameters and the posterior."""
    features, has_ties = differences.shape[1], bool((scores == 0.5).any())
    priors = np.full(features + 1 + has_ties, precision)
    priors[features] = SIDE_PRECISION
    priors[features + 1 :] = TIE_PRECISION
    # The parameters' derivatives of the half difference; log ν has its own.
    design = np.column_stack([differences, np.ones(len(scores))]) / 2
    parameters = np.zeros(len(priors)) if start is None else start
    value, gradient, hessian = _log_posterior(parameters, design, scores, priors)
    for _ in range(NEWTON_STEPS):
        step = np.linalg.solve(hessian, gradient)
        expected_gain = gradient @ step / 2
        if expected_gain < TOLERANCE:
            break
        size = 1.0
        found = _log_posterior(parameters + step, design, scores, priors)
        while found[0] < value and size > LEAST_STEP:
            size /= 2
            found = _log_posterior(parameters + size * step, design, scores, priors)
        parameters = parameters + size * step
        value, gradient, hessian = found
    _, log_determinant = np.linalg.slogdet(hessian)
    evidence = value + 0.5 * np.log(priors).sum() - 0.5 * log_determinant
    covariance = np.linalg.inv(hessian)[:features, :features]
    tie = float(parameters[-1]) if has_ties else None
    own = parameters[:features], (covariance + covariance.T) / 2
    return parameters, Posterior(*own, float(parameters[features]), tie, precision, float(evidence))


def _log_posterior(
    parameters: np.ndarray, design: np.ndarray, scores: np.ndarray, priors: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """The log-posterior up to a constant, its gradient, and minus its Hessian."""
    sides = design.shape[1]
    half = design @ parameters[:sides]
    has_ties = len(parameters) > sides
    ties = np.full_like(half, parameters[-1] if has_ties else -np.inf)
    logits = np.stack([half, ties, -half], axis=1)
    logs = logits - logsumexp(logits, axis=1, keepdims=True)
    left, tie, right = np.exp(logs).T
    is_tie = scores == 0.5
    value = np.sum(logs[np.arange(len(scores)), np.where(scores == 1, 0, np.where(is_tie, 1, 2))])
    value -= 0.5 * np.sum(priors * parameters**2)
    # The statistics that the parameters multiply: left minus right, and the tie.
    shift = left - right
    gradient = design.T @ (2 * scores - 1 - shift)
    hessian = (design.T * (left + right - shift**2)) @ design
    if has_ties:
        gradient = np.append(gradient, np.sum(is_tie - tie))
        mixed = -design.T @ (shift * tie)
        corner = np.sum(tie * (1 - tie))
        hessian = np.block([[hessian, mixed[:, None]], [mixed[None], np.array([[corner]])]])
    return float(value), gradient - priors * parameters, hessian + np.diag(priors)


def predict(posterior: Posterior, differences: Float[np.ndarray, "votes features"]) -> Predictions:
    """What the posterior expects of votes on pairs with these differences of features.

    The chances are those of the mean difference shrunk by its uncertainty, κ·d with
    κ = (1 + π·σ²/8)^−½ (MacKay 1992, eq. 10).
    """
    means = differences @ posterior.weights
    variances = np.einsum("ij,jk,ik->i", differences, posterior.covariance, differences)
    shrunk = (means + posterior.bias) / np.sqrt(1 + np.pi * variances / 8)
    if posterior.log_tie is None:
        left = expit(shrunk)
        chances = np.stack([left, np.zeros_like(left), 1 - left], axis=1)
    else:
        half = shrunk / 2
        logits = np.stack([half, np.full_like(half, posterior.log_tie), -half], axis=1)
        chances = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
    return Predictions(means, np.sqrt(variances), chances)
