"""What is heard: pitches, times and instruments; and that every clip is equally loud."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from pyloudnorm import Meter

from seqtutor.errors import UserError
from seqtutor.tasks.scores.instruments import INSTRUMENTS, program_of
from seqtutor.tasks.scores.options import SoundSettings
from seqtutor.tasks.scores.players import ogg_of
from seqtutor.tasks.scores.sound import (
    CEILING,
    RATE,
    Clock,
    Tone,
    clips_of,
    matched,
    swung,
    wav_of,
)

SCALE = [Tone(0.5 * i, 0.5, pitch) for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]
LOUDEST_ERROR = 1.0
"""LU."""


def heard(content: bytes) -> tuple[np.ndarray, int]:
    """The frames of a file, as floats, and its rate."""
    frames, rate = soundfile.read(io.BytesIO(content), always_2d=True)
    return frames, rate


def pitch_of(sound: np.ndarray, rate: int) -> float:
    """The pitch of a sound as a MIDI number, by its autocorrelation."""
    spectrum = np.fft.rfft(sound - sound.mean(), 4 * len(sound))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)
    shortest, longest = rate // 1000, rate // 150
    lag = shortest + correlation[shortest:longest].argmax()
    return 69 + 12 * np.log2(rate / lag / 440)


def test_every_note_has_its_pitch_at_its_time():
    frames, rate = heard(next(wav_of([SCALE])))
    for tone in SCALE:
        part = frames[round((tone.onset + 0.1) * rate) : round((tone.onset + 0.4) * rate)]
        assert pitch_of(part.mean(axis=1), rate) == pytest.approx(tone.pitch, abs=0.3)
    late, _ = heard(next(wav_of([[Tone(0.5, 0.5, 60)]])))
    assert not late[: round(0.499 * rate)].any()
    assert np.abs(late[: round(0.51 * rate)]).max() > 0.1 * np.abs(late).max()


@pytest.mark.parametrize("instrument", ["piano", "violin", "flute", "woodblock", "timpani", "20"])
@pytest.mark.parametrize("loudness", [-23.0, -14.0])
def test_clips_are_equally_loud_and_never_clipped(instrument, loudness):
    program = program_of(instrument)
    soft = [Tone(t.onset, t.duration, t.pitch, 20, program) for t in SCALE]
    single = [Tone(0.0, 0.1, 60, 127, program)]
    dense = [Tone(0.0, 3.0, pitch, 127, program) for pitch in range(48, 72)]
    settings = SoundSettings(loudness=loudness)
    for content in itertools.chain(
        wav_of([soft, single, dense], settings),
        ogg_of([soft, single, dense], settings),
        ogg_of([soft, single, dense], settings, compact=True),
    ):
        frames, rate = heard(content)
        assert np.abs(frames).max() < 1
        measured = Meter(rate).integrated_loudness(frames)
        # What cannot be as loud without being distorted stays softer.
        is_percussive = instrument in ("woodblock", "timpani") and loudness > -18
        assert measured < loudness + LOUDEST_ERROR
        assert measured > loudness - LOUDEST_ERROR or is_percussive


def test_a_click_is_turned_down_and_not_cut():
    clip = np.zeros((RATE, 2), np.float32)
    clip[:, 0] = 0.05 * np.sin(np.arange(RATE) / 20)
    clip[RATE // 2] = 1.0
    loud = matched(clip, -10.0, RATE)
    assert np.abs(loud).max() <= CEILING + 1e-6
    assert Meter(RATE).integrated_loudness(loud) == pytest.approx(-10, abs=0.2)


def test_silence_is_written_as_silence():
    frames, _ = heard(next(wav_of([[]])))
    assert len(frames) >= RATE // 2
    assert not frames.any()


def test_files_have_the_form_that_is_promised():
    files = [next(wav_of([SCALE])), next(ogg_of([SCALE])), next(ogg_of([SCALE], compact=True))]
    found = [soundfile.info(io.BytesIO(content)) for content in files]
    assert [(one.format, one.subtype) for one in found] == [
        ("WAV", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "VORBIS"),
    ]
    assert [(one.samplerate, one.channels) for one in found] == [(RATE, 2), (RATE, 2), (24_000, 1)]
    assert len(files[2]) < len(files[1]) / 2 < len(files[0]) / 8
    lasts = SCALE[-1].end
    assert all(lasts < one.duration < lasts + 2.6 for one in found)


def test_a_clip_is_the_same_whatever_is_before_it():
    alone = next(clips_of([SCALE], SoundSettings()))
    after = list(clips_of([[Tone(0, 2, 40, 127)], SCALE], SoundSettings()))[1]
    np.testing.assert_array_equal(alone, after)


def test_instruments_differ_and_sound_together():
    def played(*programs: int) -> np.ndarray:
        tones = [Tone(0, 1, 60 + 4 * i, 90, program) for i, program in enumerate(programs)]
        return np.asarray(next(clips_of([tones], SoundSettings())))[: RATE // 2]

    piano, organ, both = played(0), played(19), played(0, 19)
    assert np.corrcoef(piano[:, 0], organ[:, 0])[0, 1] < 0.9
    spectrum = np.abs(np.fft.rfft(both.mean(axis=1)))
    for pitch in (60, 64):
        place = round(440 * 2 ** ((pitch - 69) / 12) / RATE * len(both))
        assert spectrum[place - 3 : place + 4].max() > 20 * np.median(spectrum)


def test_names_and_numbers_of_instruments():
    assert len(INSTRUMENTS) == len(set(INSTRUMENTS)) == 128
    assert [program_of(name) for name in ("Violin", "41", " flute ", "piano", "sax")] == [
        *(40, 40, 73, 0, 64),
    ]
    for wrong in ("kazoo", "0", "129", "", "-1"):
        with pytest.raises(UserError, match="there is no instrument"):
            program_of(wrong)


@given(st.fractions(0, 100), st.floats(0.5, 0.8))
def test_swing_moves_off_beats_alone(time, swing):
    quarter = time // 1
    assert swung(float(quarter), swing) == quarter
    assert swung(float(quarter) + 0.5, swing) == pytest.approx(quarter + swing)
    assert quarter <= swung(float(time), swing) <= quarter + 1
    assert swung(float(time), 0.5) == pytest.approx(float(time))


def test_swing_counts_from_the_bar_line_and_leaves_jigs_alone():
    def onsets(meter, *lines):
        clock = Clock(60, meter, 0.75, lines or [Fraction(0)])
        halves = [Fraction(i, 2) for i in range(4)]
        return [clock.tone(t, t + 1, 60, 90, 0).onset for t in halves]

    assert onsets((4, 4)) == [0, 0.75, 1, 1.75]
    assert onsets((4, 4), Fraction(1, 2)) == [0.25, 0.5, 1.25, 1.5]
    # A bar that a repeat cuts short, and the one after it.
    assert onsets((4, 4), Fraction(0), Fraction(3, 2)) == [0, 0.75, 1, 1.5]
    assert onsets((6, 8)) == [0, 0.5, 1, 1.5]


def test_what_cannot_be_played():
    with pytest.raises(UserError, match="too long"):
        wav_of([[Tone(0.0, 4000.0, 60)]])
    with pytest.raises(UserError, match="no SoundFont"):
        wav_of([SCALE], SoundSettings(soundfont="nowhere.sf2"))
    for wrong in ({"swing": 0.4}, {"swing": 0.9}, {"loudness": 0.0}, {"loudness": float("nan")}):
        with pytest.raises(UserError, match="must lie between"):
            SoundSettings(**wrong)
