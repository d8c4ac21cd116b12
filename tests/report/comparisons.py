"""Measured policies with made-up numbers, shared by the tests of the comparison's reports."""

from __future__ import annotations

import numpy as np

from seqtutor.measure import Estimate
from seqtutor.report.frontier import BEST_OF_N, PRIOR, TEMPERATURE, MeasuredPolicy

ERRORS = {"reward": 0.02, "kl": 0.001, "entropy": 0.001}


def estimates(values: dict[str, float]) -> dict[str, Estimate]:
    """The values with the standard errors that are known."""
    unknown = float("nan")
    return {name: Estimate(value, ERRORS.get(name, unknown)) for name, value in values.items()}


def policy(
    name: str, seed: int, c: float, kl: float, reward: float, **others: float
) -> MeasuredPolicy:
    """A tuned policy; its other measures follow from its KL divergence."""
    values = {
        "reward": reward,
        "kl": kl,
        "objective": reward / c - kl,
        "entropy": 3.0 - 0.1 * kl,
        "log_prior": -1.0 - 0.01 * kl,
        "distinct": 1.0 - 0.02 * kl,
        "self_similarity": 0.02 * kl,
        "seconds": 10.0 + seed,
    }
    return MeasuredPolicy(name, seed, estimates(values | others), c=c, discount=0.9)


def control(name: str, parameter: float | None, kl: float, reward: float) -> MeasuredPolicy:
    """What the prior gives without training."""
    values = {"reward": reward, "kl": kl, "distinct": 1.0, "log_prior": -1.1}
    if name != BEST_OF_N:
        values |= {"entropy": 3.0, "self_similarity": 0.1}
    return MeasuredPolicy(name, 0, estimates(values), parameter=parameter)


def controls() -> list[MeasuredPolicy]:
    """The prior, a temperature on either side, two values of n."""
    return [
        control(PRIOR, None, 0.0, 0.0),
        control(TEMPERATURE, 0.5, 3.0, -90.0),
        control(TEMPERATURE, 2.0, 2.0, 0.5),
        control(BEST_OF_N, 4, 0.6, 3.0),
        control(BEST_OF_N, 64, 3.2, 6.0),
    ]


def runs(name: str, height: float, *, seeds: int = 3, spread: float = 0.05) -> list[MeasuredPolicy]:
    """A method that earns `height` more than log(1 + KL), at three values of c."""
    generator = np.random.default_rng(len(name))
    return [
        policy(
            name,
            seed,
            c,
            kl,
            height + float(np.log1p(kl)) + spread * float(generator.normal()),
        )
        for c, kl in ((0.5, 20.0), (1.0, 8.0), (2.0, 2.0))
        for seed in range(seeds)
    ]
