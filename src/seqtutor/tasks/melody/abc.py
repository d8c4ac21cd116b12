"""A fast reader of ABC files with many tunes, for what a melody needs of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqtutor.tasks.melody.timeline import Timeline, timeline
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.abc import decode_abc, read_tunes
from seqtutor.tasks.scores.files import read_limited
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import Key, estimate_key, mode_from_thirds
from seqtutor.tasks.scores.measures import PlayedTune, UnreadableTuneError

READER_VERSION = 3
"""Raised whenever the same text may give other tunes, so that caches notice."""


@dataclass(frozen=True)
class AbcOptions:
    """How to read.

    Attributes:
        off_grid: what to do with a tune that has notes between the sixteenths (triplets,
            thirty-seconds): move them to the nearest sixteenth, or drop the tune.
        modes: "field" takes a `K:` without a mode as major, as the standard has it; "thirds"
            compares the minor with the major third, for files whose `K:` never tells the mode.
    """

    off_grid: Literal["quantise", "drop"] = "quantise"
    modes: Literal["field", "thirds"] = "field"


def read_abc(
    text: str, source: str, options: AbcOptions | None = None
) -> tuple[list[Tune], ImportReport]:
    """Read every tune of an ABC file's text, at its sounding pitch, repeats played out.

    A tune that cannot be read is left out and counted with the reason. Of several voices the
    first is taken, of chords the highest note; grace notes are left out.
    """
    chosen = options or AbcOptions()
    return read_tunes(text, lambda played, index: tune_of(played, source, chosen, index))


def read_abc_file(
    path: Path, options: AbcOptions | None = None, source: str | None = None
) -> tuple[list[Tune], ImportReport]:
    """Read an ABC file; see `read_abc`.

    Raises:
        UserError: if the file cannot be opened or is far too large.
    """
    return read_abc(decode_abc(read_limited(path)), source or path.name, options)


def tune_of(
    played: PlayedTune, source: str, options: AbcOptions, index: int = 0
) -> tuple[Tune, Counter[str]]:
    """A tune in any notation on the grid of sixteenths, and what was changed, by name.

    Raises:
        UnreadableTuneError: if it has no notes, or cannot be brought to the grid.
    """
    on_grid = timeline(played.measures)
    changes = Counter({f"with {feature}": 1 for feature in sorted(played.noted)})
    changes += changes_of(on_grid, options)
    key = played.key
    if key is None:
        key = estimate_key(on_grid.notes)
    elif options.modes == "thirds" and key.mode == "major":
        key = Key(key.tonic, mode_from_thirds(key.tonic, on_grid.notes))
    tune = Tune(
        title=played.title,
        source=source,
        index=index,
        notes=on_grid.notes,
        length=on_grid.length,
        key=key,
        meter=played.meter,
        downbeats=on_grid.downbeats,
    )
    return tune, changes


def changes_of(on_grid: Timeline, options: AbcOptions) -> Counter[str]:
    """What was changed on the way to the grid, by name.

    Raises:
        UnreadableTuneError: if there are no notes, or they were to lie on the grid and do not.
    """
    if not on_grid.notes:
        raise UnreadableTuneError("no notes")
    if on_grid.moved and options.off_grid == "drop":
        raise UnreadableTuneError("notes off the sixteenth grid")
    return +Counter(
        {
            "with notes moved to the grid": int(on_grid.moved > 0),
            "notes moved to the grid": on_grid.moved,
            "notes merged with another": on_grid.merged,
        }
    )
