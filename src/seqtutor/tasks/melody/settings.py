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
class MelodySettings:
    """What the melody task can be told: rules, their weights, and the length."""

    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key, lengths and rewards of the nine rules."""
    weights: RuleWeights = field(default_factory=RuleWeights)
    """A factor for each rule."""
    length: int = 32
    """Sixteenths in a melody."""

    def __post_init__(self) -> None:
        require(self.length >= 1, f"length must be at least 1, not {self.length}")
