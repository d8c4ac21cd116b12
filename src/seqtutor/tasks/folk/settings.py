"""Settings of the folk task, which are options of its commands. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqtutor.settings import CheckedSettings, NotNegative, require


@dataclass(frozen=True)
class FolkSettings(CheckedSettings):
    """The reward of a tune: a discriminator's logit, and terms of the lead sheet."""

    discriminator: Path | None = None
    """Folder of a discriminator, of a game or of a judge of `seqtutor reproduce folk`, whose logit
    is a term of the reward."""
    discriminator_weight: NotNegative = 1.0
    """Weight of that term."""
    chord_tones: NotNegative = 10.0
    """Weight of the share of notes on a beat that belong to their chord."""
    on_the_bar: NotNegative = 10.0
    """Weight of the share of chord changes that keep to one metre."""
    echoes: NotNegative = 10.0
    """Weight of the share of short runs of notes that were heard before."""

    def __post_init__(self) -> None:
        super().__post_init__()
        uses_discriminator = self.discriminator is not None and self.discriminator_weight > 0
        require(
            uses_discriminator or max(self.chord_tones, self.on_the_bar, self.echoes) > 0,
            "all weights of the reward are 0; give one of them, or --discriminator",
        )
