"""`seqtutor sample melody`: melodies to open, print and hear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from seqtutor.cli.arguments import without_task
from seqtutor.cli.sampling import require_sampling, tell_files
from seqtutor.errors import UserError
from seqtutor.settings import require

if TYPE_CHECKING:
    from seqtutor.tasks.melody.primer import Primer
    from seqtutor.tasks.scores.keys import Key

MOST_FILES = 10_000


@dataclass(frozen=True)
class Options:
    """Write melodies that a model generates, as files to open in an editor or a player.

    For molecules: seqtutor sample molecule --help
    For tunes with chords: seqtutor sample folk --help
    """

    model: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="[melody] [MODEL]")]
    ] = ("prior",)
    """The task, "melody" (which may be left out), and the folder of a run or of a model, or "prior"
    for the one that comes with the package."""
    output: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder to write to; by default a new one, samples, samples-2 and so on."""
    number: int = 8
    """Melodies to write."""
    length: int = 32
    """Sixteenths in each, the primer included."""
    temperature: float = 1.0
    """Below 1 the model plays safe, above 1 it dares more."""
    prime: Annotated[str | None, tyro.conf.arg(metavar="STR")] = None
    """How each melody begins: tokens such as "14 1 16 1", a MIDI, ABC, MusicXML or kern file, or
    "random" for a random note of the key in each. A file in another key than the model's is moved
    there for the model, and the melodies are moved back."""
    formats: tuple[Literal["mid", "abc", "musicxml", "wav"], ...] = ("mid", "abc", "musicxml")
    """Kinds of files; wav is to listen without more, ABC is one tune book with all melodies."""
    tempo: float = 120.0
    """Quarter notes a minute."""
    seed: int = 0
    """Of the sampling."""

    @property
    def policy(self) -> str:
        """The run or the model without the task's name."""
        return without_task("melody", self.model)


def run(options: Options) -> None:
    """Sample and write."""
    from seqtutor.files import require_unused
    from seqtutor.runs.run_folder import free_folder

    require_sampling(options.number, MOST_FILES, temperature=options.temperature, seed=options.seed)
    require(options.length >= 1, f"--length must be at least 1, not {options.length}")
    require(0 < options.tempo <= 1000, f"--tempo must lie between 0 and 1000, not {options.tempo}")
    require(bool(options.formats), "--formats needs at least one of mid, abc, musicxml, wav")
    output = options.output or free_folder(Path(), "samples")
    require_unused(output)
    import jax
    import numpy as np

    from seqtutor.cli.melodies import common_rules, find_policy, key_of, tell_parts
    from seqtutor.cli.output import counted
    from seqtutor.tasks.melody.render import RenderSettings, write_melodies
    from seqtutor.training.rollout import sample

    policy = find_policy(options.policy)
    key = key_of(common_rules([policy]))
    primers = _primers(options, key)
    drawn = sample(
        policy.model,
        jax.random.key(options.seed),
        options.number,
        options.length,
        options.temperature,
        forced=jax.numpy.stack([primer.tokens for primer in primers]) if primers else None,
    )
    first = primers[0] if primers else None
    if first is not None and options.prime is not None:
        tell_parts(Path(options.prime), first.report)
    if first is not None and first.transposition:
        print(
            f"{options.prime} is in {first.key}: moved by {first.transposition:+d} semitones for "
            "the model, and what it wrote back again"
        )
        key = first.key or key
    transposition = -first.transposition if first is not None else 0
    settings = RenderSettings(tempo=options.tempo, key=key, transposition=transposition)
    paths = write_melodies(np.asarray(drawn.tokens), output, options.formats, settings=settings)
    melodies = counted(options.number, "melody", "melodies")
    length = counted(options.length, "sixteenth", "sixteenths")
    tell_files(f"{melodies} of {length}", paths)


def _primers(options: Options, key: Key) -> list[Primer]:
    """How every melody begins, all of one length; empty where they begin of themselves."""
    if options.prime is None:
        return []
    import numpy as np

    from seqtutor.tasks.melody.primer import RANDOM, read_primer

    generator = np.random.default_rng(options.seed)
    first = read_primer(options.prime, generator, key)
    length = len(first.tokens)
    if length >= options.length:
        raise UserError(f"the primer has {length} sixteenths already; choose a --length above that")
    if options.prime.strip().lower() != RANDOM:
        return [first] * options.number
    return [first, *(read_primer(RANDOM, generator, key) for _ in range(1, options.number))]
