"""The beginning of a melody that a policy is asked to go on with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import (
    HIGHEST_PITCH,
    LOWEST_PITCH,
    TOKEN_TO_MIDI,
    notes_to_tokens,
    tokens_to_notes,
)
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.scores.keys import Key

RANDOM = "random"

_TOKEN_LIST = re.compile(r"\[?\s*[-+]?\d+(?:[\s,]+[-+]?\d+)*[\s,]*\]?")


def read_primer(
    text: str | Path, generator: np.random.Generator | None = None, key: Key | None = None
) -> Int[np.ndarray, " time"]:
    """Read a primer: tokens, a file, or a random note.

    Args:
        text: tokens such as `14 1 16` or `[14, 1, 16]`; the path of a MIDI, ABC, MusicXML or kern
            file, of which the first tune is taken at its written pitch; or `random`, one note of
            the key, all equally likely.
        generator: draws the random note.
        key: the key of the random note, C major by default.

    Raises:
        UserError: if a token or pitch is out of range, the file cannot be read or is polyphonic,
            or the text is none of these.
        ValueError: if a random note is wanted without a generator.
    """
    words = str(text).strip()
    if words.lower() == RANDOM:
        if generator is None:
            raise ValueError("a random primer needs a generator")
        return _random_note(generator, key or Key(0))
    if _TOKEN_LIST.fullmatch(words):
        tokens = [int(number) for number in re.findall(r"[-+]?\d+", words)]
        tokens_to_notes(tokens)  # says which token is wrong
        return np.array(tokens, dtype=np.int32)
    path = Path(text)
    if not path.is_file():
        raise UserError(
            f"the primer {words!r} is neither a list of tokens such as '14 1 16', nor an existing "
            f"file, nor {RANDOM!r}"
        )
    return _from_file(path)


def _random_note(generator: np.random.Generator, key: Key) -> Int[np.ndarray, " time"]:
    pitches = [pitch for pitch in range(LOWEST_PITCH, HIGHEST_PITCH + 1) if pitch % 12 in key.scale]
    return np.array([generator.choice(pitches) - TOKEN_TO_MIDI], dtype=np.int32)


def _from_file(path: Path) -> Int[np.ndarray, " time"]:
    tunes, _ = read_melody_file(path)
    try:
        return notes_to_tokens(tunes[0].notes, tunes[0].length)
    except UserError as error:
        raise UserError(f"{path} cannot be a primer: {error}") from None
