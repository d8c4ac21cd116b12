"""Tones as sound: a plain plucked string, to hear a tune where no synthesiser is at hand."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from seqtutor.errors import UserError

RATE = 22_050
"""Samples a second."""
LONGEST = 3600.0
"""Seconds of a sound: an hour takes 160 MB."""
ATTACK, RELEASE = 0.006, 0.09
"""Seconds in which a tone comes, and in which it dies away once it has ended."""
PARTIALS = 7
DECAY = 1.4
"""By which power of e the first partial fades in a second; the k-th fades k times as fast."""
PEAK = 0.85
"""Of the loudest sample, as a share of the largest that there is."""


@dataclass(frozen=True)
class Tone:
    """One note: `onset` and `duration` in seconds, `pitch` as a MIDI number, its loudness."""

    onset: float
    duration: float
    pitch: int
    loudness: float = 1.0

    @property
    def end(self) -> float:
        """When it dies away."""
        return self.onset + self.duration


def render_wav(tones: Sequence[Tone]) -> bytes:
    """A WAV file, 16 bits, one channel; silence of a moment if there is no tone.

    Raises:
        UserError: if the tones last for more than an hour.
    """
    wave_form = mixed(tones)
    largest = max(float(np.abs(wave_form).max()), 1e-9)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((PEAK * 32767 / largest * wave_form).astype("<i2").tobytes())
    return content.getvalue()


def mixed(tones: Sequence[Tone]) -> Float[np.ndarray, " sample"]:
    """The sum of all tones.

    Raises:
        UserError: as `render_wav` does.
    """
    seconds = max((tone.end for tone in tones), default=0.0)
    if seconds > LONGEST:
        raise UserError(
            f"a sound of {seconds / 60:,.0f} minutes is too long; write fewer notes, or faster"
        )
    mix = np.zeros(round((seconds + 2 * RELEASE) * RATE) + 1, np.float32)
    for tone in tones:
        start, sound = round(tone.onset * RATE), plucked(tone)
        mix[start : start + len(sound)] += sound
    return mix


def plucked(tone: Tone) -> Float[np.ndarray, " sample"]:
    """A tone alone: harmonic partials, of which higher ones are weaker and fade sooner."""
    time = np.arange(round((tone.duration + RELEASE) * RATE)) / RATE
    frequency = 440.0 * 2 ** ((tone.pitch - 69) / 12)
    sound = np.zeros(len(time))
    for partial in range(1, PARTIALS + 1):
        # Above half the sampling rate a partial would be heard as another, lower one. Of MIDI's
        # pitches the three highest are therefore not heard at all.
        if partial * frequency < RATE / 2:
            fading = np.exp(-DECAY * partial * time) / partial**1.5
            sound += fading * np.sin(2 * np.pi * partial * frequency * time)
    envelope = np.minimum(time / ATTACK, 1.0)
    envelope *= np.clip((tone.duration + RELEASE - time) / RELEASE, 0.0, 1.0)
    return (tone.loudness * envelope * sound).astype(np.float32)
