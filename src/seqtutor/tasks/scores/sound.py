"""Pieces as sound, by a SoundFont synthesiser; all equally loud.

The synthesiser is that of midirenderer (rustysynth). The loudness is that of ITU-R BS.1770-4, by
pyloudnorm.
"""

from __future__ import annotations

import importlib.util
import io
import math
import wave
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from seqtutor.errors import UserError
from seqtutor.tasks.scores.notation import Meter, is_compound
from seqtutor.tasks.scores.options import STRAIGHT, SoundSettings
from seqtutor.tasks.scores.requirements import imported
from seqtutor.tasks.scores.soundfont import with_programs
from seqtutor.tasks.scores.soundfont_files import soundfont_path

Clip = Float[np.ndarray, "frame channel"]

RATE = 48_000
"""Frames a second that the synthesiser makes."""
LONGEST = 3600.0
"""Seconds of a piece."""
TAIL = 2.5
"""Seconds that are kept at most of what sounds after the last note."""
_FADE = 0.05
_SHORTEST = 0.5
"""Seconds of a clip; loudness is measured in blocks of 0.4."""
_SILENCE = 1e-3
"""A clip ends where no frame is louder than this share of its loudest."""
CEILING = 0.84
"""The largest frame, −1.5 dB; a decoder of Vorbis may come out a little above."""
_LIMITER_WINDOW = 480
_ATTEMPTS = 8
_TICKS = 2400
"""Of MIDI in a second."""
_MAIN_VOLUME, _LOUDEST = 7, 127
PACKAGES = ("midirenderer", "pyloudnorm", "soundfile")
_BLOCK = 1 << 16
"""Frames that libsndfile encodes in one call; its encoder of Vorbis keeps them on the stack."""


@dataclass(frozen=True)
class Tone:
    """One note: `onset` and `duration` in seconds, MIDI pitch, velocity and program from 0."""

    onset: float
    duration: float
    pitch: int
    velocity: int = 90
    program: int = 0

    @property
    def end(self) -> float:
        """When it is released."""
        return self.onset + self.duration


@dataclass(frozen=True)
class Clock:
    """When what is written sounds.

    Attributes:
        tempo: quarters a minute.
        meter: a bar of three-part beats, such as 6/8, does not swing.
        swing: where in a quarter its second eighth sounds.
        lines: the first bar lines, in quarters, one at least; swing counts from the last one.
    """

    tempo: float
    meter: Meter
    swing: float = STRAIGHT
    lines: Sequence[Fraction] = (Fraction(0),)

    def tone(self, start: Fraction, end: Fraction, pitch: int, velocity: int, program: int) -> Tone:
        """A note from one time in quarters to another."""
        onset = self._seconds(start)
        return Tone(onset, self._seconds(end) - onset, pitch, velocity, program)

    def _seconds(self, quarters: Fraction) -> float:
        line = self.lines[max(0, bisect_right(self.lines, quarters) - 1)]
        time = float(quarters - line)
        moved = time if is_compound(self.meter) else swung(time, self.swing)
        return 60 / self.tempo * (moved + float(line))


def swung(quarters: float, swing: float) -> float:
    """When what is written at a time sounds, both in quarters: the second eighth comes later."""
    whole = math.floor(quarters)
    part = quarters - whole
    return whole + (2 * swing * part if part < 0.5 else swing + (2 * part - 1) * (1 - swing))


def require_short(pieces: Sequence[Sequence[Tone]]) -> None:
    """Refuse what would fill a disk.

    Raises:
        UserError: if a piece lasts for more than an hour.
    """
    seconds = max((tone.end for piece in pieces for tone in piece), default=0.0)
    if seconds > LONGEST:
        raise UserError(
            f"a sound of {seconds / 60:,.0f} minutes is too long; write fewer notes, or faster"
        )


def wav_of(
    pieces: Sequence[Sequence[Tone]], settings: SoundSettings | None = None
) -> Iterator[bytes]:
    """WAV files of pieces, one after the other: 16 bits, two channels, 48 kHz.

    Raises:
        UserError: if a piece lasts for more than an hour, or the SoundFont cannot be used; before
            the first file is asked for.
    """
    clips = clips_of(pieces, settings or SoundSettings())
    return (encoded(clip, RATE, "WAV", "PCM_16") for clip in clips)


def clips_of(pieces: Sequence[Sequence[Tone]], settings: SoundSettings) -> Iterator[Clip]:
    """The sound of pieces, one after the other, at the loudness of the settings and never clipped.

    Raises:
        UserError: as `wav_of` does.
    """
    font = font_for(pieces, require_playable(pieces, settings))
    return (clip_of(piece, font, settings.loudness) for piece in pieces)


def require_playable(pieces: Sequence[Sequence[Tone]], settings: SoundSettings) -> Path:
    """The file of the SoundFont, where all that is needed is there.

    Raises:
        UserError: if it is not, or a piece lasts for more than an hour.
    """
    require_short(pieces)
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            imported(package, "sound")
    return soundfont_path(settings.soundfont)


