"""The settings of the melody task. Nothing heavy is imported, so that help texts stay quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from seqtutor.settings import (
    CheckedSettings,
    Count,
    NotNegative,
    Range,
    Share,
    require,
)
from seqtutor.tasks.melody.rule_settings import MelodyRuleSettings


@dataclass(frozen=True)
class RuleWeights(CheckedSettings):
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


@dataclass(frozen=True)
class BatchRuleSettings(CheckedSettings):
    """The rule about the melodies of a batch together, which the papers do not have.

    It is a part of tuning alone: tables and scores, which judge each melody by itself, leave it
    out.
    """

    common_opening: NotNegative = 0.0
    """Weight of the rule that an opening pays −log(f/share) if the share f of the melodies have
    it."""
    opening_share: Annotated[float, Range(above=0, at_most=1)] = 0.05
    """The share from which on an opening pays; the commonest of the real tunes has 4.7 %."""
    opening_steps: Count = 4
    """Steps of an opening."""


@dataclass(frozen=True)
class RowTargets:
    """What rows of Table 1 are to be, as fractions; a row without a target is left alone.

    Targets are a part of tuning alone, with an `adaptation` above 0.
    """

    notes_not_in_key: float | None = None
    autocorrelation_lag1: float | None = None
    autocorrelation_lag2: float | None = None
    autocorrelation_lag3: float | None = None
    starting_with_tonic: float | None = None
    leaps_resolved: float | None = None
    unique_highest: float | None = None
    unique_lowest: float | None = None
    notes_in_motif: float | None = None
    notes_in_repeated_motif: float | None = None

    def __post_init__(self) -> None:
        for name, aim in self.given.items():
            least = -1 if name.startswith("autocorrelation") else 0
            require(
                least <= aim <= 1, f"the target {name} must lie between {least} and 1, not {aim}"
            )

    @property
    def given(self) -> dict[str, float]:
        """The targets that there are, by the names of their rows."""
        return {name: aim for name, aim in vars(self).items() if aim is not None}


@dataclass(frozen=True)
class RowWeights(CheckedSettings):
    """What rows with a target weigh at first, in nats at c = 1; afterwards weights follow."""

    notes_not_in_key: float = 0.0
    autocorrelation_lag1: float = 0.0
    autocorrelation_lag2: float = 0.0
    autocorrelation_lag3: float = 0.0
    starting_with_tonic: float = 0.0
    leaps_resolved: float = 0.0
    unique_highest: float = 0.0
    unique_lowest: float = 0.0
    notes_in_motif: float = 0.0
    notes_in_repeated_motif: float = 0.0


@dataclass(frozen=True)
class MelodySettings(CheckedSettings):
    """What the melody task can be told: rules, their weights, targets, and the length."""

    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    """Key, lengths and rewards of the nine rules."""
    weights: RuleWeights = field(default_factory=RuleWeights)
    """A factor for each rule."""
    batch_rules: BatchRuleSettings = field(default_factory=BatchRuleSettings)
    """The rule about the melodies of a batch together; by default it does not count."""
    adaptation: Share = 0.0
    """How fast the weights of rows follow their targets while a policy is tuned, in nats a
    collection at a distance of one variance; at 0 no row has a weight."""
    targets: RowTargets = field(default_factory=RowTargets)
    """What rows of the table are to be, with --adaptation above 0."""
    row_weights: RowWeights = field(default_factory=RowWeights)
    """What rows with a target weigh at first."""
    length: Count = 32
    """Sixteenths in a melody."""
