"""Settings of preference models and of their term in a reward. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from seqtutor.settings import CheckedSettings, NotNegative, require

Basis = Literal["features", "network", "both"]
"""What a preference model reads of a sequence: numbers that describe it, what the prior's network
computes of it, or both."""
Shape = Literal["prefix", "end"]


@dataclass(frozen=True)
class PreferenceTerm(CheckedSettings):
    """A preference model as a term of the reward, beside the task's own.

    Its value is the model's utility, in nats of a vote's log-odds, less `pessimism` of its standard
    deviations.
    """

    model: Path | None = None
    """Folder of a preference model, as seqtutor prefer writes it; without one there is no such
    term."""
    weight: float = 1.0
    """Factor on the term."""
    pessimism: NotNegative = 1.0
    """Standard deviations that are subtracted from the utility: where votes say little, a sequence
    earns little. 0 trusts the model everywhere, and is over-optimised soon."""
    shape: Shape = "prefix"
    """When it is paid:
    - prefix: at each token, what that adds; the sum over a sequence is the same
    - end: at the last token, for γ = 1
    """
    task_weight: float = 1.0
    """Factor on the task's own reward; 0 leaves it out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.model is not None or all(getattr(self, f.name) == f.default for f in fields(self)),
            "name a preference model for the settings of its term, with --preference.model FOLDER",
        )
