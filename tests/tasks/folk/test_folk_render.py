"""What is written is what was in the lead sheet: every format, read back."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import symusic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lead_sheets import any_chords, lead_sheets, named_chords, tunes

from seqtutor.errors import UserError
from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.folk.midi import read_midi_file
from seqtutor.tasks.scores.chord_names import name_of
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.lead_sheet import Chord, LeadSheet, MelodyNote
from seqtutor.tasks.scores.lead_sheet_bars import COMMON_TIME, write_bars
from seqtutor.tasks.scores.lead_sheet_files import (
    LeadSheetRendering,
    render_abc,
    render_midi,
    render_musicxml,
    ticks_per_quarter,
    tones_of,
    write_tunes,
)
from seqtutor.tasks.scores.notation import bar_length
from seqtutor.tasks.scores.options import SoundSettings
from seqtutor.tasks.scores.sound import RATE, clips_of
from written import write_lead_sheet

SLOW = LeadSheetRendering(tempo=4)
sheets_with_notes = lead_sheets().filter(lambda sheet: bool(sheet.notes))


def heard(content: bytes) -> dict[str, set[tuple[Fraction, Fraction, int]]]:
    """Onset, duration and pitch of the notes of each track, by symusic alone."""
    score = symusic.Score.from_midi(content)
    quarter = score.ticks_per_quarter
    return {
        track.name: {
            (Fraction(n.time, quarter), Fraction(n.duration, quarter), n.pitch) for n in track.notes
        }
        for track in score.tracks
    }


def meant(sheet: LeadSheet) -> dict[str, set[tuple[Fraction, Fraction, int]]]:
    return {
        "Melody": {(n.onset, n.duration, n.pitch) for n in sheet.notes},
        "Chords": {(c.onset, c.duration, p) for c in sheet.chords for p in c.pitches},
    }


@given(sheets_with_notes)
@settings(max_examples=80, deadline=None)
def test_midi_sounds_as_the_lead_sheet(sheet: LeadSheet) -> None:
    tracks = heard(render_midi(sheet))
    assert tracks.get("Melody", set()) == meant(sheet)["Melody"]
    assert tracks.get("Chords", set()) == meant(sheet)["Chords"]


@given(sheets_with_notes)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_midi_is_read_as_it_was_written(tmp_path: Path, sheet: LeadSheet) -> None:
    path = write_lead_sheet(sheet, tmp_path / "tune.mid")
    (again,), report = read_midi_file(path)
    assert (again.notes, again.chords) == (sheet.notes, sheet.chords)
    assert report.noted == ({} if sheet.chords else {"without a chord track": 1})
    if sheet.key.mode != "dorian":
        assert again.key == sheet.key
    assert again.meter == (sheet.meter or (4, 4))


def test_ticks_are_as_fine_as_needed() -> None:
    def sheet(denominator: int) -> LeadSheet:
        duration = Fraction(1, denominator)
        return LeadSheet((MelodyNote(duration, duration, 60),), (), Fraction(2))

    assert [ticks_per_quarter(sheet(d)) for d in (1, 3, 8, 7, 64)] == [480, 480, 480, 3360, 960]
    assert ticks_per_quarter(sheet(101)) == 20160


def test_melody_and_chords_have_channels_and_instruments_of_their_own() -> None:
    rendering = LeadSheetRendering(90, melody_program=73, chord_program=24, melody_velocity=70)
    content = render_midi(tunes()[0], rendering)
    score = symusic.Score.from_midi(content)
    assert [track.program for track in score.tracks] == [73, 24]
    assert score.tempos[0].qpm == pytest.approx(90, abs=1e-3)
    assert {note.velocity for note in score.tracks[0].notes} == {70}
    assert {note.velocity for note in score.tracks[1].notes} == {60}
    assert b"\x90" in content
    assert b"\x91" in content


@given(lead_sheets(chords=named_chords).filter(lambda sheet: bool(sheet.notes)))
@settings(max_examples=80, deadline=None)
def test_abc_is_read_as_it_was_written(sheet: LeadSheet) -> None:
    (again,), report = read_abc(render_abc(sheet), "again")
    assert again.notes == sheet.notes
    assert again.length == sheet.length
    meter = sheet.meter or (4, 4)
    assert (again.key, again.meter, again.title) == (sheet.key, meter, sheet.title)
    assert "texts above the notes that name no chord" not in report.noted
    # A symbol says which chord, and ABC when the next begins: these are kept exactly.
    assert again.chords == sheet.chords


@given(lead_sheets())
@settings(max_examples=80, deadline=None)
def test_bars_hold_everything_once(sheet: LeadSheet) -> None:
    for cut_at_chords in (False, True):
        bars = write_bars(sheet, cut_at_chords)
        assert sum(bar.length for bar in bars) == sheet.length
        assert all(bar.length <= bar_length(sheet.meter or COMMON_TIME) for bar in bars[:-1])
        start = Fraction(0)
        found: list[MelodyNote] = []
        for bar in bars:
            assert sum(note.duration for note in bar.symbols) == bar.length
            for note in bar.symbols:
                if note.pitch is not None and note.tied_from:
                    last = found.pop()
                    assert last.end == start + note.start
                    found.append(MelodyNote(last.onset, last.duration + note.duration, note.pitch))
                elif note.pitch is not None:
                    found.append(MelodyNote(start + note.start, note.duration, note.pitch))
            start += bar.length
        assert tuple(found) == sheet.notes


@pytest.mark.parametrize("sheet", tunes(), ids=lambda sheet: sheet.title)
def test_musicxml_is_read_the_same_by_music21(sheet: LeadSheet) -> None:
    import music21

    part = music21.converter.parseData(render_musicxml(sheet), format="musicxml").parts[0]
    flat = part.flatten().stripTies()
    notes = [
        (Fraction(note.offset), Fraction(note.quarterLength), note.pitch.midi)
        for note in flat.notes
        if note.isNote
    ]
    assert notes == [(n.onset, n.duration, n.pitch) for n in sheet.notes]
    symbols = [
        (Fraction(symbol.offset), symbol.root().pitchClass, symbol.bass().pitchClass)
        for symbol in part.flatten()[music21.harmony.ChordSymbol]
        if not isinstance(symbol, music21.harmony.NoChord)
    ]
    names = [(chord.onset, name_of(chord.pitches)) for chord in sheet.chords]
    assert symbols == [(onset, name.root, name.bass) for onset, name in names]
    assert part.measure(1).timeSignature is not None or sheet.pickup
    lengths = [measure.quarterLength for measure in part[music21.stream.Measure]]
    assert sum(lengths) == sheet.length


@pytest.mark.parametrize("seed", range(6))
def test_musicxml_keeps_lengths_that_no_note_value_has(seed: int) -> None:
    """Generated tunes have them: a 35th of a quarter, where a triplet meets a quintuplet's rest."""
    import music21

    drawn = np.random.default_rng(seed).integers(1, 64, (12, 2)).tolist()
    durations = [Fraction(*one) for one in (*drawn, (1, 35), (1, 17), (37, 33))]
    ends = [sum(durations[: index + 1], Fraction(0)) for index in range(len(durations))]
    notes = [
        MelodyNote(end - duration, duration, 60 + index)
        for index, (end, duration) in enumerate(zip(ends, durations, strict=True))
    ]
    sheet = LeadSheet(tuple(notes), (), ends[-1])
    part = music21.converter.parseData(render_musicxml(sheet), format="musicxml").parts[0]
    begun = [note for note in part.flatten().notes if note.tie is None or note.tie.type == "start"]
    heard = [(note.pitch.midi, float(note.offset)) for note in begun]
    assert [pitch for pitch, _ in heard] == [note.pitch for note in notes]
    # MusicXML counts in whole parts of a quarter, 10,080 of them here.
    for (_, onset), note in zip(heard, notes, strict=True):
        assert onset == pytest.approx(float(note.onset), abs=1e-4)


