"""`seqtutor sample folk`: tunes with chords to open, print and hear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from seqtutor.cli.arguments import without_task
from seqtutor.cli.sampling import require_sampling, tell_files
from seqtutor.settings import require

MOST_FILES = 10_000


@dataclass(frozen=True)
class Options:
    """Write tunes with chords that a model generates, as files to open in an editor or a player."""

    model: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="folk MODEL")]] = (
        "folk",
    )
    """The task, "folk", and the folder of a model, such as folk-prior, or of a game of
    `seqtutor reproduce folk`."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder to write to; by default a new one, samples, samples-2 and so on."""
    number: int = 8
    """Tunes to write."""
    length: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Tokens in each; as many as in training if not given."""
    temperature: float = 1.0
    """Below 1 the model plays safe, above 1 it dares more."""
    formats: tuple[Literal["mid", "abc", "musicxml", "wav"], ...] = ("mid", "abc", "musicxml")
    """Kinds of files; wav is to listen without more, ABC is one tune book with all tunes."""
    tempo: float = 120.0
    """Quarter notes a minute."""
    seed: int = 0
    """Of the sampling."""

    @property
    def folder(self) -> Path:
        """The model without the task's name."""
        require(
            self.model != ("folk",),
            "name the folder of a model, such as: seqtutor sample folk folk-prior",
        )
        return Path(without_task("folk", self.model))


def run(options: Options) -> None:
    """Sample and write."""
    from seqtutor.files import require_unused
    from seqtutor.runs.run_folder import free_folder

    _check(options)
    folder = options.folder
    output = options.output or free_folder(Path(), "samples")
    require_unused(output)
    import jax
    import numpy as np

    from seqtutor.cli.folk_generators import find_generator
    from seqtutor.cli.output import counted
    from seqtutor.tasks.folk.model import length_of, sheets_of
    from seqtutor.tasks.folk.render import LeadSheetRendering, write_tunes
    from seqtutor.training.rollout import sample

    rendering = LeadSheetRendering(tempo=options.tempo)
    saved = find_generator(folder).saved
    length = options.length or length_of(saved)
    key = jax.random.key(options.seed)
    drawn = sample(saved.model, key, options.number, length, options.temperature)
    sheets = sheets_of(saved, np.asarray(drawn.tokens))
    paths = write_tunes(sheets, output, options.formats, rendering=rendering)
    tunes, tokens = counted(options.number, "tune", "tunes"), counted(length, "token", "tokens")
    tell_files(f"{tunes} of {tokens}", paths)


def _check(options: Options) -> None:
    require_sampling(options.number, MOST_FILES, temperature=options.temperature, seed=options.seed)
    require(
        options.length is None or options.length >= 1,
        f"--length must be at least 1, not {options.length}",
    )
    require(bool(options.formats), "--formats needs at least one of mid, abc, musicxml, wav")
