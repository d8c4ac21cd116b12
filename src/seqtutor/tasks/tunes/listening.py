"""Tunes as a person asks for them: pitch, tempo and sound, and how they begin."""

from __future__ import annotations

from pathlib import Path

from seqtutor.controls import Amount, Control, How, Opening, chosen
from seqtutor.tasks.scores.instruments import program_of
from seqtutor.tasks.scores.lead_sheet_files import LeadSheetRendering
from seqtutor.tasks.scores.listening import (
    BARS,
    INSTRUMENT,
    PART,
    TEMPO,
    instrument_control,
    part_control,
    require_quick,
    sound_of,
    swing_control,
    tempo_control,
)
from seqtutor.tasks.tunes.beginning import MOST_SEMITONES, read_beginning
from seqtutor.tasks.tunes.tokens import typed_tokens
from seqtutor.vocabulary import Vocabulary

TRANSPOSITION = "transposition"
USUAL_TRANSPOSITION = 2
"""Semitones from the white keys: tunes in C major are written in D, that of most fiddle tunes."""
USUAL_INSTRUMENT = "violin"
MOST_BARS = 32
USUAL_TEMPO = 160.0
"""Quarter notes a minute."""


def controls() -> list[Control]:
    """What can be chosen of tunes."""
    return [
        Amount(
            *(TRANSPOSITION, "Semitones above C major (2: D)"),
            *(-MOST_SEMITONES, MOST_SEMITONES, 1, USUAL_TRANSPOSITION),
        ),
        tempo_control(USUAL_TEMPO),
        instrument_control(default=USUAL_INSTRUMENT),
        swing_control(),
    ]


def opening_controls() -> list[Control]:
    """What can be chosen of how a file is read."""
    return [
        Amount(BARS, "First bars of a file (0: half of a tune)", 0, MOST_BARS, 1, 0),
        part_control(),
    ]


def semitones_of(how: How) -> int:
    """From the white keys up to what is heard."""
    return int(chosen(controls(), how)[TRANSPOSITION])


def opening(given: str | Path, vocabulary: Vocabulary, how: How) -> Opening:
    """Words such as a dance, a metre, a mode and notes; or the first bars of a file.

    Args:
        given: what was typed, or the file.
        vocabulary: of the model.
        how: values of `controls` and `opening_controls`.

    Raises:
        UserError: if it cannot be read, or the model knows no such tokens; kern is not read.
    """
    reading = [one.name for one in opening_controls()]
    if isinstance(given, str):
        shown = {name: value for name, value in how.items() if name not in reading}
        return Opening(typed_tokens(given, vocabulary, semitones_of(shown)))
    require_quick(given)
    taken = chosen(opening_controls(), {name: how[name] for name in reading if name in how})
    bars, part = int(taken[BARS]) or None, str(taken[PART]) or None
    found = read_beginning(given, vocabulary, bars, part)
    shown = {TRANSPOSITION: found.transposition}
    tempo = tempo_control(USUAL_TEMPO)
    if found.tempo is not None:
        shown[TEMPO] = min(max(found.tempo, tempo.least), tempo.most)
    offers = {PART: found.parts} if len(found.parts) > 1 else {}
    return Opening(found.tokens, shown, found.notes, offers)


def rendering_of(how: How) -> LeadSheetRendering:
    """How tunes are heard."""
    own = chosen(controls(), how)
    return LeadSheetRendering(
        float(own[TEMPO]), program_of(str(own[INSTRUMENT])), sound=sound_of(own)
    )
