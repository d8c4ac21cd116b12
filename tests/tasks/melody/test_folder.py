"""The same eight-note tune in every format, and files that cannot be used."""

import struct
import zipfile
from pathlib import Path

import pytest
import symusic

from seqtutor.errors import UserError
from seqtutor.tasks.melody.abc import AbcOptions
from seqtutor.tasks.melody.data import MelodyData
from seqtutor.tasks.melody.dataset import build_dataset, load_melodies
from seqtutor.tasks.melody.encoding import Note
from seqtutor.tasks.melody.folder import read_folder, read_melody_file
from seqtutor.tasks.scores import kern, musicxml_file
from seqtutor.tasks.scores.keys import Key

# An upbeat and two bars of 3/4 in G, with a tie over the bar line and a rest.
TUNE = (
    Note(0, 4, 67),
    Note(4, 4, 71),
    Note(8, 2, 69),
    Note(10, 2, 67),
    Note(12, 8, 66),
    Note(24, 4, 67),
)
DOWNBEATS = (4, 16)
ABC = "X:1\nT:Tune\nM:3/4\nL:1/8\nK:G\nG2 | B2 AG F2- | F2 z2 G2 |]\n"
KERN = """\
**kern
*k[f#]
*G:
*M3/4
4g
=1
4b
8a
8g
[4f#
=2
4f#]
4r
4g
==
*-
"""


def _xml_note(step: str, octave: int, quarter_parts: int, extra: str = "") -> str:
    alter = "<alter>1</alter>" if step == "F" else ""
    return (
        f"<note><pitch><step>{step}</step>{alter}<octave>{octave}</octave></pitch>"
        f"<duration>{quarter_parts}</duration>{extra}</note>"
    )


MUSICXML = f"""<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0">
<part-list><score-part id="P1"><part-name>Fiddle</part-name></score-part></part-list>
<part id="P1">
<measure number="0" implicit="yes">
<attributes><divisions>2</divisions><key><fifths>1</fifths><mode>major</mode></key>
<time><beats>3</beats><beat-type>4</beat-type></time></attributes>
{_xml_note("G", 4, 2)}
</measure>
<measure number="1">
{_xml_note("B", 4, 2)}{_xml_note("A", 4, 1)}{_xml_note("G", 4, 1)}
{_xml_note("F", 4, 2, '<tie type="start"/>')}
</measure>
<measure number="2">
{_xml_note("F", 4, 2, '<tie type="stop"/>')}
<note><rest/><duration>2</duration></note>{_xml_note("G", 4, 2)}
</measure>
</part>
</score-partwise>
"""


def write_midi(
    path: Path,
    notes: list[tuple[float, float, int]],
    key: tuple[int, int] | None = None,
    meter: tuple[int, int] | None = None,
) -> Path:
    """Write notes (onset and duration in sixteenths, pitch) at 480 ticks to the quarter."""
    score = symusic.Score(480)
    track = symusic.Track(program=0, is_drum=False, name="melody")
    for onset, duration, pitch in notes:
        track.notes.append(symusic.Note(round(120 * onset), round(120 * duration), pitch, 90))
    score.tracks.append(track)
    if key is not None:
        score.key_signatures.append(symusic.KeySignature(0, *key))
    if meter is not None:
        score.time_signatures.append(symusic.TimeSignature(0, *meter))
    path.write_bytes(score.dumps_midi())
    return path


OVERLAPPING = [(0, 4, 60), (2, 4, 64)]


def as_triples(notes: tuple[Note, ...]) -> list[tuple[float, float, int]]:
    return [(note.onset, note.duration, note.pitch) for note in notes]


