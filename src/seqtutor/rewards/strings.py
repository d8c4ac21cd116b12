"""Rewards of strings: functions that see the generated tokens as text."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from seqtutor.errors import UserError, name_of
from seqtutor.rewards.breakdown import named
from seqtutor.rewards.host import as_numbers
from seqtutor.rewards.reward import Reward
from seqtutor.settings import require
from seqtutor.vocabulary import Vocabulary
from seqtutor.workers.cache import CachedPool, Pending
from seqtutor.workers.pool import SECONDS_PER_ITEM, OneByOne, WorkerPool
from seqtutor.workers.worker import Failure

StringFunction = Callable[[list[str]], Mapping[str, Sequence[float]]]

Terms = dict[str, Float[np.ndarray, " batch"]]


def string_reward(
    function: StringFunction,
    weights: Mapping[str, float] | None = None,
    *,
    workers: int = 0,
    seconds: float = SECONDS_PER_ITEM,
) -> Reward:
    """A reward from a function of strings, for `Task`, which tells it the vocabulary.

    A string is the tokens of a sequence without the end token, joined by `Vocabulary.join`. The
    function is called with the distinct strings of a batch and returns, for each term, a number for
    each of them; it is paid at the last token.

    With `workers`, that many processes call the function with one string at a time, while methods
    that learn from a replay learn. The function must be one that they can import: of a module, or
    of the file that a reference such as `words.py:task` names. The terms of a string must depend on
    it alone: they are kept and not computed again.

    Args:
        function: takes strings, returns `{term: [number, …]}`.
        weights: of terms; terms without one weigh one.
        workers: number of processes, which start with the first batch and end with `Task.close`; 0
            to call the function in this one.
        seconds: time limit of a string in a process, beyond which the run ends with an error.

    Raises:
        UserError: if a number is out of range, or the function cannot be sent to another process.
    """
    require(
        isinstance(workers, int) and workers >= 0,
        f"the number of workers must be a whole number, 0 or more, not {workers!r}",
    )
    require(
        isinstance(seconds, int | float) and 0 < seconds < math.inf,
        f"the seconds of a string must be a number above 0, not {seconds!r}",
    )
    if not workers:
        return Reward(StringReward(function), weights or {})
    return Reward(PooledStringReward(function, workers, seconds), weights or {})


class StringReward:
    """A host reward whose function takes the strings of a batch."""

    def __init__(self, function: StringFunction) -> None:
        self.function = self.__wrapped__ = function  # Errors name the function and its file.
        self.vocabulary: Vocabulary | None = None

    def bind(self, vocabulary: Vocabulary) -> StringReward:
        """The same reward for a vocabulary."""
        if vocabulary == self.vocabulary:
            return self
        bound = copy.copy(self)
        bound.vocabulary = vocabulary
        return bound

    def __call__(
        self, tokens: Int[np.ndarray, "batch time"], mask: Bool[np.ndarray, "batch time"]
    ) -> Terms:
        """A number for each sequence, by term."""
        strings = self.strings(tokens, mask)
        distinct = list(dict.fromkeys(strings))
        found = named(self.function(list(distinct)))
        terms = {name: _one_each(name, term, len(distinct)) for name, term in found.items()}
        rows = {string: row for row, string in enumerate(distinct)}
        return {name: term[[rows[one] for one in strings]] for name, term in terms.items()}

    def strings(
        self, tokens: Int[np.ndarray, "batch time"], mask: Bool[np.ndarray, "batch time"]
    ) -> list[str]:
        """The text of each sequence.

        Raises:
            UserError: if the reward has no vocabulary yet.
        """
        if self.vocabulary is None:
            raise UserError("a string reward has no vocabulary yet; give it to a Task")
        return self.vocabulary.texts(tokens, mask)


class PooledStringReward(StringReward):
    """A string reward whose function runs in worker processes."""

    def __init__(self, function: StringFunction, workers: int, seconds: float) -> None:
        super().__init__(function)
        # The processes import the file of the function, where this very reward may be made.
        pool = WorkerPool(OneByOne(function), workers, seconds, starts_at_once=False)
        self.pool = CachedPool(pool, partial(_combined, function))

    def __call__(
        self, tokens: Int[np.ndarray, "batch time"], mask: Bool[np.ndarray, "batch time"]
    ) -> Terms:
        """A number for each sequence, by term."""
        return self.start(tokens, mask).collect()

    def start(
        self, tokens: Int[np.ndarray, "batch time"], mask: Bool[np.ndarray, "batch time"]
    ) -> Pending[Terms]:
        """Begin to score a batch."""
        return self.pool.start(self.strings(tokens, mask))

    def close(self) -> None:
        """End the worker processes."""
        self.pool.close()


def _combined(function: StringFunction, strings: list[str], results: list[Any]) -> Terms:
    """The terms of a batch from those of its strings.

    Raises:
        UserError: if the function failed on a string, or its terms are not the same for each.
    """
    rows = []
    for string, result in zip(strings, results, strict=True):
        if isinstance(result, Failure):
            raise UserError(
                f"the reward {name_of(function)} failed on {string!r}: "
                f"{result.reason}{result.place}"
            )
        rows.append({name: _one_each(name, term, 1) for name, term in named(result).items()})
        if rows[-1].keys() != rows[0].keys():
            raise UserError(
                f"the reward's terms were {', '.join(rows[0])} and are {', '.join(rows[-1])} "
                f"for {string!r}; they must be the same for every string"
            )
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _one_each(name: str, term: Any, number: int) -> Float[np.ndarray, " strings"]:
    array = as_numbers(name, term)
    if array.shape != (number,):
        raise UserError(
            f"the reward term {name!r} has shape {array.shape} for {number} strings; it must be "
            "one number a string"
        )
    return array
