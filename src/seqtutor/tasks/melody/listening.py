"""Melodies as a person asks for them: key, bars, tempo and sound, and how they begin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from seqtutor.controls import (
    LONGEST_WORDS,
    Amount,
    Canvas,
    CanvasRow,
    Choice,
    Control,
    How,
    Opening,
    chosen,
)
from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import (
    HIGHEST_PITCH,
    HOLD,
    LOWEST_PITCH,
    NOTE_OFF,
    STEPS_PER_QUARTER,
    TOKEN_TO_MIDI,
    VOCABULARY_SIZE,
    melody_vocabulary,
    names_for,
)
from seqtutor.tasks.melody.notation import Meter
from seqtutor.tasks.melody.primer import (
    TOKEN_NAME,
    FilePart,
    Primer,
    moved_tokens,
    read_primer,
    typed_tokens,
)
from seqtutor.tasks.melody.render import RenderSettings
from seqtutor.tasks.scores.instruments import program_of
from seqtutor.tasks.scores.keys import BLACK_KEYS, Key
from seqtutor.tasks.scores.listening import (
    BARS,
    INSTRUMENT,
    KEY,
    KEYS,
    PART,
    TEMPO,
    instrument_control,
    key_control,
    part_control,
    require_quick,
    semitones_between,
    sound_of,
    swing_control,
    tempo_control,
    with_signature,
)
from seqtutor.tasks.scores.notation import beat_length, key_title

METER, UPBEAT = "metre", "upbeat"
"""Names of the controls that only melodies have."""
METERS = tuple(
    str(Meter(*one))
    for one in ((4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (12, 8), (3, 8), (2, 2), (3, 2), (5, 4))
)
MOST_UPBEAT = 23
"""Sixteenths, one less than the longest bar has."""
MOST_BARS = 99
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
    wanted = KEYS[str(own[KEY])]
    meter = meter_named(str(own[METER]))
    return RenderSettings(
        tempo=float(own[TEMPO]),
        key=wanted,
        transposition=semitones + semitones_between(key, wanted),
        meter=meter,
        downbeats=(int(own[UPBEAT]) % meter.bar_length,),
        program=program_of(str(own[INSTRUMENT])),
        sound=sound_of(own),
    )


def meter_named(name: str) -> Meter:
    """A metre by the name that `str` gives it."""
    beats, _, unit = name.partition("/")
    return Meter(int(beats), int(unit))


def opening_controls() -> list[Control]:
    """What can be chosen of how a file is read."""
    return [
        Amount(BARS, "First bars of a file (0: all)", 0, MOST_BARS, 1, 0),
        part_control(),
    ]


def token_names(key: Key, semitones: int, how: How) -> tuple[str, ...]:
    """How people call each token in what is heard; arguments as for `rendering`."""
    own = rendering(key, semitones, how)
    return names_for(own.key, own.transposition)


def canvas(key: Key, semitones: int, how: How) -> Canvas:
    """A small piano roll, whose pitches are those that are heard; arguments as for `rendering`."""
    own, tokens = rendering(key, semitones, how), melody_vocabulary().tokens
    names = names_for(own.key, own.transposition)
    rows = []
    for pitch in range(HIGHEST_PITCH, LOWEST_PITCH - 1, -1):
        heard = pitch + own.transposition
        hertz = _CONCERT_PITCH * 2 ** ((heard - _CONCERT_A) / 12)
        is_black = heard % 12 in BLACK_KEYS
        token = pitch - TOKEN_TO_MIDI
        rows.append(CanvasRow(tokens[token], names[token], is_black, hertz))
    bar = own.meter.bar_length
    beat = int(STEPS_PER_QUARTER * beat_length(own.meter.signature))
    columns = own.pickup + bar
    return Canvas(rows, tokens[HOLD], tokens[NOTE_OFF], columns, beat, bar, own.pickup)


def opening(given: str | Path, key: Key, semitones: int, how: How) -> Opening:
    """Notes by name or number, or a file of music, which is moved to the model's key.

    Args:
        given: what was typed, in the key that is heard, or the file.
        key: in which melodies are written without a choice.
        semitones: from what the model writes up to that key.
        how: values of `controls` and `opening_controls`.

    Raises:
        UserError: as `read_primer` does; kern files are not read, as their reader knows no limit
            outside the main thread.
    """
    reading = [one.name for one in opening_controls()]
    taken = chosen(opening_controls(), {name: how[name] for name in reading if name in how})
    if isinstance(given, str):
        shown = {name: value for name, value in how.items() if name not in reading}
        return Opening(_typed(given, rendering(key, semitones, shown)))
    require_quick(given)
    of_file = FilePart(int(taken[BARS]) or None, str(taken[PART]) or None)
    return _of_file(read_primer(given, key=key, semitones=semitones, taken=of_file), key, semitones)


def _of_file(primer: Primer, key: Key, semitones: int) -> Opening:
    """The beginning, the key and the bars in which a file is heard as it was."""
    assert primer.key is not None
    notes = list(primer.remarks)
    bars: dict[str, str | float] = {METER: METERS[0], UPBEAT: 0}
    if str(primer.meter) in METERS:
        bars = {METER: str(primer.meter), UPBEAT: primer.pickup}
    else:
        notes.append(f"it is in {primer.meter}, and written in {METERS[0]} here")
    if primer.has_irregular_bars:
        notes.append(
            f"some of its bars are not as long as {primer.meter} says, and written as if they were"
        )
    if primer.meter != Meter() or primer.pickup:
        notes.append("a model that counts from the first note, in other bars, may not keep these")
    wanted = with_signature(key, primer.key)
    way = semitones_between(key, wanted)
    tokens, moved = primer.tokens, primer.transposition
    # The page moves keys by less than an octave: if it can be, what is heard is what was given.
    off = -moved - semitones - way
    if off and (other := moved_tokens(tokens, off)) is not None:
        tokens, moved = other, moved + off
    octaves = (-moved - semitones - way) // 12
    where = f"it is in {key_title(primer.key)}"
    if wanted != primer.key:
        where += f", which has the signature of {key_title(wanted)}"
    if moved != -semitones:
        heard = "" if octaves == 0 else f", an octave {'lower' if octaves > 0 else 'higher'}"
        notes.append(
            f"{where}: moved by {moved:+d} semitones for the model, and what is heard back "
            f"again{heard}"
        )
    elif wanted != primer.key:
        notes.append(where)
    offers = {PART: primer.parts} if len(primer.parts) > 1 else {}
    return Opening(tokens, {KEY: key_title(wanted), **bars}, notes, offers)


def _typed(text: str, heard: RenderSettings) -> Int[np.ndarray, " time"]:
    """Tokens by their names or numbers; never a file's name."""
    tokens = typed_tokens(text.strip(), heard.key, heard.transposition)
    if tokens is None:
        words = text.replace(",", " ").split()
        others = (one for one in words if not TOKEN_NAME.fullmatch(one))
        wrong = next(others, text.strip())
        raise UserError(
            f"{wrong[:LONGEST_WORDS]!r} is not a melody token; give notes such as D4 or Bb4, hold "
            f"and rest, or the numbers 0 to {VOCABULARY_SIZE - 1}"
        )
    return tokens
