"""What a person may choose of how pieces of music are heard and written: key, tempo, sound."""

from __future__ import annotations

from pathlib import Path

from seqtutor.controls import Amount, Choice, How, Words
from seqtutor.settings import require
from seqtutor.tasks.scores.instruments import INSTRUMENTS
from seqtutor.tasks.scores.keys import MODES, Key
from seqtutor.tasks.scores.notation import key_title
from seqtutor.tasks.scores.options import HARDEST_SWING, STRAIGHT, SoundSettings

KEY, TEMPO, SWING, INSTRUMENT = "key", "tempo", "swing", "instrument"
BARS, PART = "bars", "part"
"""Names of the controls; the last two are of what is taken of a file."""
KEYS = {key_title(Key(tonic, mode)): Key(tonic, mode) for mode in MODES for tonic in range(12)}
"""By the names that people know them by, as their signatures spell them."""


def tempo_control(default: float = 120.0) -> Amount:
    """Quarter notes a minute."""
    return Amount(TEMPO, "Tempo, quarters a minute", 40, 240, 1, default)


def swing_control() -> Amount:
    """Where the second eighth of a quarter sounds."""
    return Amount(SWING, "Swing (0.5 is straight)", STRAIGHT, HARDEST_SWING, 0.01, STRAIGHT)


def instrument_control(
    name: str = INSTRUMENT, title: str = "Instrument", default: str = INSTRUMENTS[0]
) -> Choice:
    """An instrument of General MIDI, the piano by default."""
    return Choice(name, title, INSTRUMENTS, default)


def part_control() -> Words:
    """Which part of a file is read."""
    return Words(PART, "Part of a file, by name or number")


def require_quick(file: Path) -> None:
    """Refuse a kind of file whose reader knows no limit outside the main thread.

    Raises:
        UserError: if it is kern.
    """
    require(
        file.suffix.lower() != ".krn",
        "a kern file is not read here; save it as MusicXML or MIDI",
    )


def sound_of(how: How) -> SoundSettings:
    """The sound that was chosen."""
    return SoundSettings(swing=float(how[SWING]))


def semitones_between(own: Key, wanted: Key) -> int:
    """The way from one key's signature to another's, −6 to 5."""
    return (wanted.relative_major - own.relative_major + 6) % 12 - 6


def key_control(own: Key) -> Choice:
    """The key in which pieces are heard: any tonic, and the mode that the model was tuned for.

    A key of another mode would be a name for other music: what was tuned in D minor and is moved
    to the signature of F major is in D minor still.
    """
    names = [key_title(own.transposed(semitones)) for semitones in range(12)]
    return Choice(KEY, f"Key (by default {names[0]})", names, names[0])


def with_signature(own: Key, other: Key) -> Key:
    """The key of one mode that has the signature of another key: D minor for F major."""
    return own.transposed(other.relative_major - own.relative_major)
