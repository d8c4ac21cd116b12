"""Sequences that a task calls valid: those that are not are drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Int

from seqtutor.data import Sequences
from seqtutor.runs.steering_settings import MOST_ROUNDS


class Drawing(Protocol):
    """What is drawn in a round."""

    @property
    def tokens(self) -> Int[np.ndarray, "sequence time"]:
        """The sequences."""

    @property
    def mask(self) -> Bool[np.ndarray, "sequence time"]:
        """True on their tokens."""


@dataclass(frozen=True)
class Accepted:
    """Valid sequences, fewer than were asked for where too few were found.

    Attributes:
        sequences: in the order of the rows that they were drawn for.
        drawn: how many were drawn.
        rejected: how many of them were not valid.
    """

    sequences: Sequences
    drawn: int
    rejected: int


def draw_valid(
    draw: Callable[[int, Int[np.ndarray, " sequence"]], Drawing],
    is_valid: Callable[[Sequences], Bool[np.ndarray, " sequence"]],
    *,
    number: int,
    seed: int,
    size: int | None = None,
    rounds: int = MOST_ROUNDS,
) -> Accepted:
    """Draw until each of so many rows has a valid sequence, or the rounds are over.

    A row keeps what its sequence begins with, so that beginnings stay as they were asked for. The
    first round is what is drawn without this.

    Args:
        draw: sequences with a seed, for these rows.
        is_valid: which of them are valid.
        number: of rows.
        seed: of the first round; those of the others follow from it.
        size: sequences of a round, the number by default.
        rounds: at most.
    """
    found: dict[int, Sequences] = {}
    drawn = rejected = 0
    for place in range(rounds):
        missing = [row for row in range(number) if row not in found]
        if not missing:
            break
        rows = np.resize(missing, size or number)
        own = draw(_seed_of(seed, place), rows)
        sequences = Sequences(own.tokens, own.mask)
        accepted = is_valid(sequences)
        drawn, rejected = drawn + len(rows), rejected + int((~accepted).sum())
        for index in np.flatnonzero(accepted):
            found.setdefault(int(rows[index]), sequences[index : index + 1])
    parts = [found[row] for row in sorted(found)] or [sequences[:0]]
    tokens, mask = (np.concatenate([getattr(p, n) for p in parts]) for n in ("tokens", "mask"))
    return Accepted(Sequences(tokens, mask), drawn, rejected)


def _seed_of(seed: int, place: int) -> int:
    if place == 0:
        return seed
    (word,) = np.random.SeedSequence([seed, place]).generate_state(1)
    return int(word) >> 1
