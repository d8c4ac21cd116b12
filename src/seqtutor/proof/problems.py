"""Problems small enough to be known whole, on which `seqtutor verify` trains every method."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from seqtutor.comparisons import ComparedSequences
from seqtutor.data import Sequences
from seqtutor.models.base import SequenceModel
from seqtutor.models.registry import create
from seqtutor.proof import exact
from seqtutor.rewards import Reward, compiled
from seqtutor.task import Task
from seqtutor.vocabulary import Vocabulary


@dataclass(frozen=True)
class Problem:
    """A task small enough to be known whole, with a random prior that is far from uniform.

    A random number for every position, previous token and token is paid at each step, or in one
    sum at the end with the number of different tokens; `both` pays the first a step and the second
    at the end.
    """

    name: str
    vocabulary_size: int
    length: int
    has_end: bool
    pays: Literal["each step", "at the end", "both"]
    c: float
    scale: float
    seed: int

    @property
    def task(self) -> Task:
        """Its vocabulary (the last token ends a sequence, if any does), length and reward."""
        tokens = tuple(map(str, range(self.vocabulary_size)))
        end = tokens[-1] if self.has_end else None
        return Task(Vocabulary(tokens, end), self.length, self._reward(), self.name)

    @property
    def prior(self) -> SequenceModel:
        """A random model."""
        return self.random_model(0)

    def random_model(self, number: int) -> SequenceModel:
        """One of many models whose weights are scaled up, away from the uniform distribution."""
        key = jax.random.key(1000 * number + self.seed)
        model = create("lstm", self.vocabulary_size, key, hidden_sizes=(12,))
        return jax.tree.map(lambda array: 3.0 * array, model)

    def _reward(self) -> Reward:
        size = self.vocabulary_size
        shape = (self.length, size, size)
        table = jnp.asarray(np.random.default_rng(self.seed).normal(size=shape), jnp.float32)

        @compiled
        def reward(tokens: Array, mask: Array) -> dict[str, Array]:
            previous = jnp.concatenate([jnp.zeros_like(tokens[:, :1]), tokens[:, :-1]], axis=1)
            numbers = jnp.where(mask, table[jnp.arange(self.length), previous, tokens], 0.0)
            used = (tokens[..., None] == jnp.arange(size)) & mask[..., None]
            different = jnp.sum(jnp.any(used, axis=1), axis=1)
            if self.pays == "each step":
                return {"numbers": self.scale * numbers}
            paid = numbers.sum(axis=1) if self.pays == "at the end" else numbers
            return {"numbers": self.scale * paid, "different": self.scale * different}

        return Reward(reward)


PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("coins", 2, 7, False, "each step", c=1.0, scale=1.0, seed=6),
        Problem("words", 3, 4, True, "each step", c=0.5, scale=1.0, seed=7),
        Problem("sharp", 4, 4, True, "at the end", c=0.2, scale=0.3, seed=8),
        Problem("soft", 5, 3, False, "at the end", c=3.0, scale=3.0, seed=5),
        Problem("long", 3, 6, True, "both", c=2.0, scale=2.0, seed=8),
    )
}
"""Seeds for which the fixed points lie well apart, and the most rewarded sequence is one that
REINFORCE finds: it may settle on any sequence that is better than those near it."""
DISCOUNTED_PROBLEMS = ("coins", "long")
"""Where a discount moves the fixed point most clearly."""


@cache
def enumeration(problem: Problem) -> exact.Enumeration:
    """The whole problem."""
    task = problem.task
    return exact.enumerate_problem(
        problem.prior, task.reward, problem.length, end=task.vocabulary.end
    )


MOST_PAIRS = 4096
"""Of a problem's sequences that a listener compares."""


def votes_on(problem: Problem, tie: float, bias: float) -> ComparedSequences:
    """What infinitely many votes on a problem's sequences say: each pair's expected score.

    The listener's utility of a sequence is its reward, the likelihood that of Davidson. Its
    logarithm is linear in the score, 1, ½ or 0, but for a term that no policy changes, so that one
    vote with the expected score has the gradient of all three, each by its chance.

    Args:
        problem: whose sequences are compared, all pairs of them or as many as `MOST_PAIRS`.
        tie: ν.
        bias: b, towards the left side.
    """
    whole = enumeration(problem)
    found = exact.distinct_sequences(whole)
    utilities = found.along(whole.rewards).sum(axis=1)
    number = len(utilities)
    pairs = np.arange(number**2)
    if number**2 > MOST_PAIRS:
        pairs = np.random.default_rng(problem.seed).permutation(number**2)[:MOST_PAIRS]
    left, right = pairs // number, pairs % number
    half = (utilities[left] - utilities[right] + bias) / 2
    shares = np.stack([np.exp(half), np.full_like(half, tie), np.exp(-half)])
    chances = shares / shares.sum(axis=0)
    sequences = Sequences(found.tokens, found.mask)
    return ComparedSequences(sequences[left], sequences[right], chances[0] + chances[1] / 2)
