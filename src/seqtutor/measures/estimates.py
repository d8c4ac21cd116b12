"""From one number per sequence to estimates with standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import ArrayLike

from seqtutor.errors import UserError, in_one_line, place_in
from seqtutor.measure import Estimate, Measure, MeasureGroup
from seqtutor.measures.intervals import quantile
from seqtutor.vocabulary import Vocabulary

UNKNOWN = Estimate(math.nan)

ROUNDING = 1e-9
"""Deviations from a share that are smaller are taken for zero."""


def mean_estimate(values: ArrayLike) -> Estimate:
    """The mean of independent values with its standard error; NaN values are left out.

    The standard error is NaN for a single value and for values that are all equal.

    Args:
        values: `Float["sequence"]`.
    """
    array = np.asarray(values, np.float64)
    array = array[~np.isnan(array)]
    count = len(array)
    if count == 0:
        return UNKNOWN
    # Values that are all equal do not tell by how much others would differ.
    error = array.std(ddof=1) / math.sqrt(count) if np.ptp(array) else math.nan
    return Estimate(float(array.mean()), float(error), count)


def ratio_estimate(numerators: ArrayLike, denominators: ArrayLike) -> Estimate:
    """R = Σ y_i / Σ x_i over independent sequences i with its standard error.

    Sequences are independent, the steps of one are not. So the standard error is that of the ratio
    of two means over sequences, by the delta method:

        se(R)² = n / (n − 1) · Σ (y_i − R x_i)² / (Σ x_i)²

    Args:
        numerators: y, `Float["sequence"]`.
        denominators: x, `Float["sequence"]`, such as the number of steps.
    """
    y, x = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    count, total = len(x), x.sum()
    if total == 0:
        return UNKNOWN
    ratio = y.sum() / total
    if count < 2:
        return Estimate(float(ratio), math.nan, count)
    squares = np.square(y - ratio * x).sum()
    error = math.sqrt(squares * count / (count - 1)) / float(total)
    return Estimate(float(ratio), error, count)


def mean_share_estimate(values: ArrayLike) -> Estimate:
    """The mean of shares of independent sequences; NaN values are left out.

    Args:
        values: `Float["sequence"]` from 0 to 1, or booleans.
    """
    array = np.asarray(values, np.float64)
    array = array[~np.isnan(array)]
    return share_estimate(array, np.ones(len(array)))


def share_estimate(numerators: ArrayLike, denominators: ArrayLike) -> Estimate:
    """The share R = Σ y_i / Σ x_i of events among trials, such as steps, of sequences i.

    The trials of one sequence depend on each other. As many independent ones as would have the
    standard error of `ratio_estimate` are R (1 − R) / se² (Korn & Graubard 1998, "Confidence
    intervals for proportions with small expected number of positive counts estimated from survey
    data"). They are fewer by the square of the quantile of the normal law over that of Student's t,
    since se is an estimate: of the few sequences that have events, or lack some, or differ from R.
    At worst all trials of a sequence have one outcome; then there are (Σ x_i)² / Σ x_i².

    Args:
        numerators: y, `Float["sequence"]`, from 0 to x; if some are outside, there are no `trials`.
        denominators: x, `Float["sequence"]`.
    """
    y, x = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    found = ratio_estimate(y, x)
    if math.isnan(found.value) or (y < 0).any() or (y > x).any():
        return found
    trials = _number_of_equal_size(x)
    deviations = y - found.value * x
    deviations[np.abs(deviations) < ROUNDING] = 0.0
    telling = (y, x - y, np.square(deviations))
    degrees = min(map(_number_of_equal_size, telling)) - 1
    if degrees > 0:
        independent = found.value * (1 - found.value) / found.standard_error**2
        trials = max(trials, independent * (quantile(math.inf) / quantile(degrees)) ** 2)
    return replace(found, trials=trials)


def _number_of_equal_size(parts: np.ndarray) -> float:
    """How many parts of equal size would have the same sum and the same sum of squares."""
    squares = float(np.square(parts).sum())
    return float(parts.sum()) ** 2 / squares if squares > 0 else 0.0


def estimates_of(
    measures: Iterable[Measure | MeasureGroup],
    tokens: Int[np.ndarray, "sequence time"],
    mask: Bool[np.ndarray, "sequence time"],
    vocabulary: Vocabulary,
) -> dict[str, Estimate]:
    """Compute measures on sequences; a measure without a function is left out.

    Raises:
        UserError: if a measure's function fails or does not return one number per sequence, or a
            group's does not return an estimate of each of its measures.
    """
    texts = cache(partial(vocabulary.texts, tokens, mask))
    found: dict[str, Estimate] = {}
    for measure in measures:
        if isinstance(measure, MeasureGroup):
            found.update(_of_group(measure, tokens, mask, texts))
        elif measure.of_tokens is not None:
            values = _called(measure.name, measure.of_tokens, tokens, mask)
            found[measure.name] = _of_values(measure, values, len(tokens))
        elif measure.of_strings is not None:
            values = _called(measure.name, measure.of_strings, list(texts(None)))
            found[measure.name] = _of_values(measure, values, len(tokens))
    return found


def _called(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        reason = f"{in_one_line(error)}{place_in(function, error)}"
        raise UserError(f"the measure {name!r} failed: {reason}") from error


def _of_values(measure: Measure, values: Any, number: int) -> Estimate:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"the measure {measure.name!r} must return numbers") from None
    if array.shape != (number,):
        raise UserError(
            f"the measure {measure.name!r} must return one number per sequence, an array of shape "
            f"{(number,)}, not {array.shape}"
        )
    return mean_share_estimate(array) if measure.unit == "share" else mean_estimate(array)


def _of_group(
    group: MeasureGroup,
    tokens: np.ndarray,
    mask: np.ndarray,
    texts: Callable[[Callable[[Sequence[str]], str] | None], list[str]],
) -> dict[str, Estimate]:
    if not group.measures:
        return {}
    name = group.measures[0].name
    returned = []
    if group.estimate is not None:
        returned.append(_called(name, group.estimate, tokens, mask))
    if group.of_strings is not None:
        returned.append(_called(name, group.of_strings, list(texts(group.join))))
    found: dict[str, Estimate] = {}
    for one in returned:
        if not isinstance(one, Mapping) or not all(isinstance(e, Estimate) for e in one.values()):
            raise UserError(
                f"the group of the measure {name!r} must return a mapping of names to "
                f"seqtutor.Estimate, not {type(one).__name__}"
            )
        found.update(one)
    missing = [measure.name for measure in group.measures if measure.name not in found]
    if missing:
        raise UserError(f"the measure {missing[0]!r} is not among those that its group computes")
    return found
