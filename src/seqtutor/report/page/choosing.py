"""Which samples a page shows: by rules that it states, never by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Rule:
    """How samples are chosen among all that were generated, with a heading and a sentence."""

    name: str
    heading: str
    sentence: str


RANDOM = Rule("random", "Drawn at random", "The first that were generated.")
BEST = Rule("best", "Best", "Those with the highest rewards of all {number}.")
TYPICAL = Rule("typical", "Most typical", "Those whose rewards are nearest to the median of all.")
WORST = Rule("worst", "Worst", "Those with the lowest rewards of all {number}.")


def choose(
    tokens: Int[np.ndarray, "sequence time"],
    rewards: Float[np.ndarray, " sequence"] | None,
    number: int,
) -> dict[Rule, list[int]]:
    """The rows of samples, by the rule that chose them; no sequence is chosen twice.

    Of samples that a rule puts level, the one that was generated first is taken.

    Args:
        tokens: all samples, in the order of generation.
        rewards: of the samples, NaN where one has no score, which only chance can choose; without
            rewards all are drawn at random.
        number: of samples, shared by the rules; what is left over goes to the first rules.
    """
    orders: dict[Rule, Int[np.ndarray, " sequence"]] = {RANDOM: np.arange(len(tokens))}
    scored = np.flatnonzero(~np.isnan(rewards)) if rewards is not None else np.zeros(0, np.int64)
    if rewards is not None and len(scored):
        known = rewards[scored]
        distance = np.abs(known - np.median(known))
        orders |= {
            BEST: scored[np.argsort(-known, kind="stable")],
            TYPICAL: scored[np.argsort(distance, kind="stable")],
            WORST: scored[np.argsort(known, kind="stable")],
        }
    taken: set[bytes] = set()
    chosen: dict[Rule, list[int]] = {}
    for place, (rule, order) in enumerate(orders.items()):
        own = number // len(orders) + (place < number % len(orders))
        chosen[rule] = _first_new(tokens, order, own, taken)
    return chosen


def _first_new(
    tokens: Int[np.ndarray, "sequence time"],
    order: Int[np.ndarray, " sequence"],
    number: int,
    taken: set[bytes],
) -> list[int]:
    """The first rows of an order whose sequences are not taken; they are taken then."""
    rows: list[int] = []
    for row in order.tolist():
        if len(rows) == number:
            break
        key = tokens[row].tobytes()
        if key not in taken:
            taken.add(key)
            rows.append(row)
    return rows
