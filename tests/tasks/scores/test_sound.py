"""What is heard of tones: their pitches, when they begin and end, and how loud they are."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.tasks.scores.sound import ATTACK, RATE, RELEASE, Tone, mixed, plucked, render_wav


def frames(content: bytes) -> np.ndarray:
    """The samples of a WAV file."""
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@given(st.integers(36, 96))
@settings(max_examples=25, deadline=None)
def test_a_tone_has_its_pitch(pitch):
    sound = plucked(Tone(0.0, 1.0, pitch))
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    loudest = np.fft.rfftfreq(len(sound), 1 / RATE)[spectrum.argmax()]
    assert 12 * np.log2(loudest / 440) + 69 == pytest.approx(pitch, abs=0.35)


@pytest.mark.parametrize("pitch", [0, 60, 120])
def test_a_tone_comes_and_goes_without_a_click(pitch):
    sound = plucked(Tone(0.0, 0.5, pitch))
    assert sound[0] == 0
    assert abs(sound[-1]) < 0.001
    assert len(sound) == round((0.5 + RELEASE) * RATE)
    # The string fades while it sounds.
    early, late = (np.abs(sound[int(at * RATE) :][: RATE // 10]).max() for at in (2 * ATTACK, 0.38))
    assert late < early


def test_tones_sound_when_they_should_and_as_loud_as_they_should():
    first, second = Tone(0.0, 0.2, 60), Tone(1.0, 0.2, 67, loudness=0.25)
    sound = mixed([first, second])
    np.testing.assert_array_equal(sound[: len(plucked(first))], plucked(first))
    assert not sound[round(0.3 * RATE) : RATE].any()
    loud, soft = np.abs(sound[: RATE // 2]).max(), np.abs(sound[RATE:]).max()
    assert soft == pytest.approx(loud / 4, rel=0.15)
    np.testing.assert_allclose(
        mixed([first, Tone(0.0, 0.2, 67)]), mixed([first]) + mixed([Tone(0.0, 0.2, 67)]), atol=1e-6
    )


@pytest.mark.parametrize("loudness", [0.01, 1.0, 30.0])
def test_a_file_is_as_loud_as_can_be_and_never_more(loudness):
    found = frames(render_wav([Tone(0.0, 0.3, 60, loudness), Tone(0.0, 0.3, 64, loudness)]))
    assert 27_000 < np.abs(found.astype(int)).max() < 28_000
    assert render_wav([Tone(0.0, 0.3, 60)]) == render_wav([Tone(0.0, 0.3, 60)])


def test_no_tones_are_silence():
    assert not frames(render_wav([])).any()


def test_what_lasts_for_hours_is_refused():
    with pytest.raises(UserError, match="too long"):
        render_wav([Tone(0.0, 4000.0, 60)])
