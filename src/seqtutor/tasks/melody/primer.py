"""The beginning of a melody that a policy is asked to go on with."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import (
    HIGHEST_PITCH,
    LOWEST_PITCH,
    TOKEN_TO_MIDI,
    melody_vocabulary,
    notes_to_tokens,
    tokens_to_notes,
)
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.keys import Key

RANDOM = "random"

_LONGEST_SHOWN = 60
"""Characters of a primer that is none of these."""

_TOKEN_LIST = re.compile(r"\[?\s*[-+]?\d+(?:[\s,]+[-+]?\d+)*[\s,]*\]?")


@dataclass(frozen=True)
class Primer:
    """The first tokens, and how the tune that they come from was moved to the model's key.

    Attributes:
        tokens: `Int["time"]`.
        transposition: semitones by which the tune was moved.
        key: that of the tune before it was moved; `None` for tokens and random notes.
        report: what was found in the file.
    """

    tokens: Int[np.ndarray, " time"]
    transposition: int = 0
    key: Key | None = None
    report: ImportReport = field(default_factory=ImportReport)


def read_primer(
    text: str | Path, generator: np.random.Generator | None = None, key: Key | None = None
) -> Primer:
    """Read a primer: tokens, a file, or a random note.

    Args:
        text: tokens such as `14 1 16`, `[14, 1, 16]` or, by their names, `C4 hold D4`; the path of
            a MIDI, ABC, MusicXML or kern file, of which the first tune is taken; or `random`, one
            note of the key, all equally likely.
        generator: draws the random note.
        key: what the model writes in, C major by default. A tune of another signature is moved
            there by less than an octave, unless it would leave the range of the tokens.

    Raises:
        UserError: if a token or pitch is out of range, the file cannot be read or is polyphonic,
            or the text is none of these.
        ValueError: if a random note is wanted without a generator.
    """
    words, key = str(text).strip(), key or Key(0)
    if words.lower() == RANDOM:
        if generator is None:
            raise ValueError("a random primer needs a generator")
        return Primer(_random_note(generator, key))
    if _TOKEN_LIST.fullmatch(words):
        tokens = [int(number) for number in re.findall(r"[-+]?\d+", words)]
        tokens_to_notes(tokens)  # says which token is wrong
        return Primer(np.array(tokens, dtype=np.int32))
    names = words.split()
    vocabulary = melody_vocabulary().tokens
    if names and set(names) <= set(vocabulary):
        return Primer(np.array([vocabulary.index(name) for name in names], dtype=np.int32))
    path = Path(text)
    # Not `path.is_file()`, which raises an error where the name of a file would be too long.
    if not os.path.isfile(path):
        shown = words if len(words) <= _LONGEST_SHOWN else f"{words[:_LONGEST_SHOWN]}…"
        raise UserError(
            f"the primer {shown!r} is neither a list of tokens such as '14 1 16' or "
            f"'C4 hold E4', nor an existing file, nor {RANDOM!r}"
        )
    return _from_file(path, key)


def _random_note(generator: np.random.Generator, key: Key) -> Int[np.ndarray, " time"]:
    pitches = [pitch for pitch in range(LOWEST_PITCH, HIGHEST_PITCH + 1) if pitch % 12 in key.scale]
    return np.array([generator.choice(pitches) - TOKEN_TO_MIDI], dtype=np.int32)


def _from_file(path: Path, key: Key) -> Primer:
    (tune, *_), report = read_melody_file(path)
    semitones = _semitones_to(key, tune)
    moved = tune.transposed(semitones)
    try:
        return Primer(notes_to_tokens(moved.notes, moved.length), semitones, tune.key, report)
    except UserError as error:
        raise UserError(f"{path} cannot be a primer: {error}") from None


def _semitones_to(key: Key, tune: Tune) -> int:
    """Up or down to the key's signature, less than an octave: the shorter way that fits, if any."""
    up = (key.relative_major - tune.key.relative_major) % 12
    if up == 0:
        return 0
    lowest = min(note.pitch for note in tune.notes)
    highest = max(note.pitch for note in tune.notes)
    ways = sorted((up, up - 12), key=abs)
    fits = (way for way in ways if lowest + way >= LOWEST_PITCH and highest + way <= HIGHEST_PITCH)
    return next(fits, 0)
