"""The beginning of a melody that a policy is asked to go on with."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int

from seqtutor.errors import UserError
from seqtutor.settings import require
from seqtutor.tasks.melody.encoding import (
    HIGHEST_PITCH,
    HOLD,
    LOWEST_PITCH,
    LOWEST_PITCH_TOKEN,
    NOTE_OFF,
    TOKEN_TO_MIDI,
    VOCABULARY_SIZE,
    names_for,
    notes_to_tokens,
    tokens_to_notes,
)
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.notation import Meter
from seqtutor.tasks.melody.tune import Tune
from seqtutor.tasks.scores.keys import NOTE_NAME, Key, pitch_of_name
from seqtutor.tasks.scores.notation import key_title

RANDOM = "random"

_LONGEST_SHOWN = 60
"""Characters of a primer that is none of these."""

TOKEN_NAME = re.compile(rf"(?P<word>off|rest|hold)|{NOTE_NAME}", re.IGNORECASE)
"""Of a token as people type it."""
_TOKEN_LIST = re.compile(r"\[?\s*[-+]?\d+(?:[\s,]+[-+]?\d+)*[\s,]*\]?")


@dataclass(frozen=True)
class FilePart:
    """What is taken of a file.

    Attributes:
        bars: so many of the first, and the upbeat; all by default.
        part: its number, from 1 on, or its name; by default the first with notes.

    Raises:
        UserError: if there are no bars.
    """

    bars: int | None = None
    part: str | None = None

    def __post_init__(self) -> None:
        require(self.bars is None or self.bars >= 1, "a beginning has one bar at least")

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == FilePart()


@dataclass(frozen=True)
class Primer:
    """The first tokens, and how the tune that they come from was moved to the model's key.

    Attributes:
        tokens: `Int["time"]`.
        transposition: semitones by which the tune was moved.
        key: that of the tune before it was moved; `None` for tokens and random notes.
        meter: of the tune; 4/4 for tokens and random notes.
        downbeats: where its bars begin and, if it ends with one, the next, in sixteenths.
        remarks: what the user should know of how the file was read, a line each.
        parts: names of the file's parts, of which one was read.
    """

    tokens: Int[np.ndarray, " time"]
    transposition: int = 0
    key: Key | None = None
    meter: Meter = field(default_factory=Meter)
    downbeats: tuple[int, ...] = (0,)
    remarks: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def pickup(self) -> int:
        """Sixteenths before the first bar line."""
        return self.downbeats[0]

    @property
    def has_irregular_bars(self) -> bool:
        """Whether a bar has another length than the metre's, the upbeat and the last one aside."""
        lengths = (after - before for before, after in pairwise(self.downbeats))
        return any(length != self.meter.bar_length for length in lengths)


def read_primer(
    text: str | Path,
    generator: np.random.Generator | None = None,
    key: Key | None = None,
    semitones: int = 0,
    taken: FilePart | None = None,
) -> Primer:
    """Read a primer: tokens, a file, or a random note.

    Args:
        text: tokens such as `14 1 16`, `[14, 1, 16]` or, by their names, `C4 hold Eb4 rest`; the
            path of a MIDI, ABC, MusicXML or kern file, of which the first tune is taken; or
            `random`, one note of the key, all equally likely.
        generator: draws the random note.
        key: of the melodies that are wanted, C major by default. A tune of another signature is
            moved there by less than an octave, unless it would leave the range of the tokens.
        semitones: from what the model writes up to that key.
        taken: of a file.

    Raises:
        UserError: if a token or pitch is out of range, the file cannot be read or is polyphonic,
            the text is none of these, or a part is to be taken of what is no file.
        ValueError: if a random note is wanted without a generator.
    """
    words, key, taken = str(text).strip(), key or Key(0), taken or FilePart()
    if words.lower() == RANDOM:
        _require_whole(taken)
        if generator is None:
            raise ValueError("a random primer needs a generator")
        return Primer(_random_note(generator, key.transposed(-semitones)), -semitones)
    tokens = typed_tokens(words, key, semitones)
    if tokens is not None:
        _require_whole(taken)
        return Primer(tokens, -semitones)
    path = Path(text)
    # Not `path.is_file()`, which raises an error where the name of a file would be too long.
    if not os.path.isfile(path):
        shown = words if len(words) <= _LONGEST_SHOWN else f"{words[:_LONGEST_SHOWN]}…"
        raise UserError(
            f"the primer {shown!r} is neither a list of tokens such as '14 1 16' or "
            f"'C4 hold E4', nor an existing file, nor {RANDOM!r}"
        )
    return _from_file(path, key.transposed(-semitones), taken)


