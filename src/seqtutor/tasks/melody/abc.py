"""A fast reader of ABC files with many tunes, for what a melody needs of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqtutor.tasks.melody.timeline import timeline
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.abc import decode_abc, play_tune, read_limited, split_tunes
from seqtutor.tasks.scores.abc_body import UnreadableTuneError
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import Key, estimate_key, mode_from_thirds

READER_VERSION = 2
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
    """Read every tune of an ABC file's text, at its written pitch, repeats played out.

    A tune that cannot be read is left out and counted with the reason. Of several voices the
    first is taken, of chords the highest note; grace notes are left out.
    """
    options = options or AbcOptions()
    tunes: list[Tune] = []
    dropped: Counter[str] = Counter()
    noted: Counter[str] = Counter()
    index = -1
    for index, (defaults, lines) in enumerate(split_tunes(text)):
        try:
            tune, changes = _read_tune(defaults + lines, source, index, options)
        except UnreadableTuneError as error:
            dropped[str(error)] += 1
        else:
            tunes.append(tune)
            noted.update(changes)
    return tunes, ImportReport(index + 1, dict(dropped), dict(noted))


def read_abc_file(
    path: Path, options: AbcOptions | None = None, source: str | None = None
) -> tuple[list[Tune], ImportReport]:
    """Read an ABC file; see `read_abc`.

    Raises:
        UserError: if the file cannot be opened or is far too large.
    """
    return read_abc(decode_abc(read_limited(path)), source or path.name, options)


def _read_tune(
    lines: Sequence[str], source: str, index: int, options: AbcOptions
) -> tuple[Tune, Counter[str]]:
    tune = play_tune(lines)
    played = timeline(tune.measures)
    if not played.notes:
        raise UnreadableTuneError("no notes")
    if played.moved and options.off_grid == "drop":
        raise UnreadableTuneError("notes off the sixteenth grid")
    key = tune.key
    if key is None:
        key = estimate_key(played.notes)
    elif options.modes == "thirds" and key.mode == "major":
        key = Key(key.tonic, mode_from_thirds(key.tonic, played.notes))
    changes = Counter({f"with {feature}": 1 for feature in tune.noted})
    if played.moved:
        changes["with notes moved to the grid"] = 1
        changes["notes moved to the grid"] = played.moved
        changes["notes merged into the one before"] = played.merged
    melody = Tune(
        title=tune.title,
        source=source,
        index=index,
        notes=played.notes,
        length=played.length,
        key=key,
        meter=tune.meter,
        downbeats=played.downbeats,
    )
    return melody, +changes
