"""The data of the melody task: tunes, as options of `pretrain` name them, cut into melodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from seqtutor.settings import require, require_seed

if TYPE_CHECKING:
    from seqtutor.data import Dataset
    from seqtutor.tasks.melody.dataset import MelodyDataset

FOLK = "folk"
FOLK_WITH_ESSEN = "folk+essen"


@dataclass(frozen=True)
class MelodyData:
    """Which tunes are read, and how they become melodies.

    Tunes are transposed to the white keys (C major, A minor and their modes) and split by tune,
    near-duplicates on one side.
    """

    data: str = FOLK
    """A folder or file of your own (MIDI, ABC, MusicXML, kern); "folk": the public-domain tunes
    that come with music21; "folk+essen": these and the Essen songs (non-commercial use only)."""
    length: int = 32
    """Sixteenths in a training melody."""
    off_grid: Literal["quantise", "drop"] = "quantise"
    """What to do with tunes that have triplets or other notes between sixteenths."""
    bar_lengths: tuple[int, ...] = (8, 16)
    """Metres to keep, by the sixteenths in a bar: 8 is 2/4, 16 is 4/4 or 2/2, 12 is 6/8 or 3/4.
    The rules assume bars of 4/4."""
    split_seed: int = 0
    """Seed of the split into training, validation and test."""

    def __post_init__(self) -> None:
        require_seed("--split-seed", self.split_seed)
        require(
            bool(self.bar_lengths) and min(self.bar_lengths) > 0,
            "--bar-lengths needs at least one number above 0",
        )


def read_melodies(options: MelodyData) -> Dataset:
    """The melodies that the options ask for, split by tune.

    Raises:
        UserError: if the tunes cannot be read, or there are too few.
    """
    import numpy as np

    from seqtutor.data import Dataset, Sequences
    from seqtutor.tasks.melody.dataset import load_melodies
    from seqtutor.tasks.melody.encoding import melody_vocabulary

    melodies = load_melodies(options)
    train, validation, test = (
        Sequences(part, np.ones(part.shape, bool))
        for part in (melodies.train, melodies.validation, melodies.test)
    )
    return Dataset(
        melody_vocabulary(),
        options.length,
        train,
        validation,
        test,
        origin=melodies.summary(),
        summary=_lines(melodies),
        warnings=[] if options.data in (FOLK, FOLK_WITH_ESSEN) else melodies.report.names(),
    )


def _lines(melodies: MelodyDataset) -> list[str]:
    """What was read and what was dropped, for people."""
    summary = melodies.summary()
    tunes, windows = summary["tunes"], summary["windows"]
    lines = [
        f"{summary['tunes_read']:,} tunes read; {sum(tunes.values()):,} used "
        f"({summary['near_duplicates']:,} of them near-duplicates of another)"
    ]
    lines += [
        f"  {name:<10} {tunes[name]:>6,} tunes  {windows[name]:>7,} melodies" for name in tunes
    ]
    for heading, counts in (("dropped", summary["dropped"]), ("noted", summary["noted"])):
        lines += [f"  {heading}: {count:,} {reason}" for reason, count in counts.items()]
    return lines
