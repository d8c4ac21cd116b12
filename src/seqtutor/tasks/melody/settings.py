"""What a melody run is made of. Imports nothing heavy, so that help texts stay quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from seqtutor.runs.tuning import Tuning
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
class MelodyTuning(Tuning):
    """A tuning run of the melody task, complete: it is written as `config.yaml` and re-runnable."""

    task: ClassVar[str] = "melody"

    rules: MelodyRuleSettings = field(default_factory=MelodyRuleSettings)
    weights: RuleWeights = field(default_factory=RuleWeights)
    length: int = 32
    """Sixteenths in a melody."""
    prior: Path | None = None
    """Folder of the prior; the one that comes with the package if not given."""

    def __post_init__(self) -> None:
        require(self.length >= 1, f"length must be at least 1, not {self.length}")
