"""A vote: what a listener answered to one comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["comparison", "practice", "catch"]
"""What a comparison is for: a vote, an exercise, or a check that the listener pays attention."""


@dataclass(frozen=True)
class Answer:
    """What a listener does with a question; see `Vote`."""

    rating: int
    seconds: float
    left_plays: int
    right_plays: int
    comment: str = ""


@dataclass(frozen=True)
class Vote:
    """One answer, as the statistics read it.

    Attributes:
        listener: an opaque identifier of who answered.
        left, right: names of the models whose clips stood on the left (A) and on the right (B).
        left_clips, right_clips: identifiers of the clips, one a side for pairs, several for sets.
        rating: from −2, "A is much better", over 0, "no preference", to 2, "B is much better".
        order: the place of the comparison in the listener's session, from 0.
        seconds: from when both sides could be rated to the answer; NaN where it is not known.
        left_plays, right_plays: how often each side was started.
        kind: what the comparison is for; the statistics of models use those of kind "comparison".
        expected: of a catch trial, the sign of the right rating: −1 or 1; 0 otherwise.
    """

    listener: str
    left: str
    right: str
    left_clips: tuple[str, ...]
    right_clips: tuple[str, ...]
    rating: int
    order: int
    seconds: float = float("nan")
    left_plays: int = 1
    right_plays: int = 1
    kind: Kind = "comparison"
    expected: int = 0

    def __post_init__(self) -> None:
        if self.rating not in range(-2, 3):
            raise ValueError(f"a rating lies between -2 and 2, not {self.rating}")

    @property
    def score(self) -> float:
        """1 where the left side is preferred, 0 where the right side is, 0.5 without preference."""
        return 0.5 * (1 - (self.rating > 0) + (self.rating < 0))
