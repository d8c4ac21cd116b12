"""Tunes from MIDI, MusicXML and kern: what these formats tell, and what is decided otherwise."""

from __future__ import annotations

import random
import re
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from seqtutor.data import Sequences
from seqtutor.errors import UserError
from seqtutor.task_records import Drawn
from seqtutor.tasks.tunes.beginning import read_beginning
from seqtutor.tasks.tunes.listening import opening
from seqtutor.tasks.tunes.priors import SHIPPED_PRIOR
from seqtutor.tasks.tunes.reader import read_abc, read_tune_file
from seqtutor.tasks.tunes.sections import Cutting
from seqtutor.tasks.tunes.settings import TunesSettings
from seqtutor.tasks.tunes.spec import TuneSamples, spec
from seqtutor.tasks.tunes.tokens import tokens_of
from seqtutor.vocabulary import Vocabulary

REEL = "C2EG c2GE|D2FA d2AF|C2EG c2GE|F2DF E2C2|C2EG c2GE|A2fd e2cA|G2ec d2BG|c4 c2z2"
SCALE = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}


def notes_of(music, eighth=240):
    """Onset, end and pitch of ABC that has letters and one-digit lengths in eighths alone."""
    found, now = [], 0
    letters = music.replace("|", "").replace(" ", "")
    for place, letter in enumerate(letters):
        if letter.isdecimal():
            continue
        following = letters[place + 1 : place + 2]
        length = eighth * (int(following) if following.isdecimal() else 1)
        if letter != "z":
            pitch = SCALE[letter.upper()] + 12 * letter.islower()
            found.append((now, now + length, pitch))
        now += length
    return found


def midi(notes, *, meta=b"", quarter=480, name=""):
    """A file of one track for each list of notes."""
    tracks = []
    for place, own in enumerate(notes):
        named = name and f"{name} {place + 1}".encode()
        head = b"\x00\xff\x03" + bytes([len(named)]) + named if named else b""
        events = [(start, 1, bytes([0x90, pitch, 80])) for start, _, pitch in own]
        events += [(end, 0, bytes([0x80, pitch, 0])) for _, end, pitch in own]
        data, now = head + (meta if place == 0 else b""), 0
        for time, _, message in sorted(events):
            wait, now = time - now, time
            data += bytes([0x80 | wait >> 7, wait & 0x7F]) + message
        data += b"\x00\xff\x2f\x00"
        tracks.append(struct.pack(">4sI", b"MTrk", len(data)) + data)
    return struct.pack(">4sIHHH", b"MThd", 6, 1, len(tracks), quarter) + b"".join(tracks)


C_MAJOR = b"\x00\xff\x59\x02\x00\x00"


def written(music):
    (tune,), _ = read_abc(f"X:1\nM:4/4\nL:1/8\nK:C\n{music}|\n", "a.abc", Cutting(8))
    return [tokens_of(phrase) for phrase in tune.phrases]


def read(folder, content, **options):
    path = folder / "a.mid"
    path.write_bytes(content)
    (tune,), report = read_tune_file(path, Cutting(8, **options))
    return tune, [tokens_of(phrase) for phrase in tune.phrases], report


@pytest.mark.parametrize("share", [1.0, 0.95, 0.9])
def test_notes_that_a_program_cuts_short_are_as_long_as_written(tmp_path, share):
    notes = [(a, a + round(share * (b - a)), pitch) for a, b, pitch in notes_of(REEL)]
    assert read(tmp_path, midi([notes], meta=C_MAJOR))[1] == written(REEL)


def test_what_is_played_is_moved_to_where_it_can_be_written_and_that_is_told(tmp_path):
    draw = random.Random(0)
    notes = [
        (max(0, a + draw.randint(-25, 25)), b - draw.randint(30, 60), pitch)
        for a, b, pitch in notes_of(REEL)
    ]
    tune, found, _ = read(tmp_path, midi([notes], meta=C_MAJOR))
    assert found == written(REEL)
    (told,) = [line for line in tune.remarks if "were moved" in line]
    assert 1 <= int(told.split()[0]) <= len(notes)


