"""A lead sheet as a piece of a page: piano roll, score, sound and a MIDI file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seqtutor.exhibits import Fact, Mark
from seqtutor.tasks.scores.chances import Chances
from seqtutor.tasks.scores.exhibiting import Piece, piece_with
from seqtutor.tasks.scores.lead_sheet import LeadSheet
from seqtutor.tasks.scores.lead_sheet_bars import COMMON_TIME
from seqtutor.tasks.scores.lead_sheet_files import (
    LeadSheetRendering,
    render_abc,
    render_midi,
    render_musicxml,
    tones_of,
)
from seqtutor.tasks.scores.notation import bar_length, beat_length
from seqtutor.tasks.scores.piano_roll import RollNote, piano_roll


def piece_of(
    sheet: LeadSheet,
    rendering: LeadSheetRendering,
    marks: Sequence[Mark],
    of_notes: Sequence[int],
    facts: Mapping[str, Fact],
    chances: Chances | None,
    chord_names: Sequence[str] = (),
) -> Piece:
    """The piece of a sheet.

    Args:
        sheet: to be shown; without a metre it is drawn in 4/4.
        rendering: how it is heard and written.
        marks: parts that a reader can point at.
        of_notes: of each note the place of its mark.
        facts: what else is to be said of it.
        chances: what the policy might have written, if that is known.
        chord_names: of its chords.
    """
    meter = sheet.meter or COMMON_TIME
    roll = piano_roll(
        [
            RollNote(float(note.onset), float(note.duration), note.pitch, place)
            for place, note in zip(of_notes, sheet.notes, strict=True)
        ],
        float(sheet.length),
        float(bar_length(meter)),
        float(beat_length(meter)),
        float(sheet.length) * 60 / rendering.tempo,
        [
            (float(one.onset), float(one.duration), name)
            for one, name in zip(sheet.chords, chord_names, strict=True)
        ],
        float(sheet.pickup),
        chances,
        sheet.key,
    )
    return piece_with(
        marks,
        of_notes,
        roll,
        facts,
        midi=render_midi(sheet, rendering),
        abc=render_abc(sheet, rendering),
        musicxml=render_musicxml(sheet, rendering),
        tones=tones_of(sheet, rendering),
    )
