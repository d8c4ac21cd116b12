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
class BatchRuleSettings:
    """A rule about the melodies of a batch together, which the papers do not have.

    It is a part of tuning alone: tables and scores, which judge each melody by itself, leave it
    out.
    """

    common_opening: float = 0.0
    """Weight of the rule that an opening pays −log(f/share) if the share f of the melodies have
    it."""
    opening_share: float = 0.05
    """The share from which on an opening pays; the commonest of the real tunes has 4.7 %."""
    opening_steps: int = 4
    """Steps of an opening."""

    def __post_init__(self) -> None:
        require_finite(self)
        weight, share, steps = self.common_opening, self.opening_share, self.opening_steps
        require(weight >= 0, f"the weight common_opening must not be below 0, and is {weight}")
        require(0 < share <= 1, f"opening_share is {share}; it must lie above 0 and not above 1")
        require(steps >= 1, f"opening_steps is {steps}; it must be at least 1")


@dataclass(frozen=True)
class MelodySettings:
    """What the melody task can be told: rules, their weights, and the length."""

    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key, lengths and rewards of the nine rules."""
    weights: RuleWeights = field(default_factory=RuleWeights)
    """A factor for each rule."""
    batch_rules: BatchRuleSettings = field(default_factory=BatchRuleSettings)
    """A rule about the melodies of a batch together; by default it does not count."""
    length: int = 32
    """Sixteenths in a melody."""

    def __post_init__(self) -> None:
        require(self.length >= 1, f"length must be at least 1, not {self.length}")
