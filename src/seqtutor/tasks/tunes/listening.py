"""Tunes as a person asks for them: tempo and sound."""

from __future__ import annotations

from seqtutor.controls import Control, How, chosen
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

USUAL_TEMPO = 160.0
"""Quarter notes a minute."""


def controls() -> list[Control]:
    """What can be chosen of tunes."""
    return [tempo_control(USUAL_TEMPO), instrument_control(), swing_control()]


def rendering_of(how: How) -> LeadSheetRendering:
    """How tunes are heard."""
    own = chosen(controls(), how)
    return LeadSheetRendering(
        float(own[TEMPO]), program_of(str(own[INSTRUMENT])), sound=sound_of(own)
    )