def test_phrases_of_midi_are_counted_from_the_first_bar_that_sounds(tmp_path):
    """Two bars of silence before, three surplus bars behind."""
    more = "E2GE C2EG|" * 2 + "c8"
    later = [(a + 2 * 1920, b + 2 * 1920, p) for a, b, p in notes_of(f"{REEL}|{more}")]
    tune, found, report = read(tmp_path, midi([later], meta=C_MAJOR))
    assert found == written(REEL)
    assert report.noted["bars after the last phrase"] == 3
    assert any("2 of its bars are silent" in line for line in tune.remarks)
    assert any("MIDI tells no sections" in line for line in tune.remarks)


def test_a_file_without_key_or_metre_says_what_it_is_taken_for(tmp_path):
    tune, found, _ = read(tmp_path, midi([notes_of(REEL)]))
    assert found == written(REEL)
    assert "it names no key and is read in C major" in tune.remarks
    assert "it names no metre and is read in 4/4" in tune.remarks


def test_one_part_of_several_is_read_by_name_or_number(tmp_path):
    low = [(a, b, p - 12) for a, b, p in notes_of(REEL.replace("E", "D"))]
    path = tmp_path / "two.mid"
    path.write_bytes(midi([low, notes_of(REEL)], meta=C_MAJOR, name="Voice"))
    vocabulary = Vocabulary.load(SHIPPED_PRIOR / "vocabulary.json")
    wanted = written(REEL)[0]
    wanted = wanted[: wanted.index("|5")]
    for part in ("2", "voice 2"):
        found = read_beginning(path, vocabulary, part=part)
        assert vocabulary.decode(found.tokens) == wanted
        assert "reads 'Voice 2'; the other is 'Voice 1'" in found.notes
        own = opening(path, vocabulary, {"part": part})
        assert own.tokens.tolist() == found.tokens.tolist()
        assert own.offers == {"part": ("Voice 1", "Voice 2")}
        options = TuneSamples(prime=str(path), prime_part=part)
        forced, _ = spec.primer(options, TunesSettings(), 2, 0, vocabulary)
        assert forced[1].tolist() == found.tokens.tolist()
    with pytest.raises(UserError, match="has no part 'flute'"):
        read_beginning(path, vocabulary, part="flute")
    with pytest.raises(UserError, match="--prime-part take a part of the file"):
        spec.primer(TuneSamples(prime="jig", prime_part="1"), TunesSettings(), 1, 0, vocabulary)


