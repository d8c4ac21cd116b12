"""Tunes with chords on a page: sound, score, piano roll, and how notes fit their chords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int

from seqtutor.exhibits import LISTED, Exhibition, Fact, Listed, Mark, Shown
from seqtutor.tasks.folk.listening import rendering_of, semitones_of
from seqtutor.tasks.folk.model import LeadSheetReader
from seqtutor.tasks.folk.terms import SHARES
from seqtutor.tasks.scores.chances import chances_of
from seqtutor.tasks.scores.chord_names import name_of
from seqtutor.tasks.scores.exhibiting import Piece, exhibition_of
from seqtutor.tasks.scores.lead_sheet import Chord, LeadSheet, MelodyNote
from seqtutor.tasks.scores.lead_sheet_bars import COMMON_TIME
from seqtutor.tasks.scores.lead_sheet_files import LeadSheetRendering
from seqtutor.tasks.scores.lead_sheet_pieces import piece_of
from seqtutor.tasks.scores.notation import bar_length, spelled_name

MEASURED = 200
"""Tunes of each policy whose notes are counted for distributions."""


def exhibition(policies: Mapping[str, Shown]) -> Exhibition:
    """All that a page shows of tunes with chords."""
    how = next(iter(policies.values())).how
    rendering, semitones = rendering_of(how), semitones_of(how)
    pieces, listed, voices = {}, {}, {}
    for name, shown in policies.items():
        reader = LeadSheetReader(shown.drawn.vocabulary, shown.drawn.origin)
        first = shown.drawn.sequences[:MEASURED]
        sheets = reader(first.tokens, first.mask)
        pieces[name] = _pieces(shown, reader, rendering, semitones)
        listed[name] = [
            Listed(text, _facts(sheet))
            for text, sheet in zip(shown.drawn.texts()[:LISTED], sheets, strict=False)
        ]
        voices[name] = [[(note.duration, note.pitch) for note in sheet.notes] for sheet in sheets]
    return exhibition_of(policies, pieces, listed, voices, rendering.sound)


def _pieces(
    shown: Shown, reader: LeadSheetReader, rendering: LeadSheetRendering, semitones: int
) -> Iterator[Piece]:
    """The chosen tunes of a policy."""
    chosen, meanings = shown.drawn.sequences[shown.chosen], reader.melody(semitones)
    sheets = reader(chosen.tokens, chosen.mask)
    titled = zip(sheets, shown.file_titles, shown.asked(), strict=True)
    for place, (sheet, title, found) in enumerate(titled):
        moved = replace(sheet.transposed(semitones), title=title or sheet.title)
        tokens = chosen.tokens[place][chosen.mask[place]]
        yield _piece(moved, rendering, tokens, meanings, reader, found)


def _piece(
    sheet: LeadSheet,
    rendering: LeadSheetRendering,
    tokens: Int[np.ndarray, " time"],
    meanings: Sequence[int | str | None],
    reader: LeadSheetReader,
    probabilities: Float[np.ndarray, "time vocab"] | None,
) -> Piece:
    marks = [_mark(note, sheet) for note in sheet.notes]
    chances = None
    if probabilities is not None:
        spans = reader.spans(tokens)
        begun = {span[0]: step for step, span in enumerate(spans) if span is not None}
        steps = [begun[note.onset] for note in sheet.notes]
        marks = [
            mark.with_probability(float(probabilities[step, tokens[step]]))
            for mark, step in zip(marks, steps, strict=True)
        ]
        chances = chances_of(probabilities, spans, meanings)
    chords = [_name(chord, sheet) for chord in sheet.chords]
    return piece_of(sheet, rendering, marks, range(len(marks)), _facts(sheet), chances, chords)


def _facts(sheet: LeadSheet) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        name.replace("_", " "): share(sheet) for name, share in SHARES.items()
    }
    return {"notes": len(sheet.notes), "chords": len(sheet.chords)} | facts


def _name(chord: Chord, sheet: LeadSheet) -> str:
    return name_of(chord.pitches).symbol(sheet.key)


def _mark(note: MelodyNote, sheet: LeadSheet) -> Mark:
    """A note; the terms of the reward are shares of a whole tune, of which it earns no part."""
    bar = (note.onset - sheet.pickup) // bar_length(sheet.meter or COMMON_TIME) + 1
    detail = f"{_quarters(note.duration)} in {f'bar {bar}' if bar else 'the upbeat'}"
    chord = next((c for c in sheet.chords if c.onset <= note.onset < c.end), None)
    if chord is not None:
        belongs = "a tone" if note.pitch % 12 in chord.pitch_classes else "not a tone"
        detail += f", {belongs} of {_name(chord, sheet)}"
    return Mark(spelled_name(note.pitch, sheet.key), 0, 0, detail)


def _quarters(duration: Fraction) -> str:
    return "a quarter" if duration == 1 else f"{duration} quarters"
