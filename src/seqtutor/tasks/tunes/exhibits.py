"""Tunes on a page: sound, score, piano roll, and what each bar earned by which rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from seqtutor.exhibits import LISTED, Exhibit, Exhibition, Fact, Listed, Mark, Shown
from seqtutor.tasks.folk.lead_sheet import LeadSheet
from seqtutor.tasks.folk.render import LeadSheetRendering, render_midi, render_musicxml, tones_of
from seqtutor.tasks.scores.exhibiting import Piece, with_media
from seqtutor.tasks.scores.keys import pitch_name
from seqtutor.tasks.scores.notation import bar_length, beat_length
from seqtutor.tasks.scores.note_statistics import note_distributions
from seqtutor.tasks.scores.piano_roll import RollNote, piano_roll
from seqtutor.tasks.tunes.render import sheets_of
from seqtutor.tasks.tunes.tokens import BAR, END
from seqtutor.vocabulary import Vocabulary

MEASURED = 500
"""Tunes of each policy whose notes are counted for distributions."""
TEMPO = 160.0
_WORDS = {
    "faulty_bars": "bars that are not whole",
    "bar_returns": "a bar that was heard before",
    "phrase_returns": "the second half begins as the first",
    "varied_returns": "the second half varies the first",
    "sequences": "the bar before, at another pitch",
    "rhythm_returns": "the rhythm of an earlier bar",
    "half_cadence": "open on the dominant half way",
    "tonic_close": "closes on the tonic",
    "long_close": "a long last note on a beat",
    "usual_range": "the range of real tunes",
    "arch": "a half that rises and falls",
    "one_harmony": "the beats fit one chord",
}


def exhibition(policies: Mapping[str, Shown]) -> Exhibition:
    """All that a page shows of tunes."""
    rendering = LeadSheetRendering(TEMPO)
    pieces, listed, voices = {}, {}, {}
    for name, shown in policies.items():
        drawn = shown.drawn
        first = sheets_of(replace(drawn, sequences=drawn.sequences[:MEASURED]))
        chosen = replace(drawn, sequences=drawn.sequences[shown.chosen])
        pieces[name] = [
            _piece(sheet, chosen.sequences.tokens[place], chosen.vocabulary, rendering)
            for place, sheet in enumerate(sheets_of(chosen))
        ]
        listed[name] = [
            Listed(text, _facts(sheet))
            for text, sheet in zip(drawn.texts()[:LISTED], first, strict=False)
        ]
        voices[name] = [[(note.duration, note.pitch) for note in sheet.notes] for sheet in first]
    exhibits, problems = with_media(pieces)
    notes = ["What a rule gives for a bar is paid where the next one begins.", *problems]
    return Exhibition(exhibits, listed, note_distributions(voices), notes)


def _piece(
    sheet: LeadSheet,
    tokens: Int[np.ndarray, " time"],
    vocabulary: Vocabulary,
    rendering: LeadSheetRendering,
) -> Piece:
    assert sheet.meter is not None
    marks = list(_marks(tokens, vocabulary))
    of_notes = [place for place, mark in enumerate(marks) if mark.detail == "note"]
    marks = [replace(mark, detail=_WHERE[mark.detail]) for mark in marks]
    roll = piano_roll(
        [
            RollNote(float(note.onset), float(note.duration), note.pitch, place)
            for place, note in zip(of_notes, sheet.notes, strict=True)
        ],
        float(sheet.length),
        float(bar_length(sheet.meter)),
        float(beat_length(sheet.meter)),
        float(sheet.length) * 60 / rendering.tempo,
    )
    exhibit = Exhibit(
        " ".join(mark.label for mark in marks),
        [roll],
        marks=marks,
        facts=_facts(sheet),
        files={"mid": render_midi(sheet, rendering)},
    )
    score = render_musicxml(sheet, rendering)
    return Piece(exhibit, score, tones_of(sheet, rendering), of_notes)


_WHERE = {"note": "a note", "bar": "the bar before ends", "end": "the tune ends", "": ""}


def _marks(tokens: Int[np.ndarray, " time"], vocabulary: Vocabulary) -> Iterator[Mark]:
    """Notes, bar lines and the end; what else there is goes with the token before."""
    for step, token in enumerate(vocabulary.tokens[index] for index in tokens):
        if token in (BAR, END):
            yield Mark(token, step, step + 1, "bar" if token == BAR else "end", _WORDS)
            if token == END:
                return
            continue
        what, _, length = token.partition(":")
        if length and what in _NAMES:
            yield Mark(what, step, step + 1, "note", _WORDS)


_NAMES = {pitch_name(pitch) for pitch in range(128)}


def _facts(sheet: LeadSheet) -> dict[str, Fact]:
    pitches = [note.pitch for note in sheet.notes]
    extent = max(pitches) - min(pitches) if pitches else 0
    beats, unit = sheet.meter or (4, 4)
    return {
        "metre": f"{beats}/{unit}",
        "mode": sheet.key.mode,
        "notes": len(sheet.notes),
        "range in semitones": extent,
    }