@pytest.mark.parametrize(
    ("name", "content"), [("a.abc", ABC), ("a.krn", KERN), ("a.musicxml", MUSICXML)]
)
def test_every_format_gives_the_same_tune(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    (tune,), report = read_melody_file(path)
    assert tune.notes == TUNE
    assert tune.key == Key(7)
    assert tune.meter == (3, 4)
    assert tune.downbeats == DOWNBEATS
    assert report.usable == 1


def test_midi(tmp_path: Path) -> None:
    path = write_midi(tmp_path / "a.mid", as_triples(TUNE), key=(1, 0), meter=(3, 4))
    (tune,), _ = read_melody_file(path)
    assert tune.notes == TUNE
    assert tune.key == Key(7)
    assert tune.meter == (3, 4)
    assert tune.downbeats == (0, 12, 24)


def test_midi_minor_signature_and_estimated_key(tmp_path: Path) -> None:
    minor = write_midi(tmp_path / "a.mid", as_triples(TUNE), key=(-2, 1))
    assert read_melody_file(minor)[0][0].key == Key(7, "minor")
    unsigned = write_midi(
        tmp_path / "b.mid", [(2 * i, 2, p) for i, p in enumerate([62, 66, 69, 67, 64, 61, 62, 62])]
    )
    assert read_melody_file(unsigned)[0][0].key == Key(2)


def test_played_midi_is_quantised(tmp_path: Path) -> None:
    played = [(onset + 0.3, duration + 0.4, pitch) for onset, duration, pitch in as_triples(TUNE)]
    path = write_midi(tmp_path / "a.mid", played)
    (tune,), report = read_melody_file(path)
    assert [(note.onset, note.pitch) for note in tune.notes] == [(n.onset, n.pitch) for n in TUNE]
    assert report.noted["notes moved to the grid"] == len(TUNE)
    with pytest.raises(UserError, match="off the sixteenth grid"):
        read_melody_file(path, AbcOptions(off_grid="drop"))


@pytest.mark.parametrize("second", [(0, 8, 48), (2, 4, 64)])
def test_polyphony_is_the_users_error(tmp_path: Path, second: tuple[int, int, int]) -> None:
    path = write_midi(tmp_path / "a.mid", [(0, 4, 60), second, (6, 2, 65)])
    with pytest.raises(UserError, match="polyphonic") as error:
        read_folder(path)
    assert "\n" not in str(error.value)


def test_a_polyphonic_score(tmp_path: Path) -> None:
    path = tmp_path / "a.krn"
    spines = "*^\n4b\t2d\n8a\t.\n8g\t.\n*v\t*v\n"
    path.write_text(KERN.replace("4b\n8a\n8g\n", spines))
    (tune,), report = read_folder(path)  # two voices, of which the first is read
    assert tune.notes == TUNE
    assert report.noted == {"with voices": 1}
    late = "<backup><duration>3</duration></backup>" + _xml_note("C", 4, 3)
    score = tmp_path / "a.musicxml"
    score.write_text(MUSICXML.replace("</measure>", late + "</measure>"))
    with pytest.raises(UserError, match="polyphonic: several notes sound at once in measure 1"):
        read_folder(score)


@pytest.mark.parametrize("name", ["a.mid", "a.musicxml", "a.mxl", "a.krn", "a.abc", "a.txt"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff garbage \n\n", b"MThd\x00\x00\x00\x06\x00"])
def test_unreadable_files(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=name) as error:
        read_folder(path)
    assert "\n" not in str(error.value)


def test_a_folder_skips_what_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "tunes.ABC").write_text(ABC + "\n" + ABC.replace("X:1", "X:2") + "\nX:3\n")
    write_midi(tmp_path / "chord.mid", OVERLAPPING)
    write_midi(tmp_path / "good.midi", as_triples(TUNE))
    (tmp_path / "notes.txt").write_text("not music")
    tunes, report = read_folder(tmp_path)
    assert [(tune.source, tune.index) for tune in tunes] == [
        ("deep/tunes.ABC", 0),
        ("deep/tunes.ABC", 1),
        ("good.midi", 0),
    ]
    assert report.tunes_read == 4
    assert report.dropped == {"no key field": 1}
    ((name, reason),) = report.skipped_files
    assert name == "chord.mid"
    assert reason.startswith("is polyphonic")


def test_folders_without_anything_usable(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no melodies"):
        read_folder(tmp_path)
    write_midi(tmp_path / "chord.mid", OVERLAPPING)
    with pytest.raises(UserError, match=r"none of the 1 files .* polyphonic"):
        read_folder(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        read_folder(tmp_path / "gone")


def test_where_no_tune_is_left_the_files_that_could_not_be_read_are_told_too(
    tmp_path: Path,
) -> None:
    write_midi(tmp_path / "chord.mid", OVERLAPPING)
    write_midi(tmp_path / "short.mid", [(0, 4, 60)])
    with pytest.raises(
        UserError, match=r"1 too short for a window\); .* read: 1, the first, chord.mid: is poly"
    ):
        build_dataset(*read_folder(tmp_path))


def test_a_folder_becomes_a_dataset(tmp_path: Path) -> None:
    scale = "X:{0}\nM:4/4\nL:1/8\nK:D\n" + "DEFG ABcd|" * 2 + "{1}|\n"
    bars = ["d2c2 B2A2", "f4 e4", "g2ed cBAG", "d8"]
    text = "\n".join(scale.format(i, bar) for i, bar in enumerate(bars))
    (tmp_path / "tunes.abc").write_text(text)
    dataset = load_melodies(MelodyData(data=str(tmp_path)))
    assert dataset.clusters == 1  # variants of one tune stay together
    assert len(dataset.train) > 0 == len(dataset.test)
    # D major is brought to C: the first window is the scale of C from middle C.
    assert dataset.train[0, ::2].tolist() == [14, 16, 18, 19, 21, 23, 25, 26] * 2


def test_a_midi_file_that_waits_for_years(tmp_path: Path) -> None:
    path = tmp_path / "long.mid"
    wait = b"\xff\xff\xff\x7f"
    track = b"\x00\x90\x3c\x40" + wait + b"\x80\x3c\x00" + b"\x00\xff\x2f\x00"
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1)
    path.write_bytes(head + b"MTrk" + struct.pack(">I", len(track)) + track)
    with pytest.raises(UserError, match="longer than 65,536 sixteenths"):
        read_folder(path)


def test_a_score_that_would_take_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.krn"
    path.write_text(KERN.replace("*M3/4", "*M999999/4").replace("4b", "65536b"))
    monkeypatch.setattr(kern, "SECONDS_A_SCORE", 0.2)
    with pytest.raises(UserError, match="takes longer than 0 s"):
        read_folder(path)


def test_a_compressed_score_that_grows_too_large(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.mxl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.musicxml", b" " * 2_000_000)
    assert path.stat().st_size < 3000
    monkeypatch.setattr(musicxml_file, "MAXIMUM_FILE_BYTES", 1_000_000)
    with pytest.raises(UserError, match="unpacks to more than"):
        read_folder(path)
