"""Sounds of a study: clips as FLAC, broken clips for catch trials, and the headphone screen."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

SOUND_TYPE = "audio/flac"
_PIECE = 0.09
"""Seconds of the pieces in which a broken clip is played."""
_FADE = 0.004

SCREEN_RATE = 24_000
SCREEN_TYPE = "audio/wav"
SCREEN_TRIALS = 6
SCREEN_INTERVALS = 3
_INTERVAL, _GAP, _RAMP = 1.0, 0.5, 0.05
_CENTRE, _WIDTH = 600.0, 0.06
"""Hertz of the pitch, and half the width of its band as a share of that."""
_LEVEL = 0.1
"""Root mean square of the noise; full scale is 1."""


@dataclass(frozen=True)
class Sound:
    """Frames `Float["frame channel"]` between −1 and 1, and how many there are a second."""

    frames: Float[np.ndarray, "frame channel"]
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.frames) / self.rate


def decoded(content: bytes) -> Sound:
    """The frames of a sound file."""
    import soundfile

    frames, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    return Sound(frames, rate)


def flac_of(sound: Sound) -> bytes:
    """A FLAC file of 16 bits: every browser plays it, Safari included, and nothing is lost."""
    return _encoded(sound, "FLAC")


def _encoded(sound: Sound, kind: str) -> bytes:
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, sound.frames, sound.rate, subtype="PCM_16", format=kind)
    return content.getvalue()


def broken(sound: Sound, seed: int) -> Sound:
    """The same sound in pieces of 0.09 seconds, each backwards, in random order.

    It has the loudness and the colour of the sound, but no melody and no beat.
    """
    size, fade = round(_PIECE * sound.rate), round(_FADE * sound.rate)
    pieces = [
        sound.frames[start : start + size][::-1] for start in range(0, len(sound.frames), size)
    ]
    random.Random(seed).shuffle(pieces)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    for place, piece in enumerate(pieces):
        if len(piece) > 2 * fade:
            piece = piece.copy()
            piece[:fade] *= ramp
            piece[-fade:] *= ramp[::-1]
            pieces[place] = piece
    return Sound(np.concatenate(pieces), sound.rate)


def huggins_trial(answer: int, seed: int) -> Sound:
    """Three intervals of noise in stereo, one of which hides a pitch that headphones alone reveal.

    Both ears hear the same white noise. In the interval of the answer, the phase of one ear turns
    by 2π across a band of ±6 % around 600 Hz, as Cramer and Huggins (1958, J. Acoust. Soc. Am. 30)
    found it: the two ears together hear a faint tone. Over loudspeakers the ears' signals mix and
    nothing is heard. As a screen of listeners: Milne et al. (2021), Behavior Research Methods 53.

    Args:
        answer: the interval with the pitch, from 1.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    gap = np.zeros((round(_GAP * SCREEN_RATE), 2))
    parts: list[np.ndarray] = []
    for interval in range(1, SCREEN_INTERVALS + 1):
        parts += [_noise(rng, has_pitch=interval == answer), gap]
    return Sound(np.concatenate(parts[:-1]).astype(np.float32), SCREEN_RATE)


def _noise(rng: np.random.Generator, *, has_pitch: bool) -> Float[np.ndarray, "frame channel"]:
    count = round(_INTERVAL * SCREEN_RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    turned = spectrum
    if has_pitch:
        frequency = np.fft.rfftfreq(count, 1 / SCREEN_RATE)
        across = (frequency / _CENTRE - (1 - _WIDTH)) / (2 * _WIDTH)
        turned = spectrum * np.exp(2j * np.pi * np.clip(across, 0, 1))
    both = np.stack([np.fft.irfft(spectrum, count), np.fft.irfft(turned, count)], axis=1)
    both *= _LEVEL / np.sqrt(np.mean(both[:, 0] ** 2))
    ramp = np.sin(np.linspace(0, np.pi / 2, round(_RAMP * SCREEN_RATE)))[:, None] ** 2
    both[: len(ramp)] *= ramp
    both[-len(ramp) :] *= ramp[::-1]
    return both


def screen_file(answer: int, seed: int) -> tuple[bytes, float]:
    """A WAV file of a trial of the screen, whose phases no encoder changes, and its seconds."""
    sound = huggins_trial(answer, seed)
    return _encoded(sound, "WAV"), sound.seconds
