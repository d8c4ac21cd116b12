"""What a person may choose of how pieces of music are heard and written: key, tempo, sound."""

from __future__ import annotations

from seqtutor.controls import Amount, Choice, How
from seqtutor.tasks.scores.instruments import INSTRUMENTS
from seqtutor.tasks.scores.keys import PITCH_NAMES, Key
from seqtutor.tasks.scores.options import HARDEST_SWING, STRAIGHT, SoundSettings

KEY, TEMPO, SWING, INSTRUMENT = "key", "tempo", "swing", "instrument"
"""Names of the controls."""
WRITTEN_KEYS = tuple(
    str(Key(tonic, mode)) for mode in ("major", "minor") for tonic in range(len(PITCH_NAMES))
)


def tempo_control(default: float = 120.0) -> Amount:
    """Quarter notes a minute."""
    return Amount(TEMPO, "Tempo, quarters a minute", 40, 240, 1, default)


def swing_control() -> Amount:
    """Where the second eighth of a quarter sounds."""
    return Amount(SWING, "Swing (0.5 is straight)", STRAIGHT, HARDEST_SWING, 0.01, STRAIGHT)


def instrument_control(name: str = INSTRUMENT, title: str = "Instrument") -> Choice:
    """An instrument of General MIDI, the piano by default."""
    return Choice(name, title, INSTRUMENTS, INSTRUMENTS[0])


def sound_of(how: How) -> SoundSettings:
    """The sound that was chosen."""
    return SoundSettings(swing=float(how[SWING]))


def semitones_between(own: Key, wanted: Key) -> int:
    """The way from one key's signature to another's, −6 to 5: relative keys have the same."""
    return (wanted.relative_major - own.relative_major + 6) % 12 - 6


def key_named(name: str) -> Key:
    """A key by the name that `str` gives it."""
    tonic, _, mode = name.partition(" ")
    return Key(PITCH_NAMES.index(tonic), mode)


def key_control(own: Key) -> Choice:
    """The key in which pieces are written, by default that of the model."""
    names = WRITTEN_KEYS if str(own) in WRITTEN_KEYS else (str(own), *WRITTEN_KEYS)
    return Choice(KEY, "Key", names, str(own))


def written_key(key: Key) -> str:
    """The major or minor key with the signature of any key: C major for D Dorian."""
    return str(key) if str(key) in WRITTEN_KEYS else str(Key(key.relative_major))
