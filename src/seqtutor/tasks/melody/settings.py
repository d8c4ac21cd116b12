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
    """Rules about the melodies of a batch together, which the papers do not have.

    They are a part of tuning alone: tables and scores, which judge each melody by itself, leave
    them out.
    """

    common_opening: float = 0.0
    """Weight of the rule that an opening pays −log(f/share) if the share f of the melodies have
    it."""
    opening_share: float = 0.05
    """The share from which on an opening pays; the commonest of the real tunes has 4.7 %."""
    opening_steps: int = 4
    """Steps of an opening."""
    mean_autocorrelation: float = 0.0
    """Weight of the rule that pulls the mean autocorrelations of the melodies to their aims."""
    autocorrelation_aims: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the mean autocorrelations at lags 1 to 3 are pulled to; they come to rest the nearer
    the larger the weight is."""
    returning_motif: float = 0.0
    """Weight of the rule that pulls the share of melodies in which a motif returns to its aim."""
    returning_motif_aim: float = 0.12
    """The share of melodies with a repeated motif; of real tunes 12 % have one."""

    def __post_init__(self) -> None:
        require_finite(self)
        for name, weight in self.weights.items():
            require(weight >= 0, f"the weight {name} must not be below 0, and is {weight}")
        share, steps, aim = self.opening_share, self.opening_steps, self.returning_motif_aim
        require(0 < share <= 1, f"opening_share is {share}; it must lie above 0 and not above 1")
        require(steps >= 1, f"opening_steps is {steps}; it must be at least 1")
        require(0 <= aim <= 1, f"returning_motif_aim is {aim}; it must lie between 0 and 1")

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each rule."""
        names = ("common_opening", "mean_autocorrelation", "returning_motif")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class MelodySettings:
    """What the melody task can be told: rules, their weights, and the length."""

    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key, lengths and rewards of the nine rules."""
    weights: RuleWeights = field(default_factory=RuleWeights)
    """A factor for each rule."""
    batch_rules: BatchRuleSettings = field(default_factory=BatchRuleSettings)
    """Rules about the melodies of a batch together; by default none counts."""
    length: int = 32
    """Sixteenths in a melody."""

    def __post_init__(self) -> None:
        require(self.length >= 1, f"length must be at least 1, not {self.length}")
