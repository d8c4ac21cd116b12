"""What the optimum π* = p·exp(r/c)/Z itself is like, estimated from weighted particles.

The probability of a sequence under π* is known but for Z, log π* = log p + r/c − log Z, and
expectations under π* are means over particles by their weights W, whose mean is Z:

    H(π*)       = log Z − E_π*[log p + r/c]
    distinct(n) = E[different sequences among n of π*]/n = E_π*[ (1 − (1 − π*(τ))^n)/(n·π*(τ)) ]

Where few sequences hold most of π*, particles on their way to p·exp(r/c) seldom meet them. A search
does, by particles that obey the reward more. Whatever it finds, the mass of different sequences is
part of Z:

    Z ≥ M = Σ over different τ found of p(τ)·exp(r(τ)/c),

for certain. If M is more than the particles' estimate of Z, the optimum is taken to be what was
found, each sequence in proportion to its mass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from seqtutor.measure import Estimate
from seqtutor.measures.particles import Particles

PerParticle = Float[np.ndarray, "group particle"]


@dataclass(frozen=True)
class Optimum:
    """What is known of π*.

    Attributes:
        log_z: an estimate of log Z.
        log_mass: log M, which log Z is not below.
        entropy: H(π*) in nats a sequence; its standard error, where there is one, is over groups.
        distinct: the share of different sequences among a number of samples of π*.
    """

    log_z: float
    log_mass: float
    entropy: Estimate
    distinct: Estimate


def optimum_of(
    found: Particles, c: float, number: int, searched: Sequence[Particles] = ()
) -> Optimum:
    """What particles at a c, and of a search at others, tell about the optimum at that c.

    Args:
        found: particles whose target is p·exp(r/c).
        c: divides the reward.
        number: of samples of π* among which different ones are counted.
        searched: particles of other targets, from the same prior.
    """
    masses = log_masses([found, *searched], c)
    log_mass, log_z = float(logsumexp(masses)), _log_mean(found.log_z)
    if log_mass <= log_z:
        entropy, distinct = _entropy(found, c), _distinct(found, c, number)
        return Optimum(log_z, log_mass, entropy, distinct)
    log_probability = masses - log_mass
    probability = np.exp(log_probability)
    entropy = Estimate(max(float(-(probability * log_probability).sum()), 0.0))
    distinct = Estimate(float((probability * _seen_once(log_probability, number)).sum()))
    return Optimum(log_mass, log_mass, entropy, distinct)


def log_masses(found: Sequence[Particles], c: float) -> Float[np.ndarray, " different"]:
    """Log p + r/c of every different sequence."""
    rows = np.concatenate([one.tokens.reshape(-1, one.tokens.shape[-1]) for one in found])
    target = np.concatenate([_log_target(one, c).reshape(-1) for one in found])
    _, first = np.unique(rows, axis=0, return_index=True)
    different: np.ndarray = target[first]
    return different


def _entropy(found: Particles, c: float) -> Estimate:
    """H(π*); the standard error is that of the delta method."""
    value, influence = _mean_under_optimum(found, _log_target(found, c))
    log_z = _log_mean(found.log_z)
    shares = np.exp(found.log_z - log_z)
    return Estimate(max(log_z - value, 0.0), _error(shares - 1 - influence), len(shares))


def _distinct(found: Particles, c: float, number: int) -> Estimate:
    log_probability = np.minimum(_log_target(found, c) - _log_mean(found.log_z), 0.0)
    share, _ = _mean_under_optimum(found, _seen_once(log_probability, number))
    return Estimate(min(share, 1.0))


def _seen_once(
    log_probability: Float[np.ndarray, "*shape"], number: int
) -> Float[np.ndarray, "*shape"]:
    """(1 − (1 − π)^n)/(n·π), which is 1 where π is near zero."""
    probability = np.exp(log_probability)
    with np.errstate(divide="ignore"):
        seen = -np.expm1(number * np.log1p(-np.minimum(probability, 1.0)))
    expected = number * probability
    share: np.ndarray = np.divide(seen, expected, out=np.ones_like(seen), where=expected > 1e-12)
    return share


def _log_target(found: Particles, c: float) -> PerParticle:
    return found.log_prior.astype(np.float64) + found.reward.astype(np.float64) / c


def _log_mean(log_values: Float[np.ndarray, " group"]) -> float:
    return float(logsumexp(log_values)) - math.log(len(log_values))


def _mean_under_optimum(
    found: Particles, values: PerParticle
) -> tuple[float, Float[np.ndarray, " group"]]:
    """E_π* of what each particle has, and by how much each group moves it."""
    weights = np.asarray(found.log_weights, np.float64)
    relative = np.exp(weights - logsumexp(weights)) * len(weights)
    of_groups = (relative * values).sum(axis=1)
    value = float(of_groups.mean())
    return value, of_groups - value * relative.sum(axis=1)


def _error(influence: Float[np.ndarray, " group"]) -> float:
    if len(influence) < 2:
        return math.nan
    return float(influence.std(ddof=1)) / math.sqrt(len(influence))