def font_for(pieces: Sequence[Sequence[Tone]], path: Path) -> bytes:
    """What pieces need of a SoundFont.

    Raises:
        UserError: if it cannot be used.
    """
    return _font(path, tuple(sorted({tone.program for piece in pieces for tone in piece})))


@lru_cache(maxsize=4)
def _font(path: Path, programs: tuple[int, ...]) -> bytes:
    try:
        return with_programs(path.read_bytes(), programs)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot play with the SoundFont {path}: {error}") from None


def clip_of(piece: Sequence[Tone], font: bytes, loudness: float, *, compact: bool = False) -> Clip:
    """What the synthesiser makes of a piece, without the silence after it.

    Args:
        piece: its tones.
        font: of `font_for`.
        loudness: in LUFS.
        compact: one channel of half the rate.
    """
    from scipy import signal

    frames, rate = _played(piece, font), RATE
    if compact:
        frames, rate = signal.resample_poly(frames.mean(axis=1), 1, 2)[:, None], RATE // 2
    loud = np.abs(frames).max(axis=1)
    last = int(np.flatnonzero(loud > _SILENCE * loud.max())[-1]) if loud.any() else 0
    frames = frames[: max(last + 1, round(_SHORTEST * rate))]
    fading = min(round(_FADE * rate), len(frames))
    frames[-fading:] *= np.linspace(1, 0, fading, dtype=np.float32)[:, None]
    return matched(frames, loudness, rate)


def _played(piece: Sequence[Tone], font: bytes) -> Clip:
    if not piece:
        return np.zeros((round(_SHORTEST * RATE), 2), np.float32)
    import midirenderer

    with wave.open(io.BytesIO(midirenderer.render_wave_from(font, _midi(piece)))) as played:
        frames = np.frombuffer(played.readframes(played.getnframes()), "<i2")
    return frames.reshape(-1, 2) * np.float32(1 / (1 << 15))


def _midi(piece: Sequence[Tone]) -> bytes:
    """Tones as MIDI, a track for each program, in ticks that are parts of a second."""
    import symusic

    def tick(seconds: float) -> int:
        return round(seconds * _TICKS)

    score: Any = symusic.Score(_TICKS)
    score.tempos.append(symusic.Tempo(0, 60))
    end = tick(max(tone.end for tone in piece) + TAIL)
    for program in sorted({tone.program for tone in piece}):
        track: Any = symusic.Track(program=program)
        # Again at the end, since the synthesiser stops with the last event.
        for time in (0, end):
            track.controls.append(symusic.ControlChange(time, _MAIN_VOLUME, _LOUDEST))
        for tone in piece:
            if tone.program == program:
                start = tick(tone.onset)
                length = max(tick(tone.end) - start, 1)
                track.notes.append(symusic.Note(start, length, tone.pitch, tone.velocity))
        score.tracks.append(track)
    return bytes(score.dumps_midi())


def matched(clip: Clip, loudness: float, rate: int) -> Clip:
    """A clip at a loudness in LUFS, with its peaks below `CEILING`; silence stays silence.

    Where a clip has peaks so high that the loudness is out of reach, it stays softer.
    """
    from pyloudnorm import Meter

    meter = Meter(rate)
    measured = meter.integrated_loudness(clip)
    if not math.isfinite(measured):
        return clip
    gain = 10 ** ((loudness - measured) / 20)
    for _ in range(_ATTEMPTS):
        louder = _limited(gain * clip)
        missing = loudness - meter.integrated_loudness(louder)
        if abs(missing) < 0.1:
            break
        gain *= 10 ** (missing / 20)
    return louder


def _limited(clip: Clip) -> Clip:
    """Turn the volume down around each peak above the ceiling, smoothly."""
    from scipy import ndimage

    peaks = np.abs(clip).max(axis=1)
    if peaks.max() <= CEILING:
        return clip
    volume = CEILING / np.maximum(peaks, CEILING)
    lowest = ndimage.minimum_filter1d(volume, _LIMITER_WINDOW + 1, mode="nearest")
    # The mean over a window in which every value is at most the one wanted in its middle.
    smooth = ndimage.uniform_filter1d(lowest, _LIMITER_WINDOW + 1, mode="nearest")
    return np.asarray(clip * np.minimum(smooth, volume)[:, None])


def encoded(clip: Clip, rate: int, kind: str, subtype: str, level: float | None = None) -> bytes:
    """A sound file, by libsndfile's names of formats and its level of compression."""
    import soundfile

    content = io.BytesIO()
    with soundfile.SoundFile(
        content, "w", rate, clip.shape[1], subtype, format=kind, compression_level=level
    ) as file:
        for start in range(0, len(clip), _BLOCK):
            file.write(clip[start : start + _BLOCK])
    return content.getvalue()