def write_two_tracks(path: Path, melody: list, chords: list, names: tuple[str, str]) -> Path:
    score = symusic.Score(480)
    for name, notes in zip(names, (melody, chords), strict=True):
        track = symusic.Track(name=name)
        for note in notes:
            track.notes.append(symusic.Note(*note, 80))
        score.tracks.append(track)
    path.write_bytes(score.dumps_midi())
    return path


def test_midi_of_others(tmp_path: Path) -> None:
    # A played melody, a little late and legato; a chord with its root doubled, and one arpeggio.
    melody = [(3, 490, 72), (480, 237, 74), (721, 700, 76)]
    chords = [*((0, 960, p) for p in (48, 52, 55, 60)), (960, 480, 55), (1200, 480, 59)]
    path = write_two_tracks(tmp_path / "a.mid", chords, melody, ("Chords", "melody"))
    (sheet,), report = read_midi_file(path)
    quarter = Fraction(1)
    assert sheet.notes == (
        MelodyNote(0 * quarter, quarter, 72),
        MelodyNote(quarter, quarter / 2, 74),
        MelodyNote(3 * quarter / 2, 3 * quarter / 2, 76),
    )
    assert sheet.chords == (
        Chord(0 * quarter, 2 * quarter, (48, 52, 55)),
        Chord(2 * quarter, quarter / 2, (55,)),
        Chord(5 * quarter / 2, quarter, (59,)),
    )
    assert report.noted == {
        "notes moved to the grid": 3,
        "chord notes left out, an octave above another": 1,
    }
    path = write_two_tracks(tmp_path / "b.mid", melody, chords, ("", ""))
    assert read_midi_file(path)[0][0].music == sheet.music