def _require_whole(taken: FilePart) -> None:
    require(taken.is_all, "bars and parts are taken of a file; this primer is none")


def typed_tokens(words: str, key: Key, semitones: int) -> Int[np.ndarray, " time"] | None:
    """The tokens that a text means by numbers or names; `None` if it is something else.

    Args:
        words: names of notes as they are heard, `rest`, `hold`; or the numbers of their tokens.
        key: of what is heard.
        semitones: from what the model writes up to what is heard.

    Raises:
        UserError: if a number is no token, or a note is out of the model's range.
    """
    if _TOKEN_LIST.fullmatch(words):
        tokens = [int(number) for number in re.findall(r"[-+]?\d+", words)]
        tokens_to_notes(tokens)  # says which token is wrong
        moved = moved_tokens(np.array(tokens, dtype=np.int32), -semitones)
        if moved is None:
            raise UserError(
                f"the primer {words[:_LONGEST_SHOWN]!r} leaves the model's range when it is moved "
                f"by {-semitones:+d} semitones to the key that the model writes in"
            )
        return moved
    found = [TOKEN_NAME.fullmatch(name) for name in words.replace(",", " ").split()]
    if not found or not all(found):
        return None
    tokens = []
    for match in found:
        assert match is not None
        if match["word"]:
            tokens.append(HOLD if match["word"].lower() == "hold" else NOTE_OFF)
            continue
        pitch = pitch_of_name(match) - semitones
        if not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
            heard = names_for(key, semitones)
            raise UserError(
                f"the note {match[0]} is out of range; in {key_title(key)} a melody lies between "
                f"{heard[LOWEST_PITCH_TOKEN]} and {heard[-1]}"
            )
        tokens.append(pitch - TOKEN_TO_MIDI)
    return np.array(tokens, dtype=np.int32)


def moved_tokens(
    tokens: Int[np.ndarray, " time"], semitones: int
) -> Int[np.ndarray, " time"] | None:
    """The same melody so many semitones higher; `None` if it leaves the range of the tokens."""
    is_pitch = tokens >= LOWEST_PITCH_TOKEN
    moved = np.where(is_pitch, tokens + semitones, tokens)
    fits = (moved >= LOWEST_PITCH_TOKEN) & (moved < VOCABULARY_SIZE)
    return moved if fits[is_pitch].all() else None


def _random_note(generator: np.random.Generator, key: Key) -> Int[np.ndarray, " time"]:
    pitches = [pitch for pitch in range(LOWEST_PITCH, HIGHEST_PITCH + 1) if pitch % 12 in key.scale]
    return np.array([generator.choice(pitches) - TOKEN_TO_MIDI], dtype=np.int32)


def _from_file(path: Path, key: Key, taken: FilePart) -> Primer:
    tunes, _ = read_melody_file(path, part=taken.part)
    tune = tunes[0] if taken.bars is None else tunes[0].beginning(taken.bars)
    require(bool(tune.notes), f"{path} holds no note in its first {taken.bars} bars")
    semitones = _semitones_to(key, tune)
    moved = tune.transposed(semitones)
    try:
        tokens = notes_to_tokens(moved.notes, moved.length)
    except UserError as error:
        raise UserError(f"{path} cannot be a primer: {error}") from None
    remarks = [] if len(tunes) == 1 else [f"holds {len(tunes)} tunes; only the first is read"]
    remarks += [tune.parts.remark] if tune.parts.remark else []
    meter = Meter()
    if tune.meter is not None:
        try:
            meter = Meter(*tune.meter)
        except UserError:
            remarks.append(f"its metre {tune.meter[0]}/{tune.meter[1]} is written as {meter}")
    else:
        remarks.append(f"it has no metre and is written in {meter}")
    downbeats = _downbeats(tunes[0], taken.bars, meter)
    return Primer(tokens, semitones, tune.key, meter, downbeats, tuple(remarks), tune.parts.names)


def _downbeats(tune: Tune, bars: int | None, meter: Meter) -> tuple[int, ...]:
    """Where the first bars of a tune begin and, if they end with a whole one, the next."""
    own = tune.downbeats
    if tune.meter is None or not own:
        return (0,)
    own = own if own[0] < meter.bar_length else (0, *own)
    if bars is not None and bars < len(tune.downbeats):
        return own[: len(own) - len(tune.downbeats) + bars + 1]
    return own if tune.length - own[-1] < meter.bar_length else (*own, tune.length)


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
