"""Melodies as a person asks for them: key, bars, tempo and sound, and how they begin."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqtutor.controls import Amount, Canvas, CanvasRow, Choice, Control, How, Opening, chosen
from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import (
    HIGHEST_PITCH,
    HOLD,
    LOWEST_PITCH,
    NOTE_OFF,
    STEPS_PER_QUARTER,
    TOKEN_TO_MIDI,
    melody_vocabulary,
    tokens_to_notes,
)
from seqtutor.tasks.melody.notation import Meter
from seqtutor.tasks.melody.primer import read_primer
from seqtutor.tasks.melody.render import RenderSettings
from seqtutor.tasks.scores.instruments import program_of
from seqtutor.tasks.scores.keys import BLACK_KEYS, Key, pitch_name
from seqtutor.tasks.scores.listening import (
    INSTRUMENT,
    KEY,
    TEMPO,
    instrument_control,
    key_control,
    key_named,
    semitones_between,
    sound_of,
    swing_control,
    tempo_control,
    written_key,
)
from seqtutor.tasks.scores.notation import beat_length

METER, UPBEAT = "metre", "upbeat"
"""Names of the controls that only melodies have."""
METERS = tuple(
    str(Meter(*one))
    for one in ((4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (12, 8), (3, 8), (2, 2), (3, 2), (5, 4))
)
MOST_UPBEAT = 23
"""Sixteenths, one less than the longest bar has."""
_CONCERT_PITCH, _CONCERT_A = 440.0, 69


def controls(key: Key) -> list[Control]:
    """What can be chosen of melodies that a model writes in a key."""
    return [
        key_control(key),
        Choice(METER, "Metre", METERS, METERS[0]),
        Amount(UPBEAT, "Upbeat, in sixteenths", 0, MOST_UPBEAT, 1, 0),
        tempo_control(),
        instrument_control(),
        swing_control(),
    ]


def rendering(key: Key, semitones: int, how: How) -> RenderSettings:
    """How melodies are written and heard.

    Args:
        key: in which they are written without a choice.
        semitones: from what the model writes up to that key.
        how: what was chosen.
    """
    own = chosen(controls(key), how)
    wanted = key_named(str(own[KEY])) if own[KEY] != str(key) else key
    meter = meter_named(str(own[METER]))
    return RenderSettings(
        tempo=float(own[TEMPO]),
        key=wanted,
        transposition=semitones + semitones_between(key, wanted),
        meter=meter,
        pickup=int(own[UPBEAT]) % meter.bar_length,
        program=program_of(str(own[INSTRUMENT])),
        sound=sound_of(own),
    )


def meter_named(name: str) -> Meter:
    """A metre by the name that `str` gives it."""
    beats, _, unit = name.partition("/")
    return Meter(int(beats), int(unit))


def canvas(key: Key, semitones: int, how: How) -> Canvas:
    """A small piano roll, whose pitches are those that are heard; arguments as for `rendering`."""
    own, names = rendering(key, semitones, how), melody_vocabulary().tokens
    rows = []
    for pitch in range(HIGHEST_PITCH, LOWEST_PITCH - 1, -1):
        heard = pitch + own.transposition
        hertz = _CONCERT_PITCH * 2 ** ((heard - _CONCERT_A) / 12)
        is_black = heard % 12 in BLACK_KEYS
        rows.append(CanvasRow(names[pitch - TOKEN_TO_MIDI], pitch_name(heard), is_black, hertz))
    bar = own.meter.bar_length
    beat = int(STEPS_PER_QUARTER * beat_length(own.meter.signature))
    columns = own.pickup + bar
    return Canvas(rows, names[HOLD], names[NOTE_OFF], columns, beat, bar, own.pickup)


def opening(given: str | Path, key: Key, semitones: int) -> Opening:
    """Tokens by name or number, or a file of music, which is moved to the model's key.

    Args:
        given: what was typed, or the file.
        key: in which melodies are written without a choice.
        semitones: from what the model writes up to that key.

    Raises:
        UserError: as `read_primer` does; kern files are not read, as their reader knows no limit
            outside the main thread.
    """
    if isinstance(given, str):
        return Opening(_tokens(given))
    if given.suffix.lower() == ".krn":
        raise UserError("a kern file is not read here; save it as MusicXML or MIDI")
    primer = read_primer(given, key=key, semitones=semitones)
    if primer.key is None:
        raise UserError(f"{given} holds no melody")
    notes = list(primer.remarks)
    bars: dict[str, str | float] = {METER: METERS[0], UPBEAT: 0}
    if str(primer.meter) in METERS:
        bars = {METER: str(primer.meter), UPBEAT: primer.pickup}
    else:
        notes.append(f"it is in {primer.meter}, and written in {METERS[0]} here")
    if primer.meter != Meter() or primer.pickup:
        notes.append("a model that counts from the first note, in other bars, may not keep these")
    back = -primer.transposition - semitones
    if back == 0:
        return Opening(primer.tokens, {KEY: str(key), **bars}, notes)
    wanted = written_key(primer.key)
    octaves = (back - semitones_between(key, key_named(wanted))) // 12
    heard = "" if octaves == 0 else f", an octave {'lower' if octaves > 0 else 'higher'}"
    notes.append(
        f"it is in {primer.key}: moved by {primer.transposition:+d} semitones for the model, "
        f"and what is heard back again{heard}"
    )
    return Opening(primer.tokens, {KEY: wanted, **bars}, notes)


def _tokens(text: str) -> np.ndarray:
    """Ids of tokens by their names, or the ids themselves; never a file's name."""
    words = text.split()
    if words and all(word.isdecimal() and word.isascii() for word in words):
        ids = np.array([int(word[:6]) for word in words], np.int32)
        tokens_to_notes(ids)  # Says which one is none.
        return ids
    return melody_vocabulary().encode(words)
