"""How many listeners a study needs to find a difference that is worth finding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from seqtutor.errors import UserError
from seqtutor.study.bradley_terry import vote_information

TIES = -0.7
"""ν that is taken before any vote is there: a fifth of comparisons of equal models are ties."""
LEVEL = 0.05
"""Of all tests of a study together."""
MOST_LISTENERS = 10_000
_CERTAIN = 6.0
"""Standard deviations of a normal variable beyond which nothing is left."""


@dataclass(frozen=True)
class PowerPlan:
    """What a study of a number of listeners finds.

    Attributes:
        listeners: how many.
        trials: comparisons of each of them.
        power: the probability of finding the effect.
        effect: log-odds between two models.
        share: of those with a preference, how many prefer the better model.
        spread: standard deviation of a listener's own log-odds of a model.
        tests: differences that are tested: all pairs. `LEVEL` is divided among them (Bonferroni,
            which bounds Holm).
    """

    listeners: int
    trials: int
    power: float
    effect: float
    spread: float
    tests: int

    @property
    def share(self) -> float:
        """Of listeners' preferences, those for the better model."""
        return 1 / (1 + math.exp(-self.effect))

    @property
    def in_words(self) -> str:
        """The power in per cent; it is never said to be certain."""
        return "over 99 %" if self.power > 0.99 else f"{100 * self.power:.0f} %"

    def __str__(self) -> str:
        many = f"each of {self.tests} differences" if self.tests > 1 else "a difference"
        return (
            f"{self.listeners} listeners with {self.trials} comparisons each: {many} as large as "
            f"{100 * self.share:.0f} : {100 * (1 - self.share):.0f} (log-odds {self.effect:.2f}) "
            f"is found in {self.in_words} of such studies, at the level {LEVEL:g} "
            f"for all together and a spread of tastes of {self.spread:g}."
        )


def power_of(
    listeners: int,
    effect: float,
    trials: int,
    models: int = 2,
    spread: float = 0.3,
) -> PowerPlan:
    """The power of the test of `Inference.test` in a plan of balanced pairs.

    The estimate of a listener has the variance V/n + 2τ²k², with n trials, V from Fisher's
    information of a vote, and the spread τ of tastes; Student's t over listeners is then
    noncentral. A wide spread pulls the log-odds of all votes together towards zero, by the factor
    k = 1/√(1 + 0.35·2τ²) (Zeger, Liang & Albert 1988).

    Args:
        listeners: how many.
        effect: log-odds of the better of two models over the other one; the rest stand between.
        trials: comparisons of each listener.
        models: how many are compared, pairs in balance.
        spread: τ.

    Raises:
        UserError: if an argument has no meaning.
    """
    if not 0 < abs(effect) < 10 or trials < 1 or models < 2 or spread < 0:
        raise UserError(
            "the power of a study needs an effect between 0 and 10, at least one trial and two "
            "models, and a spread of at least 0"
        )
    tests = models * (models - 1) // 2
    pull = 1 / math.sqrt(1 + 0.35 * 2 * spread**2)
    seen = pull * abs(effect)
    variance = _vote_variance(seen, models) / trials + 2 * (spread * pull) ** 2
    power = 0.0
    if listeners >= 2:
        power = _noncentral_power(seen / math.sqrt(variance / listeners), listeners, LEVEL / tests)
    return PowerPlan(listeners, trials, power, abs(effect), spread, tests)


def listeners_needed(
    effect: float,
    trials: int,
    power: float = 0.8,
    models: int = 2,
    spread: float = 0.3,
) -> PowerPlan:
    """The fewest listeners that give a power; the arguments are those of `power_of`.

    Raises:
        UserError: if an argument has no meaning, or `MOST_LISTENERS` are not enough.
    """
    if not 0 < power < 1:
        raise UserError(f"a power lies between 0 and 1, not at {power:g}")

    def plan(listeners: int) -> PowerPlan:
        return power_of(listeners, effect, trials, models, spread)

    enough = 2
    while plan(enough).power < power:
        enough *= 2
        if enough > MOST_LISTENERS:
            raise UserError(
                f"more than {MOST_LISTENERS:,} listeners would be needed for log-odds of "
                f"{effect:g}; ask for a larger effect, or for more comparisons of each listener"
            )
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if plan(middle).power < power:
            too_few = middle
        else:
            enough = middle
    return plan(enough)


def _vote_variance(effect: float, models: int) -> float:
    """The variance of the log-odds between two models from a single vote of a balanced plan."""
    parameters = np.zeros(models + 1)
    parameters[: models - 2] = -effect / 2
    parameters[models - 2] = -effect
    parameters[-1] = TIES
    information = vote_information(parameters).mean(axis=0)
    return float(np.linalg.inv(information)[models - 2, models - 2])


def _noncentral_power(noncentrality: float, listeners: int, level: float) -> float:
    from scipy.stats import nct, t

    degrees = listeners - 1
    edge = t.ppf(1 - level / 2, degrees)
    if noncentrality > 30 + edge:
        return 1.0
    # The other tail is below Φ(−noncentrality); where that is nothing, scipy gives NaN for it.
    other = nct.cdf(-edge, degrees, noncentrality) if noncentrality < _CERTAIN else 0.0
    return float(nct.sf(edge, degrees, noncentrality) + other)