def test_unusable_midi(tmp_path: Path) -> None:
    polyphonic = write_two_tracks(
        tmp_path / "p.mid", [(0, 480, 60), (0, 480, 64)], [(0, 480, 48)], ("", "")
    )
    with pytest.raises(UserError, match="polyphonic"):
        read_midi_file(polyphonic)
    (tmp_path / "text.mid").write_text("no MIDI")
    with pytest.raises(UserError, match="not a readable MIDI file"):
        read_midi_file(tmp_path / "text.mid")
    (tmp_path / "empty.mid").write_bytes(symusic.Score(480).dumps_midi())
    with pytest.raises(UserError, match="no notes"):
        read_midi_file(tmp_path / "empty.mid")


def test_files_by_suffix(tmp_path: Path) -> None:
    sheet = tunes()[0]
    for suffix in (".mid", ".abc", ".musicxml", ".wav", ".ogg", ".svg", ".png"):
        assert write_lead_sheet(sheet, tmp_path / f"tune{suffix}").stat().st_size > 100
    with pytest.raises(UserError, match=r"\.mp3"):
        write_lead_sheet(sheet, tmp_path / "tune.mp3")
    assert not (tmp_path / "tune.mp3").exists()


def test_a_tune_sounds_as_long_as_it_is_and_its_chords_below_the_melody() -> None:
    chord = Chord(Fraction(2), Fraction(2), (48, 52, 55))
    note = MelodyNote(Fraction(0), Fraction(2), 72)
    sheet = LeadSheet((note,), (chord,), Fraction(4))
    tones = tones_of(sheet, LeadSheetRendering(240.0, melody_program=73, chord_program=0))
    assert [(tone.onset, tone.end, tone.pitch, tone.program) for tone in tones] == [
        (0.0, 0.5, 72, 73),
        *((0.5, 1.0, pitch, 0) for pitch in (48, 52, 55)),
    ]
    (clip,) = clips_of([tones_of(sheet, LeadSheetRendering(tempo=60.0))], SoundSettings())
    # The second half of each, in which nothing of the other sounds.
    melody, chords = (np.sqrt(np.mean(clip[RATE * a : RATE * (a + 1)] ** 2)) for a in (0, 2))
    assert 0.2 * melody < chords < melody


@pytest.mark.parametrize(
    "setting",
    [{"tempo": 0.0}, {"chord_program": 128}, {"melody_velocity": 0}, {"tempo": float("nan")}],
)
def test_senseless_renderings(setting: dict) -> None:
    with pytest.raises(UserError):
        LeadSheetRendering(**setting)


def test_an_empty_lead_sheet_can_be_written() -> None:
    empty = LeadSheet((), (), Fraction(0), Key(3))
    assert render_midi(empty)
    assert "K:Eb" in render_abc(empty)
    assert "score-partwise" in render_musicxml(empty)


@given(any_chords, st.integers(-6, 6))
def test_chords_keep_their_form_in_every_key(pitches: tuple[int, ...], shift: int) -> None:
    chord = Chord(Fraction(0), Fraction(1), pitches)
    moved = chord.transposed(shift)
    assert moved.transposed(-shift) == chord
    assert moved.bass == (chord.bass + shift) % 12


def test_tunes_are_written_all_or_none(tmp_path):
    short, late = tunes()[0], MelodyNote(Fraction(300), Fraction(1), 60)
    hours = LeadSheet((late,), (), Fraction(301), short.key, (4, 4))
    with pytest.raises(UserError, match="too long"):
        write_tunes([short, hours], tmp_path, ["mid", "abc", "wav"], rendering=SLOW)
    assert list(tmp_path.iterdir()) == []
    paths = write_tunes([short, short], tmp_path, ["mid", "abc"], rendering=SLOW)
    assert [path.name for path in paths] == ["tune-001.mid", "tune-002.mid", "tune.abc"]
    assert all(path.stat().st_size for path in paths)


def test_lines_of_abc_fit_paper_and_the_last_one_ends_the_tune() -> None:
    notes = tuple(MelodyNote(Fraction(i, 8), Fraction(1, 8), 61 + i % 3) for i in range(8 * 4 * 9))
    body = render_abc(LeadSheet(notes, (), Fraction(36))).splitlines()[6:]
    assert len(body) > 3, "fewer bars in a line than usual"
    assert all(line.count("|") == 1 or len(line) <= 120 for line in body)
    assert [line.endswith(" |]") for line in body] == [False] * (len(body) - 1) + [True]
