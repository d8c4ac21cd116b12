"""What is written is what was composed: every format, read back by somebody else's reader."""

import stat
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.files import atomic_write, write_together
from seqtutor.tasks.melody.abc import read_abc
from seqtutor.tasks.melody.encoding import Note, notes_to_tokens, tokens_to_notes
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.melody.notation import Meter, write_bars
from seqtutor.tasks.melody.render import (
    RenderSettings,
    render_abc,
    render_midi,
    render_score,
    write_melodies,
)
from seqtutor.tasks.scores.abc_writer import abc_file
from seqtutor.tasks.scores.keys import MODES, Key
from seqtutor.tasks.scores.notation import (
    is_note_value,
    signature_alteration,
    signature_fifths,
    spell,
    spell_tonic,
)
from written import write_melody

TWELVE_KEYS = [Key(tonic, mode) for tonic in range(12) for mode in ("major", "minor")]
# Rests, syncopation, a note over two bar lines, chromatic notes, a repeated note.
MELODY = [
    *[14, 1, 16, 1, 18, 19, 1, 1, 21, 1, 1, 1, 1, 1, 1, 1],
    *[1, 1, 0, 1, 15, 13, 15, 1, 1, 14, 1, 22, 1, 1, 1, 1],
    *[1] * 17,
    *[25, 25, 1, 1, 26, 25, 2, 37, 0],
]  # fmt: skip

keys = st.builds(Key, st.integers(0, 11), st.sampled_from(MODES))
meters = st.sampled_from([Meter(*m) for m in ((4, 4), (3, 4), (6, 8), (2, 2), (7, 8), (5, 16))])


@st.composite
def canonical_melodies(draw, max_notes=20):
    """Melodies with rests, in the canonical form that `notes_to_tokens` writes."""
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 0, 0, 1, 4, 18]), st.integers(1, 21), st.integers(48, 83)
            ),
            min_size=1,
            max_size=max_notes,
        )
    )
    notes, time = [], 0
    for rest, duration, pitch in steps:
        notes.append(Note(time + rest, duration, pitch))
        time += rest + duration
    return notes_to_tokens(notes, time + draw(st.integers(0, 5)))


