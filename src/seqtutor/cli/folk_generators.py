"""Generators of tunes by the names that commands take: a model's folder, or that of a game."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqtutor.adversarial.discriminator import ConvolutionalDiscriminator
from seqtutor.adversarial.files import load_discriminator
from seqtutor.cli.folk_games import DISCRIMINATOR
from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel
from seqtutor.runs.run_folder import CONFIG, RunFolder
from seqtutor.tasks.folk.model import load_folk_model


@dataclass(frozen=True)
class Generator:
    """A generator, the folder of its model, and the discriminator that it played against."""

    saved: SavedModel
    folder: Path
    discriminator: ConvolutionalDiscriminator | None = None


def find_generator(path: Path) -> Generator:
    """Read a generator of tunes.

    Raises:
        UserError: if the folder holds none, or a game that is not over.
    """
    if not (path / CONFIG).is_file():
        return Generator(load_folk_model(path), path)
    run = RunFolder(path)
    if not run.is_complete:
        raise UserError(f"the game in {path} is not over: it has no model yet")
    saved = load_folk_model(run.model)
    return Generator(saved, run.model, load_discriminator(path / DISCRIMINATOR).model)
