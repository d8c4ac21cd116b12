"""Which clips each listener compares: balanced over models, clips, sides and listeners."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from seqtutor.study.options import PlanOptions
from seqtutor.study.plan import Comparison


@dataclass
class Balance:
    """Counts by which the next comparison is chosen, so that none grows far beyond the others.

    Attributes:
        clips: by model, the identifiers of its clips.
        size: clips on a side.
        chance: breaks ties.
    """

    clips: Mapping[str, Sequence[str]]
    size: int
    chance: random.Random
    _pairs: Counter[frozenset[str]] = field(default_factory=Counter)
    _sides: Counter[tuple[str, str]] = field(default_factory=Counter)
    _heard: Counter[str] = field(default_factory=Counter)
    _left: Counter[str] = field(default_factory=Counter)

    def next_pair(self, own: Counter[frozenset[str]]) -> tuple[str, str]:
        """The two models compared least often by this listener, then by all."""

        def rank(pair: tuple[str, str]) -> tuple[int, int, float]:
            one = frozenset(pair)
            return own[one], self._pairs[one], self.chance.random()

        return min(combinations(self.clips, 2), key=rank)

    def comparison(self, pair: tuple[str, str], own: Counter[str]) -> Comparison:
        """Two models on their sides with their clips; it is counted.

        Args:
            pair: the models, in any order.
            own: how often this listener hears each clip; what is chosen is added.
        """
        return self.in_order(self._on_sides(pair), own)

    def in_order(self, order: tuple[str, str], own: Counter[str]) -> Comparison:
        """The same with the model of the left side first."""
        left, right = self._chosen(order[0], own, 1), self._chosen(order[1], own, -1)
        own.update((*left, *right))
        self.count(order, left, right)
        return Comparison("comparison", left, right)

    def count(self, order: tuple[str, str], left: Sequence[str], right: Sequence[str]) -> None:
        """Take a comparison into account: the models on the left and right, and their clips."""
        self._pairs[frozenset(order)] += 1
        self._sides[order] += 1
        self._heard.update((*left, *right))
        self._left.update(left)
        self._left.subtract(right)

    def _on_sides(self, pair: tuple[str, str]) -> tuple[str, str]:
        """The order that was rarer so far."""
        return min(
            (pair, pair[::-1]),
            key=lambda p: (self._sides[p], self._sides_of(p), self.chance.random()),
        )

    def _sides_of(self, order: tuple[str, str]) -> int:
        """How often the first model stood on the left rather than on the right, less the second."""
        lefts = {
            model: sum(
                self._sides[model, other] - self._sides[other, model] for other in self.clips
            )
            for model in order
        }
        return lefts[order[0]] - lefts[order[1]]

    def _chosen(self, model: str, own: Counter[str], sign: int) -> tuple[str, ...]:
        """The clips of a model that were heard least by this listener, then by all."""
        ranked = sorted(
            self.clips[model],
            key=lambda c: (own[c], self._heard[c], sign * self._left[c], self.chance.random()),
        )
        return tuple(ranked[: self.size])


def sheets(
    clips: Mapping[str, Sequence[str]],
    listeners: int,
    options: PlanOptions,
    practice: Sequence[Comparison] = (),
    catches: Sequence[Comparison] = (),
) -> Iterator[tuple[Comparison, ...]]:
    """The comparisons of each listener, practice first and catch trials in between.

    Over all sheets each pair of models is compared equally often, on each side equally often, up to
    one; a listener hears no clip again before all of its model were heard.

    Args:
        clips: by model, the identifiers of its clips.
        listeners: for whom there is a sheet each; a listener more begins again with the first.
        options: how many comparisons each has, of what, and the seed of what is left to chance.
        practice: trials that every listener begins with.
        catches: trials that every listener has, with the sides as they are or exchanged.
    """
    chance = random.Random(options.chosen_seed)
    balance = Balance(clips, options.side, chance)
    for number in range(listeners):
        heard: Counter[str] = Counter()
        pairs: Counter[frozenset[str]] = Counter()
        own = []
        for _ in range(options.comparisons):
            if options.adaptive:
                own.append(Comparison("comparison"))
                continue
            pair = balance.next_pair(pairs)
            pairs[frozenset(pair)] += 1
            own.append(balance.comparison(pair, heard))
        chance.shuffle(own)
        yield (*practice, *_with_catches(own, catches, number, chance))


def _with_catches(
    own: Sequence[Comparison], catches: Sequence[Comparison], number: int, chance: random.Random
) -> list[Comparison]:
    """Catch trials at random, each within its own part of the session and never the first."""
    found = list(own)
    part = len(own) / max(1, len(catches))
    # From the last, so that the places of the earlier ones stay.
    for place in reversed(range(len(catches))):
        start, end = max(1, round(place * part)), round((place + 1) * part)
        where = chance.randint(min(start, len(own)), max(end, min(start, len(own))))
        # Sides alternate within a session, and between sessions.
        one = catches[place]
        found.insert(where, one if (number + place) % 2 == 0 else exchanged(one))
    return found


def exchanged(one: Comparison) -> Comparison:
    """The same with left and right exchanged."""
    return Comparison(one.kind, one.right, one.left, -one.expected, one.is_instructed)