def midi_notes(content):
    score = symusic.Score.from_midi(content)
    sixteenth = score.ticks_per_quarter // 4
    assert all(
        note.time % sixteenth == note.duration % sixteenth == 0 for note in score.tracks[0].notes
    )
    return sorted(
        (
            Note(n.time // sixteenth, n.duration // sixteenth, n.pitch)
            for n in score.tracks[0].notes
        ),
        key=lambda note: note.onset,
    )


@given(canonical_melodies(), keys, meters)
@settings(max_examples=60, deadline=None)
def test_midi_holds_the_notes(tokens, key, meter):
    content = render_midi(tokens, RenderSettings(key=key, meter=meter))
    assert midi_notes(content) == tokens_to_notes(tokens)


def test_midi_carries_the_settings():
    chosen = RenderSettings(
        tempo=93, key=Key(3), meter=Meter(6, 8), title="A jig", program=73, velocity=55
    )
    score = symusic.Score.from_midi(render_midi(MELODY, chosen))
    assert score.tempos[0].qpm == pytest.approx(93, abs=1e-3)
    assert (score.time_signatures[0].numerator, score.time_signatures[0].denominator) == (6, 8)
    assert (score.key_signatures[0].key, score.key_signatures[0].tonality) == (-3, 0)
    assert (score.tracks[0].program, score.tracks[0].name) == (73, "A jig")
    assert {note.velocity for note in score.tracks[0].notes} == {55}


@given(canonical_melodies(), keys, meters)
@settings(max_examples=150, deadline=None)
def test_abc_holds_the_notes_and_the_key(tokens, key, meter):
    tunes, _ = read_abc(render_abc(tokens, RenderSettings(key=key, meter=meter)), "test")
    assert list(tunes[0].notes) == tokens_to_notes(tokens)
    assert tunes[0].key == key
    assert tunes[0].length == len(tokens)


@pytest.mark.parametrize("key", [Key(0), Key(6), Key(3, "minor"), Key(1)], ids=str)
def test_abc_is_read_the_same_by_music21(key):
    import music21

    text = abc_file([render_abc(MELODY, RenderSettings(key=key))])
    score = music21.converter.parseData(text, format="abc")
    assert music21_notes(score) == tokens_to_notes(MELODY)


def music21_notes(score):
    return [
        Note(round(n.offset * 4), round(n.quarterLength * 4), n.pitch.midi)
        for n in score.flatten().stripTies().notes
    ]


@pytest.mark.parametrize(
    ("key", "meter"),
    [(Key(0), (4, 4)), (Key(6), (3, 4)), (Key(3, "minor"), (6, 8)), (Key(8), (7, 8))],
)
def test_musicxml_is_read_the_same_by_music21(key, meter):
    import music21

    text = render_score(MELODY, RenderSettings(key=key, meter=Meter(*meter), title="<&>"))
    score = music21.converter.parseData(text, format="musicxml")
    assert music21_notes(score) == tokens_to_notes(MELODY)
    assert score.flatten().getElementsByClass(music21.meter.TimeSignature)[0].ratioString == str(
        Meter(*meter)
    )
    signature = score.flatten().getElementsByClass(music21.key.KeySignature)[0]
    assert signature.sharps == signature_fifths(key)
    assert score.metadata.bestTitle == "<&>"


# The order that the schema of MusicXML 4.0 demands of the elements written here.
SCHEMA_ORDER = {
    "score-partwise": ["work", "identification", "part-list", "part"],
    "score-part": ["part-name", "score-instrument", "midi-instrument"],
    "midi-instrument": ["midi-channel", "midi-program"],
    "attributes": ["divisions", "key", "time", "clef"],
    "key": ["fifths", "mode"],
    "time": ["beats", "beat-type"],
    "clef": ["sign", "line"],
    "direction": ["direction-type", "sound"],
    "metronome": ["beat-unit", "beat-unit-dot", "per-minute"],
    "pitch": ["step", "alter", "octave"],
    "note": [
        *["pitch", "rest", "duration", "tie", "voice", "type", "dot", "accidental", "beam"],
        "notations",
    ],
    "measure": ["attributes", "direction", "note", "barline"],
}
TYPE_LENGTHS = {"whole": 16, "half": 8, "quarter": 4, "eighth": 2, "16th": 1}


@given(canonical_melodies(), keys, meters)
@settings(max_examples=60, deadline=None)
def test_musicxml_follows_the_schema_and_adds_up(tokens, key, meter):
    root = ET.fromstring(render_score(tokens, RenderSettings(key=key, meter=meter, title="x")))
    for element in root.iter():
        if element.tag in SCHEMA_ORDER:
            places = [SCHEMA_ORDER[element.tag].index(child.tag) for child in element]
            assert places == sorted(places)
    lengths = [
        sum(int(note.findtext("duration")) for note in measure.iter("note"))
        for measure in root.iter("measure")
    ]
    assert set(lengths[:-1]) <= {meter.bar_length}
    assert sum(lengths) == len(tokens)
    for note in root.iter("note"):
        if note.find("rest[@measure]") is not None:
            assert int(note.findtext("duration")) == meter.bar_length
            continue
        written = TYPE_LENGTHS[note.findtext("type")]
        dots = len(note.findall("dot"))
        assert int(note.findtext("duration")) == written + dots * written // 2
    # Each tie that starts stops at the next note, at the same pitch.
    notes = list(root.iter("note"))
    for this, following in zip(notes, [*notes[1:], None], strict=True):
        starts = "start" in [tie.get("type") for tie in this.findall("tie")]
        stops = following is not None and "stop" in [
            t.get("type") for t in following.findall("tie")
        ]
        assert starts == stops
        if starts:
            assert ET.tostring(this.find("pitch")) == ET.tostring(following.find("pitch"))


@given(canonical_melodies(), keys)
@settings(max_examples=60, deadline=None)
def test_musicxml_accidentals_tell_the_pitch(tokens, key):
    """Whoever looks at the page, with the signature and accidentals only, sees the pitches."""
    root = ET.fromstring(render_score(tokens, RenderSettings(key=key)))
    signs = {"flat-flat": -2, "flat": -1, "natural": 0, "sharp": 1, "double-sharp": 2}
    for measure in root.iter("measure"):
        in_force = {}
        for note in measure.iter("note"):
            if note.find("rest") is not None:
                continue
            step, octave = note.findtext("pitch/step"), note.findtext("pitch/octave")
            carried = any(tie.get("type") == "stop" for tie in note.findall("tie"))
            if note.find("accidental") is not None:
                in_force[step, octave] = signs[note.findtext("accidental")]
            elif carried:
                continue
            seen = in_force.get((step, octave), signature_alteration(step, key))
            assert seen == int(note.findtext("pitch/alter") or 0)


@given(st.integers(48, 83), keys)
def test_spelling_sounds_right_and_scale_notes_need_no_accidental(pitch, key):
    spelled = spell(pitch, key)
    assert spelled.midi == pitch
    assert abs(spelled.alteration) <= 2
    in_scale = pitch % 12 in key.scale
    assert (spelled.alteration == signature_alteration(spelled.letter, key)) == in_scale


def test_names_of_the_keys():
    signs = {-1: "b", 0: "", 1: "#"}
    names = {}
    for key in TWELVE_KEYS:
        letter, alteration = spell_tonic(key)
        names[key] = letter + signs[alteration] + ("m" if key.mode == "minor" else "")
    assert [names[Key(t)] for t in range(12)] == [
        *("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    ]
    assert [names[Key(t, "minor")] for t in range(12)] == [
        *("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm"),
    ]


def test_leading_note_and_blue_note_are_spelled_by_their_direction():
    assert (spell(68, Key(9, "minor")).letter, spell(68, Key(9, "minor")).alteration) == ("G", 1)
    assert (spell(63, Key(0)).letter, spell(63, Key(0)).alteration) == ("E", -1)
    assert spell(60, Key(1, "minor")).letter == "B"  # B sharp, the leading note of C sharp minor


@given(canonical_melodies(), meters)
@settings(max_examples=80, deadline=None)
def test_symbols_fill_their_bars_without_gaps(tokens, meter):
    bars = write_bars(tokens, meter)
    for number, bar in enumerate(bars):
        places = [4 * symbol.start for symbol in bar.symbols]
        ends = [4 * (symbol.start + symbol.duration) for symbol in bar.symbols]
        assert places == [0, *ends[:-1]]
        expected = min(meter.bar_length, len(tokens) - number * meter.bar_length)
        assert ends[-1] == expected
        is_silent = [symbol.pitch for symbol in bar.symbols] == [None]
        assert is_silent or all(is_note_value(symbol.duration) for symbol in bar.symbols)


@pytest.mark.parametrize("suffix", [".mid", ".midi", ".abc", ".musicxml", ".xml"])
def test_files_are_read_back_by_our_own_reader(tmp_path, suffix):
    path = write_melody(MELODY, tmp_path / f"tune{suffix}", RenderSettings(key=Key(2)))
    tunes, _ = read_melody_file(path)
    assert list(tunes[0].notes) == tokens_to_notes(MELODY)
    assert tunes[0].key == Key(2)


def test_many_melodies_become_numbered_files_and_one_tune_book(tmp_path):
    melodies = np.array([MELODY, MELODY[::-1], MELODY[5:] + MELODY[:5]])
    paths = write_melodies(melodies, tmp_path, ["mid", ".ABC", "musicxml"], "g")
    names = ["g-001.mid", "g-002.mid", "g-003.mid", "g.abc"]
    names += ["g-001.musicxml", "g-002.musicxml", "g-003.musicxml"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    tunes, _ = read_abc((tmp_path / "g.abc").read_text(), "g.abc")
    assert [list(tune.notes) for tune in tunes] == [tokens_to_notes(m) for m in melodies]
    assert [tune.title for tune in tunes] == ["g 001", "g 002", "g 003"]


def test_nothing_is_written_when_anything_is_wrong(tmp_path):
    with pytest.raises(UserError, match="token 99 at position 2"):
        write_melodies([MELODY, [14, 99]], tmp_path / "out", ["mid"])
    with pytest.raises(UserError, match=r"\.mp3; use one of"):
        write_melodies([MELODY], tmp_path / "out", ["mid", "mp3"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong", [{"tempo": 0.0}, {"tempo": float("nan")}, {"program": 128}, {"velocity": 0}]
)
def test_settings_out_of_range(wrong):
    with pytest.raises(UserError):
        RenderSettings(**wrong)


@pytest.mark.parametrize("meter", [(4, 5), (0, 4), (-3, 4), (33, 4)])
def test_metres_that_are_none(meter):
    with pytest.raises(UserError):
        Meter(*meter)


def test_atomic_write_leaves_the_old_file_or_the_new_one(tmp_path):
    path = atomic_write(tmp_path / "deep" / "file.txt", "Ψ\n")
    assert path.read_bytes() == "Ψ\n".encode()
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["file.txt"]
    plain = tmp_path / "plain"
    plain.write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_file_that_is_named_twice_has_the_last_content_and_nothing_beside_it(tmp_path):
    """`--formats csv csv` names one file twice."""
    write_together([(tmp_path / "file", "one"), (tmp_path / "file", "two")])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "two"


def test_atomic_write_says_why_not(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        atomic_write(tmp_path / "taken", "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        atomic_write(tmp_path / "file" / "below", "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]
