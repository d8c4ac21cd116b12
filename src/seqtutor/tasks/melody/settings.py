"""The settings of the melody task. Nothing heavy is imported, so that help texts stay quick."""

from __future__ import annotations

from dataclasses import dataclass, field

from seqtutor.settings import require, require_finite
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings


@dataclass(frozen=True)
class RuleWeights:
    """A factor for each rule; zero leaves the rule out."""

    key: float = 1.0
    tonic: float = 1.0
    penalize_repeating: float = 1.0
    penalize_autocorrelation: float = 1.0
    motif: float = 1.0
    repeated_motif: float = 1.0
    preferred_intervals: float = 1.0
    leap_up_back: float = 1.0
    high_low_unique: float = 1.0

    def __post_init__(self) -> None:
        require_finite(self)


@dataclass(frozen=True)
class OpeningSettings:
    """What a melody pays if too many others of its batch begin like it.

    By default nothing. It is a part of tuning alone: tables and scores leave it out.
    """

    weight: float = 0.0
    """A factor for the reward −log(f/share) of an opening with the share f of the melodies."""
    share: float = 0.05
    """The share from which on an opening pays; the commonest of the real tunes has 4.7 %."""
    steps: int = 4
    """Steps of an opening."""

    def __post_init__(self) -> None:
        require_finite(self)
        require(self.weight >= 0, f"the weight of openings must not be below 0: {self.weight}")
        require(0 < self.share <= 1, f"a share lies between 0 and 1; openings have {self.share}")
        require(self.steps >= 1, f"an opening has at least 1 step, not {self.steps}")


@dataclass(frozen=True)
class MelodySettings:
    """What the melody task can be told: rules, their weights, openings, and the length."""

    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key, lengths and rewards of the nine rules."""
    weights: RuleWeights = field(default_factory=RuleWeights)
    """A factor for each rule."""
    openings: OpeningSettings = field(default_factory=OpeningSettings)
    """What an opening pays that many melodies share."""
    length: int = 32
    """Sixteenths in a melody."""

    def __post_init__(self) -> None:
        require(self.length >= 1, f"length must be at least 1, not {self.length}")
