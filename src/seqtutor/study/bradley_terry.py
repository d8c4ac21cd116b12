"""The Bradley–Terry model with ties and a term for the side (Davidson 1970).

With the log-odds θ of each model against the first, β of the left side and ν of ties,

    P(left) ∝ exp(d/2),  P(none) ∝ exp(ν),  P(right) ∝ exp(−d/2),  d = θ_left − θ_right + β   (1)

so that d is the log-odds of left over right among those who have a preference. It is an exponential
family: the log-likelihood is concave, and its sufficient statistics are the wins of each model, the
wins of the left side and the ties.

Why this and not the five steps of the scale: d keeps its meaning, the odds that one model is
preferred, however freely a listener uses the word "much".

Estimates maximise the likelihood times Jeffreys' prior √|I| (Firth 1993, Biometrika 80), which is
worth half a vote a parameter. It removes the bias of order 1/n of plain maximum likelihood, away
from zero, and keeps the estimate finite where a model won always. Where the likelihood itself has
no maximum, `unbounded_ends` says in which direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from seqtutor.study.tally import cells_of

_ITERATIONS, _LONGEST_STEP = 60, 1.5
_RIDGE = 1e-9
"""Added to the information so that a term that no vote tells about stays at zero."""


@dataclass(frozen=True)
class Fit:
    """Estimates of equation (1), for one study or for a batch of them.

    Attributes:
        parameters: `Float["*batch parameter"]`: θ of all models but the first, then β, then ν.
        information: `Float["*batch parameter parameter"]`, of Fisher, at the estimates.
    """

    parameters: Float[np.ndarray, "*batch parameter"]
    information: Float[np.ndarray, "*batch parameter parameter"]

    @property
    def strengths(self) -> Float[np.ndarray, "*batch model"]:
        """θ of every model, 0 for the first."""
        others = self.parameters[..., :-2]
        return np.concatenate([np.zeros_like(others[..., :1]), others], axis=-1)

    @property
    def position(self) -> Float[np.ndarray, "*batch"]:
        """β, the log-odds of the left side between equal models."""
        return self.parameters[..., -2]

    @property
    def ties(self) -> Float[np.ndarray, "*batch"]:
        """ν; the share of ties between equal models without β is exp(ν) / (2 + exp(ν))."""
        return self.parameters[..., -1]

    @property
    def covariance(self) -> Float[np.ndarray, "*batch parameter parameter"]:
        """The inverse of the information: right if all votes are independent."""
        return np.linalg.inv(_with_ridge(self.information))


def design(models: int) -> Float[np.ndarray, "cell outcome parameter"]:
    """The derivatives of the exponents of equation (1) by the parameters."""
    cells = cells_of(models)
    found = np.zeros((len(cells), 3, models + 1))
    for place, (left, right) in enumerate(cells):
        for model, sign in ((left, 0.5), (right, -0.5)):
            if model > 0:
                found[place, 0, model - 1] += sign
                found[place, 2, model - 1] -= sign
    found[:, 0, -2], found[:, 2, -2] = 0.5, -0.5
    found[:, 1, -1] = 1.0
    return found


def probabilities(
    parameters: Float[np.ndarray, "*batch parameter"],
    x: Float[np.ndarray, "cell outcome parameter"] | None = None,
) -> Float[np.ndarray, "*batch cell outcome"]:
    """Equation (1) for every ordered pair of models; `x` is `design` unless given."""
    if x is None:
        x = design(parameters.shape[-1] - 1)
    exponents = np.einsum("...p,cop->...co", parameters, x)
    found = np.exp(exponents - exponents.max(axis=-1, keepdims=True))
    return found / found.sum(axis=-1, keepdims=True)


def vote_information(
    parameters: Float[np.ndarray, "*batch parameter"],
) -> Float[np.ndarray, "*batch cell parameter parameter"]:
    """Fisher's information of one vote on every ordered pair of models."""
    x, chance = design(parameters.shape[-1] - 1), probabilities(parameters)
    mean = np.einsum("...co,cop->...cp", chance, x)
    squares = np.einsum("...co,cop,coq->...cpq", chance, x, x, optimize=True)
    return squares - mean[..., :, None] * mean[..., None, :]


def contrast(models: int, one: int, other: int) -> Float[np.ndarray, " parameter"]:
    """The weights of θ of a model minus θ of another one, by number."""
    names = np.eye(models + 1, k=-1)[:models]
    return names[one] - names[other]


def fit(
    counts: Float[np.ndarray, "*batch cell outcome"],
    models: int,
    tolerance: float = 1e-9,
) -> Fit:
    """Maximise the likelihood of equation (1) times Jeffreys' prior, by Fisher scoring.

    Args:
        counts: votes; a batch of studies is fitted at once.
        models: how many there are.
        tolerance: largest change of a parameter in the last step.
    """
    counts = np.asarray(counts, np.float64)
    batch, width = counts.shape[:-2], models + 1
    flat = counts.reshape(-1, *counts.shape[-2:])
    start = np.zeros((len(flat), width))
    fitted = _maximise(flat, start, design(models), np.ones(width, bool), tolerance)
    return Fit(
        fitted.parameters.reshape(*batch, width),
        fitted.information.reshape(*batch, width, width),
    )


