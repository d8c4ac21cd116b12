"""Readers of melodies: ABC, MIDI, MusicXML and kern."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

from fuzz_reader import BOMB_BYTES, MELODY, NUMBERS, Reader, Seed, only_file

CONTAINER = '<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>'

KERN = b"""!!!OTL: A tune
**kern\t**kern
*clefG2\t*clefF4
*k[f#]\t*k[f#]
*G:\t*G:
*M3/4\t*M3/4
4g\t2.GG
8a\t.
8b\t.
[4cc\t.
=1\t=1
4cc]\t2.r
16dd\t.
16ee\t.
8ff#\t.
4r\t.
==\t==
*-\t*-
"""


def read_melodies(folder: Path) -> None:
    """A file as `score` and `pretrain` read it."""
    from seqtutor.tasks.melody.dataset import build_dataset
    from seqtutor.tasks.melody.encoding import notes_to_tokens
    from seqtutor.tasks.melody.folder import read_folder

    tunes, report = read_folder(folder)
    build_dataset(tunes, report, length=8)
    for tune in tunes:
        notes_to_tokens(tune.notes, tune.length)


def score_melody(folder: Path) -> list[str]:
    """The command that reads a melody's file."""
    return ["score", "melody", str(only_file(folder))]


def abc_seeds() -> list[Seed]:
    """One tune of ours, one with everything, and short tunes of the corpus."""
    from seqtutor.tasks.melody.render import render_abc
    from seqtutor.tasks.scores.abc_writer import abc_file
    from seqtutor.tasks.scores.corpus import corpus_folder

    rich = """X:1
T:Everything
M:6/8
L:1/8
Q:1/4=120
K:Ador
V:1
|:"Am"A2B {g}c>de|(3efg [ce]2 z|1 a3-a2A:|2 ^G,,3 =f'2_b|]
[K:Bb][M:C|] B/2c/4d// e-e x8 |: w4 :: !trill!~g2 .a2 (bc') :|
w: la la
"""
    books = corpus_folder()
    short = [path.read_bytes() for path in sorted((books / "airdsAirs").glob("*.abc"))[:1]]
    tunes = [text[:1500] for text in short]
    return [
        {"tune.abc": content}
        for content in (abc_file([render_abc(MELODY)]).encode(), rich.encode(), *tunes)
    ]


def abc_hostile() -> list[Seed]:
    """Notes, rests, repeats and bars without end."""
    head = "X:1\nM:4/4\nL:1/4\nK:C\n"
    bodies = [f"C{'9' * digits}|D" for digits in (6, 9, 12, 5000)]
    bodies += [f"C|Z{'9' * digits}|D" for digits in (6, 9, 12)]
    bodies += ["|:" * 50_000 + "CDEF" + ":|" * 50_000, "|:CDEF:|" + "::" * 50_000, "(3" * 100_000]
    bodies += ["C" + "/" * 100_000, "[" * 100_000, "{" * 100_000, "C-" * 100_000, "C>" * 100_000]
    texts = [head + body + "\n" for body in bodies]
    texts += ["X:1\nK:C\nC|\n\n" * 100_000, head.replace("1/4", "1/" + "9" * 5000) + "C|"]
    texts += [
        head.replace("4/4", "999999999/1") + "C|D|",
        head.replace("4/4", "1/999999999") + "C|",
    ]
    return [{"tune.abc": text.encode()} for text in texts]


def midi_hostile() -> list[Seed]:
    """Notes at the end of the longest waits that a track can hold, in the coarsest of times."""
    wait = b"\xff\xff\xff\x7f"
    events = b"\x00\x90\x3c\x40" + wait + b"\x80\x3c\x00"
    files = []
    for times in (1, 20):
        track = events * times + b"\x00\xff\x2f\x00"
        head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1)
        files.append(head + b"MTrk" + struct.pack(">I", len(track)) + track)
    return [{"tune.mid": content} for content in files]


def kern_hostile() -> list[Seed]:
    """Bars and notes without end."""
    wishes = (
        (b"M3/4", b"M999999/1"),
        (b"4g", b"0000g"),
        (b"8a", b"65536a"),
        (b"4r", b"4%99999999r"),
    )
    return [{"tune.krn": KERN.replace(*wish)} for wish in wishes]