@pytest.mark.parametrize("suffix", [".abc", ".mid"])
def test_a_beginning_need_not_be_a_phrase(tmp_path, suffix):
    """Two bars and a beat; bars that are asked for are taken of it."""
    vocabulary = Vocabulary.load(SHIPPED_PRIOR / "vocabulary.json")
    music = "C2EG c2GE|D2FA d2AF|G2"
    path = tmp_path / f"idea{suffix}"
    abc = f"X:1\nT:Idea\nM:4/4\nL:1/8\nQ:1/4=90\nK:C\n{music}\n"
    tempo = b"\x00\xff\x51\x03" + (60_000_000 // 90).to_bytes(3)
    content = abc.encode() if suffix == ".abc" else midi([notes_of(music)], meta=C_MAJOR + tempo)
    path.write_bytes(content)
    found = read_beginning(path, vocabulary)
    decoded = vocabulary.decode(found.tokens)
    assert decoded[:3] == ["4/4", "major", "|1"]
    assert decoded[-2:] == ["|3", "G4:1"]
    assert found.tempo == pytest.approx(90, abs=0.01)
    shorter = vocabulary.decode(read_beginning(path, vocabulary, 1).tokens)
    assert shorter == decoded[: decoded.index("|2")]
    prior = SimpleNamespace(
        vocabulary=vocabulary, origin={"bars": 8, "max_length": 96}, folder=None
    )
    with pytest.raises(UserError, match=r"holds no (phrase|usable)|cannot be used"):
        spec.read_sequences(path, vocabulary, 96, prior)


@pytest.mark.parametrize("suffix", [".abc", ".mid"])
@pytest.mark.parametrize(("bars", "signs"), [(12, ""), (8, "|::"), (3, "")])
def test_the_bars_of_a_tune_are_counted_and_not_those_of_a_phrase(tmp_path, suffix, bars, signs):
    """With an upbeat; in ABC played twice, which MIDI would play out."""
    vocabulary = Vocabulary.load(SHIPPED_PRIOR / "vocabulary.json")
    path = tmp_path / f"tune{suffix}"
    own = ["C2EG c2GE"] * (bars - 1) + ["C8" if suffix == ".mid" else "C6"]
    music = "|".join(own)
    if suffix == ".abc":
        music = f"G2|:{music}:|" if signs else f"G2|{music}|]"
        path.write_text(f"X:1\nT:Twinkle\nM:4/4\nL:1/8\nK:C\n{music}\n")
    else:
        path.write_bytes(midi([notes_of(music)], meta=C_MAJOR))
    first = read_beginning(path, vocabulary, 2).notes[0]
    assert first.startswith(f"begins with 2 of the {bars} bars of ")


@pytest.mark.parametrize(
    ("name", "title"), [("Kesh", "Kesh 1"), ("Piano", "own"), ("Track", "own"), ("", "own")]
)
def test_what_goes_on_from_a_midi_file_is_titled_after_it(tmp_path, name, title):
    """By its only track, unless that is named after what plays; else by the file."""
    vocabulary = Vocabulary.load(SHIPPED_PRIOR / "vocabulary.json")
    path = tmp_path / "own.mid"
    path.write_bytes(midi([notes_of(REEL)], meta=C_MAJOR, name=name))
    assert read_beginning(path, vocabulary).title == title
    forced, options = spec.primer(
        TuneSamples(prime=str(path), formats=("abc",)), TunesSettings(), 2, 0, vocabulary
    )
    drawn = Drawn(Sequences(forced, np.ones(forced.shape, bool)), vocabulary, {}, TunesSettings())
    (book,) = spec.write(drawn, tmp_path, options)
    titles = re.findall("^T:(.*)$", book.read_text(), re.M)
    assert titles == [f"{title}, continued 1", f"{title}, continued 2"]


def test_kern_gives_the_same_phrase_but_not_on_a_page(tmp_path):
    lines = ["**kern", "*M4/4", "*k[]", "*C:"]
    values = {1: "8", 2: "4", 4: "2"}
    for bar in REEL.split("|"):
        lines.append("=")
        letters = bar.replace(" ", "")
        for place, letter in enumerate(letters):
            following = letters[place + 1 : place + 2]
            if letter.isalpha():
                length = values[int(following) if following.isdecimal() else 1]
                # In kern c is middle C, in ABC the C above.
                name = "r" if letter == "z" else letter.lower() * (1 + letter.islower())
                lines.append(f"{length}{name}")
    path = tmp_path / "a.krn"
    path.write_text("\n".join([*lines, "==", "*-", ""]))
    (tune,), _ = read_tune_file(path, Cutting(8))
    assert [tokens_of(phrase) for phrase in tune.phrases] == written(REEL)
    vocabulary = Vocabulary.load(SHIPPED_PRIOR / "vocabulary.json")
    with pytest.raises(UserError, match="kern file is not read here"):
        opening(path, vocabulary, {})


def test_a_folder_of_several_formats_is_read(tmp_path):
    (tmp_path / "a.abc").write_text(f"X:1\nM:4/4\nL:1/8\nK:C\n{REEL}|\n")
    (tmp_path / "b.mid").write_bytes(midi([notes_of(REEL)], meta=C_MAJOR))
    (tmp_path / "c.mid").write_bytes(b"nothing")
    vocabulary = Vocabulary.load(SHIPPED_PRIOR / "vocabulary.json")
    prior = SimpleNamespace(
        vocabulary=vocabulary, origin={"bars": 8, "max_length": 96}, folder=None
    )
    names, rows = spec.read_sequences(tmp_path, vocabulary, 96, prior)
    assert names == ["a.abc", "b.mid"]
    assert rows.tokens[0].tolist() == rows.tokens[1].tolist()


def test_the_reason_of_a_tune_without_phrases_is_what_is_wrong_with_them():
    """Eight silent bars, which are no phrase, and then three that sound."""
    music = f"{'|'.join(['z8'] * 8)}||C8|D8|E8||"
    _, report = read_abc(f"X:1\nM:4/4\nL:1/8\nK:C\n{music}\n", "a.abc", Cutting(8))
    (reason,) = report.dropped
    assert reason.startswith("phrases with irregular bars")