def profile(
    counts: Float[np.ndarray, "cell outcome"],
    models: int,
    contrast: Float[np.ndarray, " parameter"],
    values: Float[np.ndarray, " value"],
) -> Float[np.ndarray, " value"]:
    """The penalised log-likelihood's maximum where a weighted sum of parameters has given values.

    The sum takes the place of the parameter with the largest weight.
    """
    place = int(np.argmax(np.abs(contrast)))
    back = np.eye(len(contrast))
    back[place] = np.where(np.arange(len(contrast)) == place, 1.0, -contrast) / contrast[place]
    x = design(models) @ back
    start = np.zeros((len(values), len(contrast)))
    start[:, place] = values
    tiled = np.tile(counts, (len(values), 1, 1))
    fitted = _maximise(tiled, start, x, np.arange(len(contrast)) != place, 1e-5)
    chance = probabilities(fitted.parameters, x)
    _, logarithm = np.linalg.slogdet(_with_ridge(fitted.information))
    logs = np.log(np.maximum(chance, 1e-300))
    return (tiled * logs).sum(axis=(-1, -2)) + logarithm / 2


def _maximise(
    counts: np.ndarray, start: np.ndarray, x: np.ndarray, free: np.ndarray, tolerance: float
) -> Fit:
    parameters = start.copy()
    information = np.empty((len(counts), x.shape[-1], x.shape[-1]))
    active = np.arange(len(counts))
    for _ in range(_ITERATIONS):
        score, information[active] = _score(counts[active], parameters[active], x)
        step = np.zeros_like(score)
        inside = _with_ridge(information[active][:, free][:, :, free])
        step[:, free] = np.linalg.solve(inside, score[:, free, None])[..., 0]
        longest = np.abs(step).max(axis=-1, initial=0.0)
        scale = np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, 1e-300))
        parameters[active] += step * scale[:, None]
        active = active[longest > tolerance]
        if active.size == 0:
            break
    return Fit(parameters, information)


def _score(
    counts: np.ndarray, parameters: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of the penalised log-likelihood, and Fisher's information.

    Half the derivative of log|I| is that of votes added in each cell: p h/2 of each outcome for
    every vote cast there, with the leverage h = (x − μ)ᵀ I⁻¹ (x − μ).
    """
    cells, outcomes, width = x.shape
    flat_x = x.reshape(-1, width)
    chance = probabilities(parameters, x)
    cast = counts.sum(axis=-1, keepdims=True)
    mean = np.einsum("bco,cop->bcp", chance, x)
    expected = (cast * chance).reshape(-1, cells * outcomes)
    products = (flat_x[:, :, None] * flat_x[:, None, :]).reshape(-1, width * width)
    information = (expected @ products).reshape(-1, width, width)
    information -= np.swapaxes(cast * mean, 1, 2) @ mean
    inverse = np.linalg.inv(_with_ridge(information))
    across = mean @ inverse
    leverage = (inverse.reshape(-1, width * width) @ products.T).reshape(-1, cells, outcomes)
    leverage -= 2 * np.einsum("bcp,cop->bco", across, x)
    leverage += (across * mean).sum(axis=-1, keepdims=True)
    added = cast * chance * leverage / 2
    residual = counts + added - (cast + added.sum(axis=-1, keepdims=True)) * chance
    return residual.reshape(-1, cells * outcomes) @ flat_x, information


def _with_ridge(information: np.ndarray) -> np.ndarray:
    return information + _RIDGE * np.eye(information.shape[-1])


def is_bounded(counts: Float[np.ndarray, "cell outcome"], models: int) -> bool:
    """Whether the likelihood falls in every direction, so that it has one maximum."""
    from scipy.optimize import linprog

    if counts.min() > 0:
        return True
    rows = _not_falling(counts, models)
    if np.linalg.matrix_rank(rows) < rows.shape[1]:
        return False
    solved = linprog(rows.sum(axis=0), A_ub=rows, b_ub=np.zeros(len(rows)), bounds=(-1.0, 1.0))
    return bool(solved.fun > -1e-7)


def unbounded_ends(
    counts: Float[np.ndarray, "cell outcome"],
    models: int,
    contrasts: Float[np.ndarray, "contrast parameter"],
) -> Bool[np.ndarray, "contrast 2"]:
    """Whether the votes leave a weighted sum of parameters without a lower and an upper end.

    The likelihood does not fall along a direction v if for every outcome that was seen and every
    other outcome of its cell (x_seen − x_other)·v ≥ 0. A sum c·φ has no upper end if one of these
    directions raises it (linear programming, as Konis 2007 does for logistic regression).
    """
    from scipy.optimize import linprog

    rows = _not_falling(counts, models)
    found = np.zeros((len(contrasts), 2), bool)
    for place, contrast in enumerate(contrasts):
        for end, sign in enumerate((1.0, -1.0)):
            solved = linprog(
                sign * contrast, A_ub=rows, b_ub=np.zeros(len(rows)), bounds=(-1.0, 1.0)
            )
            found[place, end] = solved.fun < -1e-7
    return found


def _not_falling(
    counts: Float[np.ndarray, "cell outcome"], models: int
) -> Float[np.ndarray, "row parameter"]:
    """Rows x_other − x_seen: the likelihood does not fall along v where rows · v ≤ 0."""
    x = design(models)
    rows = [
        x[cell, other] - x[cell, seen]
        for cell, seen in zip(*np.nonzero(counts), strict=True)
        for other in range(3)
        if other != seen
    ]
    return np.unique(np.array(rows).reshape(-1, x.shape[-1]), axis=0)
