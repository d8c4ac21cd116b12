"""The votes of a study counted by listener, ordered pair of models and outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Float

from seqtutor.errors import UserError
from seqtutor.study.votes import Vote

LEFT, NONE, RIGHT = range(3)
"""The outcomes: left preferred, no preference, right preferred."""


def cells_of(models: int) -> tuple[tuple[int, int], ...]:
    """Every ordered pair of models by number: who stands on the left, who on the right."""
    return tuple(permutations(range(models), 2))


@dataclass(frozen=True)
class Tally:
    """Counts of votes.

    Attributes:
        models: names; the first is what the others are compared with.
        listeners: identifiers of who answered, in the order of their first vote.
        counts: `Float["listener cell outcome"]`, a cell being an ordered pair as in `cells_of`.
    """

    models: tuple[str, ...]
    listeners: tuple[str, ...]
    counts: Float[np.ndarray, "listener cell outcome"]

    @property
    def total(self) -> Float[np.ndarray, "cell outcome"]:
        """The counts of all listeners together."""
        return self.counts.sum(axis=0)

    @property
    def wins(self) -> Float[np.ndarray, "listener model"]:
        """How often a model was preferred by each listener."""
        return self._of_sides(self.counts[..., LEFT], self.counts[..., RIGHT])

    @property
    def ties(self) -> Float[np.ndarray, "listener model"]:
        """How often a model was in a comparison without preference."""
        return self._of_sides(self.counts[..., NONE], self.counts[..., NONE])

    @property
    def comparisons(self) -> Float[np.ndarray, "listener model"]:
        """How often a model was compared by each listener."""
        heard = self.counts.sum(axis=-1)
        return self._of_sides(heard, heard)

    @property
    def pairs(self) -> Float[np.ndarray, "model model"]:
        """How often two models were compared, on either side; symmetric."""
        pairs = np.zeros((len(self.models),) * 2)
        for (left, right), count in zip(
            cells_of(len(self.models)), self.total.sum(axis=-1), strict=True
        ):
            pairs[left, right] += count
            pairs[right, left] += count
        return pairs

    def _of_sides(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Sums over cells of what belongs to the model on the left and to that on the right."""
        cells = np.array(cells_of(len(self.models)))
        is_model = np.eye(len(self.models))
        return left @ is_model[cells[:, 0]] + right @ is_model[cells[:, 1]]


def tally(votes: Sequence[Vote], models: Sequence[str]) -> Tally:
    """Count votes on models; practice, catch trials and a model beside itself do not count.

    Raises:
        UserError: if there are fewer than two models, or a vote is on a model that is not there.
    """
    if len(set(models)) < 2 or len(set(models)) < len(models):
        raise UserError("a study compares at least two models, each named once")
    number = {model: place for place, model in enumerate(models)}
    cells = {pair: place for place, pair in enumerate(cells_of(len(models)))}
    counted = [vote for vote in votes if vote.kind == "comparison" and vote.left != vote.right]
    names = tuple(dict.fromkeys(vote.listener for vote in counted))
    listeners = {name: place for place, name in enumerate(names)}
    counts = np.zeros((len(listeners), len(cells), 3))
    for vote in counted:
        for model in (vote.left, vote.right):
            if model not in number:
                raise UserError(
                    f"a vote is on the model {model!r}, which is not one of {', '.join(models)}"
                )
        cell = cells[number[vote.left], number[vote.right]]
        outcome = NONE + (vote.rating > 0) - (vote.rating < 0)
        counts[listeners[vote.listener], cell, outcome] += 1
    return Tally(tuple(models), names, counts)
