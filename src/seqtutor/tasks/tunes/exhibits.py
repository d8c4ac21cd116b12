"""Tunes on a page: sound, score, piano roll, and what each bar earned by which rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from seqtutor.exhibits import LISTED, Exhibition, Fact, Listed, Mark, Shown, with_probabilities
from seqtutor.task_records import Drawn
from seqtutor.tasks.scores.chances import chances_of
from seqtutor.tasks.scores.exhibiting import Piece, exhibition_of
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.lead_sheet import LeadSheet
from seqtutor.tasks.scores.lead_sheet_files import LeadSheetRendering
from seqtutor.tasks.scores.lead_sheet_pieces import piece_of
from seqtutor.tasks.scores.notation import spelled_name
from seqtutor.tasks.scores.note_statistics import facts_of_pitches
from seqtutor.tasks.tunes.listening import rendering_of, semitones_of
from seqtutor.tasks.tunes.render import sheets_of
from seqtutor.tasks.tunes.timing import meanings_of, spans_of
from seqtutor.tasks.tunes.tokens import END, PITCHES, copied_bar, is_bar, names_for
from seqtutor.vocabulary import Vocabulary

NOTES = ("What a rule gives for a bar is paid where the next one begins.",)
MEASURED = 500
"""Tunes of each policy whose notes are counted for distributions."""
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
    "repeatable": "can be played again in time",
    "usual_range": "the range of real tunes",
    "arch": "a half that rises and falls",
    "one_harmony": "the beats fit one chord",
}


def exhibition(policies: Mapping[str, Shown]) -> Exhibition:
    """All that a page shows of tunes."""
    how = next(iter(policies.values())).how
    rendering, semitones = rendering_of(how), semitones_of(how)
    pieces, listed, voices = {}, {}, {}
    for name, shown in policies.items():
        drawn = shown.drawn
        first = sheets_of(replace(drawn, sequences=drawn.sequences[:MEASURED]), semitones)
        pieces[name] = _pieces(shown, rendering, semitones)
        listed[name] = [
            Listed(text, _facts(sheet))
            for text, sheet in zip(_texts(drawn, semitones), first, strict=False)
        ]
        voices[name] = [[(note.duration, note.pitch) for note in sheet.notes] for sheet in first]
    return exhibition_of(policies, pieces, listed, voices, rendering.sound, NOTES)


def _pieces(shown: Shown, rendering: LeadSheetRendering, semitones: int) -> Iterator[Piece]:
    """The chosen tunes of a policy."""
    chosen = replace(shown.drawn, sequences=shown.drawn.sequences[shown.chosen])
    sheets = zip(sheets_of(chosen, semitones), shown.file_titles, shown.asked(), strict=True)
    for tokens, (sheet, title, found) in zip(chosen.sequences.tokens, sheets, strict=True):
        titled = replace(sheet, title=title or sheet.title)
        yield _piece(titled, tokens, chosen.vocabulary, rendering, semitones, found)


def _texts(drawn: Drawn, semitones: int) -> list[str]:
    """The first tunes as people call their tokens."""
    vocabulary, first = drawn.vocabulary, drawn.sequences[:LISTED]
    names = dict(zip(vocabulary.tokens, names_for(vocabulary, semitones), strict=True))

    def called(tokens: Sequence[str]) -> str:
        return " ".join(names[token] for token in tokens)

    return vocabulary.texts(first.tokens, first.mask, called)


def _piece(
    sheet: LeadSheet,
    tokens: Int[np.ndarray, " time"],
    vocabulary: Vocabulary,
    rendering: LeadSheetRendering,
    semitones: int,
    probabilities: Float[np.ndarray, "time vocab"] | None,
) -> Piece:
    assert sheet.meter is not None
    marks, of_notes = _marks(vocabulary.decode(tokens), sheet.key, semitones)
    chances = None
    if probabilities is not None:
        marks = with_probabilities(marks, tokens, probabilities)
        meanings = meanings_of(vocabulary, semitones)
        chances = chances_of(probabilities, spans_of(tokens, vocabulary), meanings)
    return piece_of(sheet, rendering, marks, of_notes, _facts(sheet), chances)


def _marks(tokens: Sequence[str], key: Key, semitones: int) -> tuple[list[Mark], list[int]]:
    """Notes, bar lines, copies and the end as marks; and of each note that sounds its mark."""
    marks: list[Mark] = []
    of_bars: list[list[int]] = [[]]
    for step, token in enumerate([*tokens, END]):
        place = len(marks)
        if is_bar(token):
            of_bars.append([])
            marks.append(Mark(token, step, step + 1, "the bar before ends", _WORDS))
        elif token == END:
            marks.append(Mark(END, step, step + 1, "the tune ends", _WORDS))
        elif number := copied_bar(token):
            if number < len(of_bars) - 1:
                of_bars[-1] = [place] * len(of_bars[number])
            marks.append(Mark(token, step, step + 1, f"bar {number} again", _WORDS))
        elif token.partition(":")[0] in PITCHES:
            of_bars[-1].append(place)
            what, _, length = token.partition(":")
            name = spelled_name(PITCHES[what] + semitones, key)
            marks.append(Mark(name, step, step + 1, f"{length} of a quarter", _WORDS))
    return marks, [place for bar in of_bars for place in bar]


def _facts(sheet: LeadSheet) -> dict[str, Fact]:
    beats, unit = sheet.meter or (4, 4)
    own: dict[str, Fact] = {"metre": f"{beats}/{unit}", "mode": sheet.key.mode}
    return own | facts_of_pitches([note.pitch for note in sheet.notes])
