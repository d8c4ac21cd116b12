"""As what files pieces of music are written, and how they sound: options of commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from seqtutor.settings import require

Format = Literal["mid", "abc", "musicxml", "wav", "ogg", "svg", "png"]
USUAL_FORMATS: tuple[Format, ...] = ("mid", "abc", "musicxml")

QUIETEST, LOUDEST = -40.0, -9.0
STRAIGHT, HARDEST_SWING = 0.5, 0.8


@dataclass(frozen=True)
class SoundSettings:
    """How pieces sound in WAV and OGG files; in MIDI files they are straight.

    Raises:
        UserError: if a value is out of range.
    """

    swing: float = STRAIGHT
    """Where in a quarter its second eighth sounds: 0.5 is straight, 0.67 the swing of triplets."""
    loudness: float = -18.0
    """Loudness of a file in LUFS, by ITU-R BS.1770."""
    soundfont: str = "timgm6mb"
    """The SoundFont: "timgm6mb", which is always there; "fluidr3mono", which sounds better and is
    fetched once (15 MB) into the user's cache folder; or a file of your own (.sf2, .sf3)."""

    def __post_init__(self) -> None:
        require(
            STRAIGHT <= self.swing <= HARDEST_SWING,
            f"--swing must lie between {STRAIGHT} and {HARDEST_SWING}, not {self.swing}",
        )
        require(
            QUIETEST <= self.loudness <= LOUDEST,
            f"--loudness must lie between {QUIETEST:g} and {LOUDEST:g} LUFS, not {self.loudness}",
        )


def require_formats(formats: tuple[Format, ...]) -> None:
    """Raise a `UserError` unless there is a format."""
    require(bool(formats), f"--formats needs at least one of {', '.join(get_args(Format))}")
