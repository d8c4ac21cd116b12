"""Public reports on readers of music, tried with small inputs of our own; see public_reports.py."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from public_case import Case
from seqtutor.errors import UserError
from seqtutor.tasks.melody.folder import read_melody_file


def notes_of(suffix: str, content: str | bytes, tune: int = 0) -> Callable[[Path], Any]:
    """Reads `[onset, length, pitch]` of a tune; a refusal is its message."""

    def read(folder: Path) -> Any:
        path = folder / f"input{suffix}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        try:
            tunes, _ = read_melody_file(path)
        except UserError as error:
            return str(error).removeprefix(f"{path} ")
        return [(note.onset, note.duration, note.pitch) for note in tunes[tune].notes]

    return read


def pitches_of(suffix: str, content: str | bytes, tune: int = 0) -> Callable[[Path], Any]:
    """Reads the pitches alone."""
    read = notes_of(suffix, content, tune)

    def pitches(folder: Path) -> Any:
        found = read(folder)
        return found if isinstance(found, str) else [pitch for _, _, pitch in found]

    return pitches


def abc(music: str, key: str = "C", meter: str = "4/4", unit: str = "1/8", head: str = "") -> str:
    return f"X:1\n{head}M:{meter}\nL:{unit}\nK:{key}\n{music}\n"


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack(">I", len(content)) + content


def midi(*tracks: bytes, end: bytes = b"\x00\xff\x2f\x00") -> bytes:
    """A file of 96 ticks a quarter."""
    head = chunk(b"MThd", struct.pack(">HHH", int(len(tracks) > 1), len(tracks), 96))
    return head + b"".join(chunk(b"MTrk", track + end) for track in tracks)


def note(pitch: int, length: int = 96, wait: int = 0, status: bool = True) -> bytes:
    begin = b"\x90" if status else b""
    return bytes([wait]) + begin + bytes([pitch, 64, length]) + bytes([0x80, pitch, 0])


def score(*measures: str, divisions: int = 4, attributes: str = "") -> str:
    first = (
        f"<attributes><divisions>{divisions}</divisions><time><beats>4</beats>"
        f"<beat-type>4</beat-type></time>{attributes}</attributes>"
    )
    bars = "".join(
        f'<measure number="{n}">{first if n == 1 else ""}{one}</measure>'
        for n, one in enumerate(measures, 1)
    )
    return (
        '<score-partwise><part-list><score-part id="P1"><part-name/></score-part></part-list>'
        f'<part id="P1">{bars}</part></score-partwise>'
    )


def xml(step: str, length: int = 4, octave: int = 4, alter: str = "", more: str = "") -> str:
    altered = f"<alter>{alter}</alter>" if alter else ""
    return (
        f"<note><pitch><step>{step}</step>{altered}<octave>{octave}</octave></pitch>"
        f"<duration>{length}</duration>{more}</note>"
    )


def bar(steps: str) -> str:
    return "".join(map(xml, steps))


def line(where: str, inner: str) -> str:
    return f'<barline location="{where}">{inner}</barline>'


BACKWARD = '<repeat direction="backward"/>'
FORWARD = '<repeat direction="forward"/>'
SCALE = [60, 62, 64, 65]
UP = [67, 69, 71, 72]


def music() -> Iterator[Case]:
    yield from _abc_cases()
    yield from _midi_cases()
    yield from _musicxml_cases()
    yield from _of_strangers()


def _abc_cases() -> Iterator[Case]:
    yield Case(
        "abcjs#1007",
        "a tuplet of one note, `(3:2:1`",
        notes_of(".abc", abc("(3:2:1G3 A2 B2 z|")),
        [(0, 4, 67), (4, 4, 69), (8, 4, 71)],
    )
    yield Case(
        "abcjs#670, #1117, PR 1188",
        "triplets of unequal notes and with broken rhythm take as long as equal ones",
        lambda f: [
            notes_of(".abc", abc(m))(f)[-1] for m in ("(3:2:2A2 B C4|", "(3G>FE C4|", "(3G2FE C|")
        ],
        [(4, 8, 60), (4, 8, 60), (5, 2, 60)],
    )
    yield Case(
        "abcjs#557, #147",
        "six notes: in the time of two as the standard says, or of four where it is written",
        lambda f: [notes_of(".abc", abc(m))(f)[-1] for m in ("(6CDEFGA B4|", "(6:4:6CDEFGA B4|")],
        [(4, 8, 71), (8, 8, 71)],
    )
    yield Case(
        "music21#202",
        "a note right before `::` is kept",
        lambda f: len(pitches_of(".abc", abc("CDEF GABc::cBAG FEDC:|"))(f)),
        32,
    )
    yield Case(
        "newlandsvalley/purescript-abc-parser#11",
        "a grace note before a tuplet",
        pitches_of(".abc", abc("{G}(3FDE C2 z4|")),
        [65, 62, 64, 60],
    )
    yield Case(
        "sugarlabs/musicblocks#8733, #8734",
        "accidentals, a flat in `K:` and modes in three letters",
        lambda f: [
            pitches_of(".abc", abc("^FBe", "Bb"))(f),
            pitches_of(".abc", abc("FBc", "DDor"))(f),
            pitches_of(".abc", abc("__B^^c=e", "Eb"))(f),
        ],
        [[66, 70, 75], [65, 71, 72], [69, 74, 76]],
    )
    yield Case(
        "music21#1588, #386; abctools#17; kpaede/Verovio-Music-Renderer#13",
        "an accidental holds in its bar, and neither in the next bar nor in the next tune",
        lambda f: [
            pitches_of(".abc", abc("_G=EDG|G2", "Eb", unit="1/4"))(f),
            pitches_of(".abc", abc("CDEF", "D") + "\n" + abc("CDEF", "C"), 1)(f),
        ],
        [[66, 64, 62, 66, 67], SCALE],
    )
    yield Case(
        "music21#333, #313; campagnola/pyabc#7",
        "keys whose name begins with that of another: F#m, C#, Db",
        lambda f: [pitches_of(".abc", abc("FCG", key))(f) for key in ("F#m", "C#", "Db")],
        [[66, 61, 68], [66, 61, 68], [65, 60, 66]],
    )
    yield Case(
        "abcjs#901",
        "endings `1,3` and `2` and `4`",
        pitches_of(".abc", abc("|:C8|1,3 D8:|2 E8:|4 F8|]")),
        [60, 62, 60, 64, 60, 62, 60, 65],
    )
    yield Case(
        "abcjs#355",
        "`|::` three times; a third ending",
        lambda f: [
            pitches_of(".abc", abc("|::C8::|D8|]"))(f),
            pitches_of(".abc", abc("|:C8|1 D8:|2 E8:|3 F8|]"))(f),
        ],
        [[60, 60, 60, 62], [60, 62, 60, 64, 60, 65]],
    )
    yield Case(
        "abcjs#1154",
        "a repeat without its beginning after a second ending",
        pitches_of(".abc", abc("|:C8|1D8:|2E8||F8:|")),
        [60, 62, 60, 64, 65, 65],
    )
    yield Case(
        "CoderLine/alphaTab#2858",
        "da capo at the end of a repeat waits for the second time",
        pitches_of(".abc", abc("|:C8|D8!D.C.!:|")),
        [60, 62, 60, 62, 60, 62],
    )
    yield Case(
        "abcjs#880",
        "the decorations !D.C.alfine!, !D.S.alcoda!",
        lambda f: [
            pitches_of(".abc", abc("C8!fine!|D8!D.C.alfine!|]"))(f),
            pitches_of(".abc", abc("C8|!segno!D8!dacoda!|E8!D.S.alcoda!|!coda!F8|]"))(f),
        ],
        [[60, 62, 60], [60, 62, 64, 62, 65]],
    )
    yield Case(
        "abcjs#472",
        "a chord symbol in mid-measure begins there",
        _chords_of(abc('"Gm"GFDF GFDF|GFD2 "F"C4|')),
        [(0, 6), (6, 2)],
    )
    yield Case(
        "rism-digital/verovio#1680",
        "a triplet where the unit is a whole note",
        notes_of(".abc", abc("(3C/8D/8E/8 F/2|", unit="1")),
        [(0, 1, 60), (1, 2, 62), (3, 1, 64), (4, 8, 65)],
    )
    yield Case(
        "abcjs#1065",
        "a second ending, then a new line that begins a repeat",
        pitches_of(".abc", abc("C4|[1 D4:|[2 E4|\n|:F4|G4:|", unit="1/4")),
        [60, 62, 60, 64, 65, 67, 65, 67],
    )
    yield Case(
        "abc2svg#30",
        "a repeat after bars of rests",
        pitches_of(".abc", abc("z4|z4|:C4|D4:|", unit="1/4")),
        [60, 62, 60, 62],
    )


def _chords_of(text: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        from seqtutor.tasks.folk.abc import read_abc

        (sheet,), _ = read_abc(text, "tune")
        return [(Fraction(one.onset), Fraction(one.duration)) for one in sheet.chords]

    return read


def _midi_cases() -> Iterator[Case]:
    two = [(0, 4, 60), (4, 4, 62)]
    yield Case(
        "Euterpea2 PR 12; VSLilyPond PR 350; aiotone PR 4; midi-jar#10",
        "a note with velocity 0 ends one",
        notes_of(".mid", midi(b"\x00\x90\x3c\x40\x60\x3c\x00\x00\x3e\x40\x60\x3e\x00")),
        two,
    )
    yield Case(
        "midi-json-parser#254; midi_file#1; abique/midi-parser#4, PR 6; ModernMIDI#14",
        "running status, also after channel pressure, which has one byte",
        notes_of(".mid", midi(b"\x00\xd0\x20\x00\x90\x3c\x40\x60\x3c\x00" + note(62))),
        two,
    )
    yield Case(
        "gomidi/midi#20",
        "running status goes on after a text",
        notes_of(
            ".mid", midi(b"\x00\x90\x3c\x40\x30\xff\x01\x01+\x30\x3c\x00\x00\x3e\x40\x60\x3e\x00")
        ),
        two,
    )
    yield Case(
        "mido#105, #235, #187; pretty-midi#165",
        "a key signature that does not exist is passed over",
        notes_of(
            ".mid", midi(b"\x00\xff\x59\x02\x08\x00\x00\xff\x59\x02\xfe\xff" + note(60) + note(62))
        ),
        two,
    )
    yield Case(
        "mido#358",
        "a key signature without content",
        notes_of(".mid", midi(b"\x00\xff\x59\x00" + note(60) + note(62))),
        two,
    )
    yield Case(
        "MuseScore PR 15158 (#14791); FluidSynth#28",
        "a time signature of 0/4, and one of 4 over 2 to the 9th",
        lambda f: [
            notes_of(".mid", midi(b"\x00\xff\x58\x04\x00\x02\x18\x08" + note(60) + note(62)))(f),
            notes_of(".mid", midi(b"\x00\xff\x58\x04\x04\x09\x18\x08" + note(60) + note(62)))(f),
        ],
        [two, two],
    )
    yield Case(
        "music21 PR 1573",
        "a meta event of an unknown kind",
        notes_of(".mid", midi(b"\x00\xff\x4d\x04abcd" + note(60) + note(62))),
        two,
    )
    yield Case(
        "mido#63, midi-playground#154",
        "a data byte above 127: read, or refused in a line",
        lambda f: isinstance(
            notes_of(".mid", midi(b"\x00\x90\xbc\xc0\x60\x80\x3c\x00"))(f), list | str
        ),
        True,
    )
    yield Case(
        "symusic#104",
        "a file that ends in the middle: read as far as it goes, or refused in a line",
        lambda f: isinstance(notes_of(".mid", midi(note(60) + note(62))[:-9])(f), list | str),
        True,
    )
    yield Case(
        "signal#586; musicblocks#3904",
        "no tempo and no time signature",
        notes_of(".mid", midi(note(60) + note(62))),
        two,
    )
    yield Case(
        "symusic#48",
        "changes of tempo move nothing",
        notes_of(
            ".mid",
            midi(
                b"\x00\xff\x51\x03\x07\xa1\x20"
                + note(60)
                + b"\x00\xff\x51\x03\x03\xd0\x90"
                + note(62)
            ),
        ),
        two,
    )
    yield Case(
        "magenta#1946",
        "a file of several voices at once is refused, and says where",
        notes_of(".mid", midi(b"\x00\x90\x3c\x40\x30\x90\x40\x40\x60\x80\x3c\x00\x60\x80\x40\x00")),
        "is polyphonic: several notes sound at once at quarter note 0.5; save the melody alone in "
        "a file of its own",
    )
    yield Case(
        "py_midicsv#14, animation_nodes#1726",
        "system-exclusive messages and a sequencer's own",
        notes_of(
            ".mid", midi(b"\x00\xf0\x03\x43\x12\xf7\x00\xff\x7f\x02\x00\x10" + note(60) + note(62))
        ),
        two,
    )


def _musicxml_cases() -> Iterator[Case]:
    rest = "<note><rest/><duration>{}</duration></note>"
    yield Case(
        "MuseScore#15879",
        "voice 1 goes back over its own rest",
        pitches_of(
            ".musicxml",
            score(rest.format(16) + "<backup><duration>12</duration></backup>" + bar("DEF")),
        ),
        [62, 64, 65],
    )
    tie = '<tie type="{}"/>'
    yield Case(
        "MuseScore#24620, #26453",
        "a tie over the bar line",
        notes_of(
            ".musicxml",
            score(
                xml("C", 12) + xml("D", 4, more=tie.format("start")),
                xml("D", 8, more=tie.format("stop")) + xml("E", 8),
            ),
        ),
        [(0, 12, 60), (12, 12, 62), (24, 8, 64)],
    )
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch></note>"
    yield Case(
        "MuseScore#34140",
        "grace notes before and after are left out",
        pitches_of(".musicxml", score(grace + bar("CDEF") + grace)),
        SCALE,
    )
    ends = '<ending number="{}" type="{}"/>'
    yield Case(
        "music21#394, #490",
        "an ending for the first two times, another for the third",
        pitches_of(
            ".musicxml",
            score(
                line("left", FORWARD) + xml("C", 16),
                line("left", ends.format("1, 2", "start"))
                + xml("D", 16)
                + line("right", ends.format("1, 2", "stop") + BACKWARD),
                line("left", ends.format("3", "start"))
                + xml("E", 16)
                + line("right", ends.format("3", "stop")),
            ),
        ),
        [60, 62, 60, 62, 60, 64],
    )
    yield Case(
        "music21#1713, #80",
        "one repeat in mid-piece is played once more, also without its beginning",
        lambda f: [
            pitches_of(
                ".musicxml",
                score(
                    xml("C", 16),
                    line("left", FORWARD) + xml("D", 16),
                    xml("E", 16) + line("right", BACKWARD),
                ),
            )(f),
            pitches_of(".musicxml", score(xml("C", 16) + line("right", BACKWARD), xml("D", 16)))(f),
        ],
        [[60, 62, 64, 62, 64], [60, 60, 62]],
    )
    yield Case(
        "rism-digital/verovio#4397; rualark/MGen#2515",
        "without <alter> a note is natural, whatever came before in the measure",
        pitches_of(".musicxml", score(xml("C", 4, alter="1") + bar("CDE"))),
        [61, 60, 62, 64],
    )
    yield Case(
        "magenta PR 214",
        "a clarinet in B flat sounds a tone lower",
        pitches_of(
            ".musicxml",
            score(bar("DEFG"), attributes="<transpose><chromatic>-2</chromatic></transpose>"),
        ),
        [60, 62, 63, 65],
    )
    yield Case(
        "MuseScore#21538; music21#1583",
        "endings without any repeat sign",
        pitches_of(
            ".musicxml",
            score(
                xml("C", 16),
                line("left", ends.format("1", "start"))
                + xml("D", 16)
                + line("right", ends.format("1", "stop")),
                line("left", ends.format("2", "start")) + xml("E", 16),
            ),
        ),
        [60, 62, 60, 64],
    )


def _each(suffix: str, *contents: str | bytes) -> Callable[[Path], Any]:
    """The pitches of each of several files."""
    return lambda folder: [pitches_of(suffix, one)(folder) for one in contents]


def _of_strangers() -> Iterator[Case]:
    """What people try who do not know the program, some of it after reports."""
    yield Case(
        "abcjs#127",
        "a jig whose upbeat stands before the repeat sign: the bar before the second time is short",
        _downbeats_of(abc("A|:def fed|cBA f2:|", meter="6/8")),
        (2, 14, 24, 36),
    )
    yield Case(
        "abcjs#791",
        "a tie at the end of a first ending: into the repeat, or into nothing",
        lambda f: [
            notes_of(".abc", abc(m))(f)[-2:]
            for m in ("|:E8|1 D4E4-:|2 F8|]", "|:C8|1 D4E4-:|2 F8|]")
        ],
        [[(24, 24, 64), (48, 16, 65)], [(32, 16, 60), (48, 16, 65)]],
    )
    yield Case(
        "topchyan/abcarus PR 18",
        "a tune with indented lines, and one without X:, as pages and letters have them",
        _each(
            ".abc",
            "  X:1\n  M:4/4\n  L:1/4\n  K:C\n  CDEF|\n",
            "T:x\nM:4/4\nL:1/4\nK:C\nCDEF|\n",
        ),
        [SCALE, SCALE],
    )
    yield Case(
        "abcjs#68",
        "a metre after K: and before the music is the tune's",
        _downbeats_of("X:1\nL:1/4\nK:C\nM:3/4\nCDE|FGA|\n"),
        (0, 12),
    )
    yield Case(
        "abcjs#170",
        "endings named in words, and with dots behind the number",
        _each(".abc", abc('|:C8["1st"D8:|["2nd"E8|]'), abc("|:C8|1. D8:|2. E8|]")),
        [[60, 62, 60, 64]] * 2,
    )
    yield Case(
        "abcjs#782",
        "a segno in a letter, fine and D.S. as decorations",
        pitches_of(".abc", abc("C4|SD4|E4!fine!|F4!D.S.!|]", unit="1/4")),
        [60, 62, 64, 65, 62, 64],
    )
    yield Case(
        "abcjs#798",
        "an annotation right before a repeat sign",
        pitches_of(".abc", abc('C4"A"|:D4|E4:|', unit="1/4")),
        [60, 62, 64, 62, 64],
    )
    yield Case(
        "abcjs#277",
        "voices that are written line by line in turn",
        pitches_of(".abc", "X:1\nL:1/4\nK:C\n[V:a]CD-|\n[V:b]C,2|\n[V:a]DE|\n[V:b]G,2|\n"),
        [60, 62, 64],
    )
    yield Case(
        "abc2svg#64",
        "a part that is named between two tied notes",
        notes_of(".abc", abc("E4-[P:B]E4|")),
        [(0, 16, 64)],
    )
    yield Case(
        "EasyABC and others",
        "a mark of the byte order, ends of line of Windows, no last line end",
        _each(
            ".abc",
            "\ufeffX:1\r\nM:4/4\r\nL:1/4\r\nK:C\r\nCDEF|",
            "X:1\rL:1/4\rK:C\rCDEF|",
        ),
        [SCALE, SCALE],
    )
    yield Case(
        "midly#4; carter-thaxton/midi-file#17; mido#43; FluidSynth#1356",
        "MIDI within a RIFF file, and with a header of more bytes",
        lambda f: [notes_of(".mid", one)(f) for one in (_riff(midi(note(60))), _long_header())],
        [[(0, 4, 60)]] * 2,
    )
    yield Case(
        "FluidSynth PR 637; Tonejs/Midi PR 1",
        "a note that is struck anew while it sounds",
        notes_of(".mid", midi(b"\0\x90\x3c\x40\x60\x90\x3c\x40\x30\x80\x3c\0\x30\x80\x3c\0")),
        [(0, 4, 60), (4, 4, 60)],
    )
    yield Case(
        "film music",
        "times in frames of film are refused by name",
        lambda f: "frames of film" in str(notes_of(".mid", midi(note(60)).replace(*_FRAMES))(f)),
        True,
    )
    yield Case(
        "Audiveris#596; w3c-cg/musicxml#272",
        "ties that are drawn and not told as sound; two on one note; one without an end",
        lambda f: [
            notes_of(".musicxml", score(xml("C", 16, more=begin), xml("C", 16, more=end)))(f)
            for begin, end in _TIES
        ],
        [[(0, 32, 60)]] * 3,
    )
    yield Case(
        "iRealPro and others (JJazzLab#470)",
        "a compressed score without its container, an uncompressed one of that name, UTF-16",
        lambda f: [
            pitches_of(suffix, content)(f)
            for suffix, content in (
                (".mxl", score(bar("CDEF"))),
                (".musicxml", score(bar("CDEF")).encode("utf-16")),
            )
        ],
        [SCALE, SCALE],
    )


_FRAMES = (struct.pack(">HHH", 0, 1, 96), struct.pack(">HHh", 0, 1, -(24 << 8) + 4))
_TIES = [
    (
        '<notations><tied type="start"/></notations>',
        '<notations><tied type="stop"/></notations>',
    ),
    ('<tie type="start"/><tie type="start"/>', '<tie type="stop"/>'),
    ('<tie type="start"/>', ""),
]


def _riff(content: bytes) -> bytes:
    size = struct.pack("<I", len(content))
    return b"RIFF" + struct.pack("<I", len(content) + 12) + b"RMIDdata" + size + content


def _long_header() -> bytes:
    head = chunk(b"MThd", struct.pack(">HHH", 0, 1, 96) + bytes(4))
    return head + midi(note(60))[14:]


def _downbeats_of(text: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        path = folder / "input.abc"
        path.write_text(text)
        return read_melody_file(path)[0][0].downbeats

    return read
