"""Melodies as tokens: one token per sixteenth note.

The convention is that of the papers' text (Jaques et al. 2017): 0 switches the sounding note off,
1 is "no event" (whatever sounds goes on, and silence goes on too), and 2 … 37 start one of the 36
pitches from C3 (MIDI 48) to B5 (MIDI 83). Token 14 is middle C.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.tasks.scores.copies import symbols_of
from seqtutor.tasks.scores.keys import Key, pitch_name
from seqtutor.tasks.scores.notation import spelled_name
from seqtutor.vocabulary import Vocabulary

NOTE_OFF = 0
HOLD = 1
LOWEST_PITCH_TOKEN = 2
TOKEN_TO_MIDI = 46
"""What is added to a pitch token to get its MIDI pitch."""
VOCABULARY_SIZE = 38

LOWEST_PITCH = LOWEST_PITCH_TOKEN + TOKEN_TO_MIDI
HIGHEST_PITCH = VOCABULARY_SIZE - 1 + TOKEN_TO_MIDI
STEPS_PER_QUARTER = 4


@dataclass(frozen=True)
class Note:
    """One note: `onset` and `duration` in sixteenths, `pitch` as a MIDI number."""

    onset: int
    duration: int
    pitch: int

    @property
    def end(self) -> int:
        """The first sixteenth at which the note no longer sounds."""
        return self.onset + self.duration


REST = "rest"
"""What people call the token "off", and a silence."""


def melody_vocabulary() -> Vocabulary:
    """The 38 tokens of a melody: "off", "hold", "C3" … "B5". No token ends a melody."""
    pitches = (pitch_name(pitch) for pitch in range(LOWEST_PITCH, HIGHEST_PITCH + 1))
    return Vocabulary(("off", "hold", *pitches))


def names_for(key: Key, transposition: int) -> tuple[str, ...]:
    """How people call each of the 38 tokens of melodies in a key, by the pitches that are heard.

    Args:
        key: of what is heard, which spells it.
        transposition: semitones from the pitches of the tokens up to what is heard.
    """
    heard = range(LOWEST_PITCH + transposition, HIGHEST_PITCH + transposition + 1)
    return (REST, "hold", *(spelled_name(pitch, key) for pitch in heard))


def tokens_to_notes(
    tokens: Sequence[int] | Int[np.ndarray, " time"], transposition: int = 0
) -> list[Note]:
    """Read the notes out of a melody, moved by so many semitones.

    A note sounds until the next pitch, the next note-off or the end. Holds with nothing sounding
    before them are silence, and so are holds after a note-off.

    Raises:
        UserError: if a token is not one of the 38.
    """
    notes: list[Note] = []
    sounding: tuple[int, int] | None = None
    for time, token in enumerate(map(int, tokens)):
        if not 0 <= token < VOCABULARY_SIZE:
            raise UserError(
                f"token {token} at position {time + 1} is not a melody token; "
                f"use 0 (note off), 1 (hold) or 2 to {VOCABULARY_SIZE - 1} (pitches)"
            )
        if token == HOLD:
            continue
        if sounding is not None:
            onset, pitch = sounding
            notes.append(Note(onset, time - onset, pitch))
        pitch = token + TOKEN_TO_MIDI + transposition
        sounding = None if token == NOTE_OFF else (time, pitch)
    if sounding is not None:
        onset, pitch = sounding
        notes.append(Note(onset, len(tokens) - onset, pitch))
    return notes


def notes_to_tokens(notes: Iterable[Note], length: int) -> Int[np.ndarray, " time"]:
    """Write notes as `length` tokens, in the canonical form.

    Canonical means that every stretch of silence, also one at the start, is a note-off followed
    by holds. `tokens_to_notes` undoes this exactly; tokens in another form of the same melody
    (two note-offs in a row) come back canonical.

    Raises:
        UserError: if notes overlap, are empty, reach outside `length`, or are out of range.
    """
    tokens = np.full(length, HOLD, dtype=np.int32)
    silent_from = 0
    for note in notes:
        if not LOWEST_PITCH <= note.pitch <= HIGHEST_PITCH:
            raise UserError(
                f"MIDI pitch {note.pitch} is out of range; a melody lies between "
                f"{LOWEST_PITCH} (C3) and {HIGHEST_PITCH} (B5): transpose it"
            )
        if note.duration < 1 or note.onset < silent_from or note.end > length:
            raise UserError(
                f"the note at sixteenth {note.onset} overlaps another, is empty or ends after "
                f"the melody's {length} sixteenths; a melody has one note at a time"
            )
        if note.onset > silent_from:
            tokens[silent_from] = NOTE_OFF
        tokens[note.onset] = note.pitch - TOKEN_TO_MIDI
        silent_from = note.end
    if silent_from < length:
        tokens[silent_from] = NOTE_OFF
    return tokens


def symbols_of_tokens(tokens: Int[np.ndarray, "melody time"]) -> list[str]:
    """Melodies as the strings by which they are compared with real ones."""
    pitches = np.where(tokens >= LOWEST_PITCH_TOKEN, tokens + TOKEN_TO_MIDI, 0)
    return symbols_of(pitches, tokens != HOLD)
