"""`seqtutor sample`: melodies to open, print and hear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from seqtutor.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from seqtutor.models.files import SavedModel

MOST_FILES = 10_000


@dataclass(frozen=True)
class Options:
    """Write melodies that a model generates, as files to open in an editor or a player."""

    model: tyro.conf.Positional[str] = "prior"
    """Folder of a run or of a model, or "prior" for the one that comes with the package."""
    output: Path = Path("samples")
    """Folder to write to."""
    number: int = 8
    """Melodies to write."""
    length: int = 32
    """Sixteenths in each, the primer included."""
    temperature: float = 1.0
    """Below 1 the model plays safe, above 1 it dares more."""
    prime: str | None = None
    """How each melody begins: tokens such as "14 1 16 1", a MIDI, ABC, MusicXML or kern file, or
    "random" for a random note of C major in each."""
    formats: tuple[Literal["mid", "abc", "musicxml"], ...] = ("mid", "abc", "musicxml")
    """Kinds of files; ABC is one tune book with all melodies."""
    tempo: float = 120.0
    """Quarter notes a minute."""
    seed: int = 0
    """Of the sampling."""


def run(options: Options) -> None:
    """Sample and write."""
    if not 1 <= options.number <= MOST_FILES:
        raise UserError(f"--number must lie between 1 and {MOST_FILES:,}, not {options.number}")
    if options.temperature <= 0 or options.length < 1 or not 0 < options.tempo <= 1000:
        raise UserError("--temperature, --length and --tempo must be above 0 (tempo up to 1000)")
    import jax
    import numpy as np

    from seqtutor.tasks.melody.render import RenderSettings, write_melodies
    from seqtutor.training.rollout import sample

    saved = load_any_model(options.model)
    primers = _primers(options)
    drawn = sample(
        saved.model,
        jax.random.key(options.seed),
        options.number,
        options.length,
        options.temperature,
        forced=None if primers is None else jax.numpy.asarray(primers),
    )
    settings = RenderSettings(tempo=options.tempo)
    paths = write_melodies(
        np.asarray(drawn.tokens), options.output, options.formats, settings=settings
    )
    print(f"{options.number} melodies of {options.length} sixteenths in {len(paths)} files:")
    for path in paths[:6]:
        print(f"  {path}")
    if len(paths) > 6:
        print(f"  … and {len(paths) - 6} more")


def load_any_model(name: str) -> SavedModel:
    """The model of a run's folder, a model folder, or "prior".

    Raises:
        UserError: if there is none.
    """
    from seqtutor.tasks.melody.task import load_melody_model
    from seqtutor.training.run_folder import CONFIG, RunFolder

    if name == "prior":
        return load_melody_model()
    path = Path(name)
    if (path / CONFIG).is_file():
        if not RunFolder(path).is_complete:
            raise UserError(f"the run in {path} has not come to its end: it has no model yet")
        return load_melody_model(RunFolder(path).model)
    return load_melody_model(path)


def _primers(options: Options) -> np.ndarray | None:
    """The first tokens of every melody, `Int["number time"]`."""
    if options.prime is None:
        return None
    import numpy as np

    from seqtutor.tasks.melody.primer import read_primer

    generator = np.random.default_rng(options.seed)
    primers = np.stack([read_primer(options.prime, generator) for _ in range(options.number)])
    if primers.shape[1] >= options.length:
        raise UserError(
            f"the primer has {primers.shape[1]} sixteenths already; choose a --length above that"
        )
    return primers