def midi_seeds() -> list[Seed]:
    """A melody of ours and one with other events."""
    import symusic

    from seqtutor.tasks.melody.render import render_midi

    score: Any = symusic.Score.from_midi(render_midi(MELODY))
    score.key_signatures.append(symusic.KeySignature(0, -3, 1))
    score.time_signatures.append(symusic.TimeSignature(0, 3, 4))
    score.tracks[0].controls.append(symusic.ControlChange(10, 64, 127))
    score.tracks[0].pitch_bends.append(symusic.PitchBend(20, 300))
    return [{"tune.mid": render_midi(MELODY)}, {"tune.mid": bytes(score.dumps_midi())}]


def musicxml() -> bytes:
    """A melody of ours, engraved."""
    from seqtutor.tasks.melody.render import render_score

    return render_score(MELODY[:16]).encode()


def zipped(name: str, content: bytes, container: str | None = None) -> bytes:
    """A compressed MusicXML file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container or CONTAINER)
        archive.writestr(name, content)
    return buffer.getvalue()


def mxl_hostile() -> list[Seed]:
    """An archive that grows to gigabytes, one that leads out of the folder, one that holds none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        with archive.open("score.musicxml", "w", force_zip64=True) as file:
            zeros = bytes(1 << 20)
            for _ in range(BOMB_BYTES >> 20):
                file.write(zeros)
    nothing = io.BytesIO()
    zipfile.ZipFile(nothing, "w").close()
    outside = zipped("../../score.musicxml", musicxml())
    return [{"tune.mxl": one} for one in (buffer.getvalue(), nothing.getvalue(), outside)]


def xml_hostile() -> list[Seed]:
    """Entities that multiply, one that reads another file, and elements in each other."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    score = "<score-partwise><part-list/><work><work-title>{}</work-title></work></score-partwise>"
    head = '<?xml version="1.0"?><!DOCTYPE s [<!ENTITY l0 "ha">{}]>'
    return [
        {"tune.xml": (head.format(laughs) + score.format("&l11;")).encode()},
        {
            "tune.xml": (
                head.format('<!ENTITY f SYSTEM "file:///etc/passwd">') + score.format("&f;")
            ).encode()
        },
        {"tune.xml": b"<score-partwise>" + b"<part>" * 200_000},
    ]


SCORE_READERS = (
    Reader(
        "abc",
        abc_seeds,
        read_melodies,
        (
            *NUMBERS,
            b"X:2\n",
            b"K:H\n",
            b"M:0/0\n",
            b"L:1/0\n",
            b"|:",
            b":|",
            b"(3",
            b"[",
            b"{",
            b"-",
            b"/",
            b"<>",
            b"V:2\n",
            b"[K:",
            b"\n\n",
            b"_",
            b"^",
            b"=",
            b"M:C|\n",
        ),
        score_melody,
        abc_hostile,
    ),
    Reader(
        "midi",
        midi_seeds,
        read_melodies,
        (
            b"MThd",
            b"MTrk",
            b"\xff\x2f\x00",
            b"\xff\x58\x04",
            b"\xff\x59\x02",
            b"\x90\x3c\x40",
            b"\x80\x3c\x40",
            b"\xff\xff\xff\x7f",
            b"\xf0",
            b"\x00\x00\x00\x06",
            b"\xe7\x28",
        ),
        score_melody,
        midi_hostile,
    ),
    Reader(
        "musicxml",
        lambda: [
            {"tune.musicxml": musicxml()},
            {"tune.mxl": zipped("score.musicxml", musicxml())},
        ],
        read_melodies,
        (
            *NUMBERS,
            b"<note>",
            b"</note>",
            b"<measure>",
            b"<repeat direction='backward'/>",
            b"&",
            b"<chord/>",
            b"<grace/>",
            b"<divisions>0</divisions>",
            b"<backup>",
            b"<!--",
            b"<tie",
        ),
        score_melody,
        lambda: mxl_hostile() + xml_hostile(),
    ),
    Reader(
        "kern",
        lambda: [{"tune.krn": KERN}, {"tune.krn": KERN.replace(b"\t**kern", b"\t**dynam")}],
        read_melodies,
        (
            *NUMBERS,
            b"\t",
            b"*^",
            b"*v",
            b"*-",
            b"**kern",
            b"=1",
            b"==",
            b"*M0/0",
            b"*>[A,A]",
            b"*>A",
            b"q",
            b"%",
            b"*k[zz]",
            b"*x",
            b"*+",
            b"!!!",
            b"[",
            b"]",
            b"_",
        ),
        score_melody,
        kern_hostile,
    ),
)
