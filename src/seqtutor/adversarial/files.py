"""Folders of discriminators, in the format of `seqtutor.models.files`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.errors import UserError
from seqtutor.models.files import CONFIG, read_folder, write_folder
from seqtutor.vocabulary import Vocabulary

DISCRIMINATOR = "discriminator"
"""Where a game's folder has its discriminator."""


@dataclass(frozen=True)
class SavedDiscriminator:
    """A discriminator, its vocabulary, and its origin: command, data, settings, versions."""

    model: ConvolutionalDiscriminator
    vocabulary: Vocabulary
    origin: dict[str, Any] = field(default_factory=dict)


def save_discriminator(saved: SavedDiscriminator, folder: Path) -> None:
    """Write the folder of a discriminator, as `write_folder` does."""
    write_folder(saved.model, saved.vocabulary, saved.origin, folder)


def load_discriminator(folder: Path) -> SavedDiscriminator:
    """Read the folder of a discriminator, or that of the game in which it learned.

    Raises:
        UserError: if it is missing, incomplete, damaged, of a newer format, or holds anything else.
    """
    if (folder / DISCRIMINATOR / CONFIG).is_file():
        folder /= DISCRIMINATOR
    return SavedDiscriminator(*read_folder(folder, _kind_of))


def _kind_of(name: str) -> type[ConvolutionalDiscriminator]:
    if name != ConvolutionalDiscriminator.kind:
        raise UserError(f"it holds a model of the kind {name!r}; name a discriminator's folder")
    return ConvolutionalDiscriminator
