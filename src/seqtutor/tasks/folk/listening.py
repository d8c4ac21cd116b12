"""Tunes with chords as a person asks for them: pitch, tempo and sound."""

from __future__ import annotations

from seqtutor.controls import Amount, Control, How, chosen
from seqtutor.tasks.scores.instruments import program_of
from seqtutor.tasks.scores.lead_sheet_files import LeadSheetRendering
from seqtutor.tasks.scores.listening import (
    INSTRUMENT,
    TEMPO,
    instrument_control,
    sound_of,
    swing_control,
    tempo_control,
)

_TRANSPOSITION, _CHORD_INSTRUMENT = "transposition", "chord_instrument"
OCTAVE = 12


def controls() -> list[Control]:
    """What can be chosen of tunes."""
    return [
        Amount(_TRANSPOSITION, "Transposition, semitones", -OCTAVE, OCTAVE, 1, 0),
        tempo_control(),
        instrument_control(title="Instrument of the melody"),
        instrument_control(_CHORD_INSTRUMENT, "Instrument of the chords"),
        swing_control(),
    ]


def rendering_of(how: How) -> LeadSheetRendering:
    """How tunes are heard."""
    own = chosen(controls(), how)
    return LeadSheetRendering(
        float(own[TEMPO]),
        program_of(str(own[INSTRUMENT])),
        program_of(str(own[_CHORD_INSTRUMENT])),
        sound=sound_of(own),
    )


def semitones_of(how: How) -> int:
    """By how much tunes are moved."""
    return round(float(chosen(controls(), how)[_TRANSPOSITION]))
