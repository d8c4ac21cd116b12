"""Lead sheets from ABC in one `.npz` file: a few flat arrays and JSON, no pickle."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from seqtutor.tasks.folk.abc import TICKS_PER_QUARTER, quarters
from seqtutor.tasks.folk.lead_sheet import Chord, LeadSheet, MelodyNote
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import MODES, Key
from seqtutor.tasks.scores.read_cache import Arrays, load_read, save_read

FORMAT = 1


def _ticks(time: Fraction) -> int:
    ticks = time * TICKS_PER_QUARTER
    if ticks.denominator != 1:
        raise ValueError(f"{time} quarters are not a whole number of ticks")
    return ticks.numerator


def save_sheets(path: Path, sheets: Sequence[LeadSheet], report: ImportReport) -> None:
    """Write lead sheets and their report; a cache that cannot be written is no error.

    Raises:
        ValueError: if a time is not a whole number of the ABC reader's ticks.
    """
    facts = [
        (
            sheet.index,
            _ticks(sheet.length),
            _ticks(sheet.pickup),
            sheet.key.tonic,
            MODES.index(sheet.key.mode),
            *(sheet.meter or (0, 0)),
            len(sheet.notes),
            len(sheet.chords),
        )
        for sheet in sheets
    ]
    chords = [chord for sheet in sheets for chord in sheet.chords]
    # Most chords are struck many times: each set of pitches is written once.
    voicings = list(dict.fromkeys(chord.pitches for chord in chords))
    place = {pitches: index for index, pitches in enumerate(voicings)}
    names = {
        "titles": [sheet.title for sheet in sheets],
        "sources": [sheet.source for sheet in sheets],
        "voicings": voicings,
    }
    notes = [(_ticks(n.onset), _ticks(n.duration), n.pitch) for s in sheets for n in s.notes]
    struck = [(_ticks(c.onset), _ticks(c.duration), place[c.pitches]) for c in chords]
    arrays = {
        "facts": np.array(facts, dtype=np.int32).reshape(-1, 9),
        "notes": np.array(notes, dtype=np.int32).reshape(-1, 3),
        "chords": np.array(struck, dtype=np.int32).reshape(-1, 3),
    }
    save_read(path, FORMAT, names, report, arrays)


def load_sheets(path: Path) -> tuple[list[LeadSheet], ImportReport] | None:
    """Read what `save_sheets` wrote, or `None` if it is missing, damaged or of another format."""
    return load_read(path, FORMAT, _unpack)


def _unpack(arrays: Arrays, names: dict[str, Any]) -> list[LeadSheet]:
    voicings = [tuple(pitches) for pitches in names["voicings"]]
    notes = (
        MelodyNote(quarters(onset), quarters(duration), pitch)
        for onset, duration, pitch in arrays["notes"].tolist()
    )
    chords = (
        Chord(quarters(onset), quarters(duration), voicings[voicing])
        for onset, duration, voicing in arrays["chords"].tolist()
    )
    sheets = []
    for title, source, facts in zip(
        names["titles"], names["sources"], arrays["facts"].tolist(), strict=True
    ):
        index, length, pickup, tonic, mode, beats, unit, note_count, chord_count = facts
        sheets.append(
            LeadSheet(
                notes=tuple(islice(notes, note_count)),
                chords=tuple(islice(chords, chord_count)),
                length=quarters(length),
                key=Key(tonic, MODES[mode]),
                meter=(beats, unit) if unit else None,
                pickup=quarters(pickup),
                title=title,
                source=source,
                index=index,
            )
        )
    return sheets
