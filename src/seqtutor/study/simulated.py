"""Simulated listeners of known preference, to try a study and its statistics before people come.

A listener with log-odds θ for each model answers with the probabilities of Davidson (1970), with a
term β for the left side:

    P(left) ∝ exp(d/2),   P(right) ∝ exp(−d/2),   P(no preference) ∝ exp(ν),   d = θ_l − θ_r + β

so that the odds of left over right are exp(d). The stronger the preference, the more often it is
"much better".
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from seqtutor.study.votes import Answer, Kind

Habit: TypeAlias = Literal[
    "attentive", "inattentive", "fast", "constant", "alternating", "left", "right"
]
"""How a listener answers: by preference, at random, at random within a fraction of a second, always
the same rating, two ratings in turn, or always for one side."""

CATCH_MISTAKES = 0.03
"""How often an attentive listener answers a catch trial wrongly."""


def outcome_probabilities(difference: float, ties: float) -> tuple[float, float, float]:
    """Davidson's P(left), P(no preference), P(right) for log-odds d of left over right and ν."""
    left, tie, right = math.exp(difference / 2), math.exp(ties), math.exp(-difference / 2)
    total = left + tie + right
    return left / total, tie / total, right / total


@dataclass
class SimulatedListener:
    """Answers comparisons; the same listener asked the same again answers the same.

    Attributes:
        strengths: log-odds of each model; 0 for a model that is not named.
        position: log-odds β that the left side gains by being the left one.
        ties: ν; the share of "no preference" between equal models is exp(ν) / (2 + exp(ν)).
        habit: how this listener answers.
        clips: log-odds that a clip has beyond its model; of several clips the mean counts.
        pace: the median of the seconds that an answer takes.
        seed: of the answers.
    """

    strengths: Mapping[str, float]
    position: float = 0.0
    ties: float = -0.7
    habit: Habit = "attentive"
    clips: Mapping[str, float] = field(default_factory=dict)
    pace: float = 4.0
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._answered = 0
        self._constant = self._random.choice((-2, -1, 1, 2))

    def answer(
        self,
        left: str,
        right: str,
        left_clips: Sequence[str] = (),
        right_clips: Sequence[str] = (),
        kind: Kind = "comparison",
        expected: int = 0,
    ) -> Answer:
        """Rate two sides.

        Args:
            left: name of the model on the left.
            right: name of the model on the right.
            left_clips: identifiers of what is heard on the left.
            right_clips: identifiers of what is heard on the right.
            kind: of a "catch" trial an attentive listener finds the right answer nearly always.
            expected: of a catch trial, the sign of the right rating.
        """
        difference = self._worth(left, left_clips) - self._worth(right, right_clips) + self.position
        rating = self._rating(difference, expected if kind == "catch" else 0)
        self._answered += 1
        median = 0.2 if self.habit == "fast" else self.pace
        seconds = median * math.exp(self._random.gauss(0.0, 0.45))
        return Answer(rating, round(seconds, 3), self._plays(), self._plays())

    def _worth(self, model: str, clips: Sequence[str]) -> float:
        own = sum(self.clips.get(clip, 0.0) for clip in clips) / max(1, len(clips))
        return self.strengths.get(model, 0.0) + own

    def _rating(self, difference: float, expected: int) -> int:
        match self.habit:
            case "inattentive" | "fast":
                return self._random.randrange(-2, 3)
            case "constant":
                return self._constant
            case "alternating":
                return 1 - 2 * (self._answered % 2)
            case "left" | "right":
                return (-1 if self.habit == "left" else 1) * self._random.choice((1, 1, 2))
        if expected:
            mistaken = self._random.random() < CATCH_MISTAKES
            return (-expected if mistaken else expected) * self._random.choice((1, 2))
        probabilities = outcome_probabilities(difference, self.ties)
        side = self._random.choices((-1, 0, 1), probabilities)[0]
        # The advantage of the side that was chosen decides how much better it seems.
        is_much = self._random.random() < 1 / (1 + math.exp(1 + side * difference))
        return side * (2 if is_much else 1)

    def _plays(self) -> int:
        return 1 + (self.habit == "attentive" and self._random.random() < 0.2)


@dataclass(frozen=True)
class Population:
    """Whom listeners are drawn from.

    Attributes:
        strengths: mean log-odds of each model; 0 for a model that is not named.
        position: log-odds of the left side, for all.
        ties: ν, see `SimulatedListener`.
        spread: standard deviation of a listener's log-odds of each model about the mean.
        inattentive: share of listeners who answer at random.
        other_strengths: of a second group, which has other tastes; with `other_share`, its share.
    """

    strengths: Mapping[str, float] = field(default_factory=dict)
    position: float = 0.0
    ties: float = -0.7
    spread: float = 0.0
    inattentive: float = 0.0
    other_strengths: Mapping[str, float] = field(default_factory=dict)
    other_share: float = 0.0

    def listener(
        self,
        number: int,
        models: Sequence[str],
        seed: int = 0,
        clips: Mapping[str, float] | None = None,
    ) -> SimulatedListener:
        """One listener; the same number and seed give the same one.

        The shares hold exactly over many listeners in a row: of every ten, one is inattentive at a
        share of 0.1.

        Args:
            number: counts listeners from 0.
            models: all that the study compares.
            seed: of the whole population.
            clips: log-odds of clips beyond their models.
        """
        chance = random.Random(f"{seed} {number}")
        is_other = _falls_into(number, self.other_share)
        taste = self.other_strengths if is_other else self.strengths
        own = {model: taste.get(model, 0.0) + chance.gauss(0.0, self.spread) for model in models}
        is_inattentive = _falls_into(number, self.inattentive)
        habit: Habit = "inattentive" if is_inattentive else "attentive"
        return SimulatedListener(
            own,
            self.position,
            self.ties,
            habit,
            clips or {},
            4.0 * math.exp(chance.gauss(0.0, 0.3)),
            chance.getrandbits(32),
        )


def _falls_into(number: int, share: float) -> bool:
    """Whether a share of listeners, spread evenly over their numbers, contains this one."""
    return math.floor((number + 1) * share + 1e-9) > math.floor(number * share + 1e-9)
