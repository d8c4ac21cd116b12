"""A game of the folk experiment: all that makes it, as it is kept in its folder."""

from __future__ import annotations

from dataclasses import dataclass, field

from seqtutor.adversarial.settings import AdversarySettings
from seqtutor.tasks.folk.variants import GeneratorStart
from seqtutor.training.settings import TutorSettings


@dataclass(frozen=True)
class FolkGame:
    """Who plays, from which prior, on which data, by which rules."""

    generator: str
    """One of the experiment's."""
    data: str
    """A SHA-256 of the sequences."""
    prior: str
    """A SHA-256 of the prior."""
    real: int
    """Real sequences that the discriminator learns from."""
    tutoring: TutorSettings = field(default_factory=TutorSettings.of)
    """How the generator is tuned."""
    adversary: AdversarySettings = field(default_factory=AdversarySettings)
    """The rules."""
    start: GeneratorStart = "prior"
    """What the generator begins as."""
