"""Which part of a file is read, instruments by name, and files that are something else."""

from __future__ import annotations

import pytest

from seqtutor.errors import UserError
from seqtutor.exhibits import in_ascii
from seqtutor.tasks.melody.folder import SUFFIXES, read_melody_file
from seqtutor.tasks.melody.primer import FilePart, read_primer
from seqtutor.tasks.scores.instruments import INSTRUMENTS, program_of
from seqtutor.tasks.scores.parts import Parts, parts_of

NAMES = ["Bass", "Tin Whistle", "", "Low Whistle"]
NOTE = "<note><pitch><step>{}</step><octave>4</octave></pitch><duration>4</duration></note>"


def score(*parts: tuple[str, str]) -> str:
    """MusicXML of parts with a name and a letter, or a rest for none."""
    names = "".join(
        f'<score-part id="P{n}"><part-name>{name}</part-name></score-part>'
        for n, (name, _) in enumerate(parts)
    )
    rest = "<note><rest/><duration>4</duration></note>"
    music = "".join(
        f'<part id="P{n}"><measure number="1"><attributes><divisions>1</divisions></attributes>'
        f"{NOTE.format(letter) if letter else rest}</measure></part>"
        for n, (_, letter) in enumerate(parts)
    )
    return f"<score-partwise><part-list>{names}</part-list>{music}</score-partwise>"


@pytest.mark.parametrize(
    ("wanted", "read"),
    [(None, 0), ("2", 1), ("bass", 0), ("whistle", 1), ("low  WHISTLE", 3), ("part 3", 2)],
)
def test_a_part_is_chosen_by_number_or_name(tmp_path, wanted, read):
    parts = parts_of(tmp_path, NAMES, wanted)
    assert parts.read == read
    assert parts.names[2] == "part 3"


def test_what_is_read_and_what_not_is_said(tmp_path):
    assert parts_of(tmp_path, NAMES[:2], None).remark == "reads 'Bass'; the other is 'Tin Whistle'"
    said = parts_of(tmp_path, NAMES, "2").remark
    assert said == "reads 'Tin Whistle'; the others are 'Bass', 'part 3', 'Low Whistle'"
    assert Parts().remark == ""
    for wanted in ("5", "0", "flute", ""):
        with pytest.raises(UserError, match="it has 1 'Bass', 2 'Tin Whistle', 3 'part 3'"):
            parts_of(tmp_path, NAMES, wanted)


def test_parts_of_scores_have_their_names_and_silent_ones_do_not_count(tmp_path):
    path = tmp_path / "score.musicxml"
    path.write_text(score(("Drums", ""), ("Bass", "C"), ("Whistle", "G")))
    pitches = {
        wanted: [note.pitch for note in read_melody_file(path, part=wanted)[0][0].notes]
        for wanted in (None, "1", "2", "whistle")
    }
    assert pitches == {None: [60], "1": [60], "2": [67], "whistle": [67]}
    primer = read_primer(path, taken=FilePart(part="Whistle"))
    said = "reads 'Whistle'; the other is 'Bass'"
    assert primer.remarks == (said, "it has no metre and is written in 4/4")
    with pytest.raises(UserError, match="has no part 'Drums'"):
        read_melody_file(path, part="Drums")


@pytest.mark.parametrize("text", ["C4 hold", "14 1"])
def test_no_part_is_taken_of_what_is_no_file(text):
    with pytest.raises(UserError, match="are taken of a file"):
        read_primer(text, taken=FilePart(bars=2))


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("tin whistle", "'whistle'"),
        ("Irish flute", "'flute'"),
        ("electric violin", "'violin'"),
        ("vioiln", "'violin'"),
    ],
)
def test_an_unknown_instrument_is_told_the_nearest(name, suggested):
    with pytest.raises(UserError, match=f"did you mean {suggested}"):
        program_of(name)


def test_nothing_is_suggested_for_what_is_like_nothing():
    with pytest.raises(UserError, match="'xqz'; give a name of General MIDI"):
        program_of("xqz")
    assert [program_of(name) for name in INSTRUMENTS] == list(range(128))


@pytest.mark.parametrize("suffix", [".mscz", ".mscx", ".pdf", ".png"])
def test_a_score_of_another_program_is_told_how_to_export_it(tmp_path, suffix):
    path = tmp_path / f"song{suffix}"
    path.write_bytes(b"PK")
    with pytest.raises(UserError, match="exported with File, Export, MusicXML"):
        read_melody_file(path)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES - {".krn", ".abc"}))
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04", b"MThd\0", b"<a"])
def test_no_words_of_a_library_are_told_of_a_damaged_file(tmp_path, suffix, content):
    path = tmp_path / f"song{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match="again") as caught:
        read_melody_file(path)
    said = str(caught.value).lower()
    assert not any(word in said for word in ("minimidi", "invaild", "well-formed", "zip", "error"))


def test_a_number_that_is_none_is_told_without_words_of_python(tmp_path):
    path = tmp_path / "song.musicxml"
    time = "<attributes><time><beats>x</beats><beat-type>4</beat-type></time>"
    path.write_text(score(("Bass", "C")).replace("<attributes>", time))
    with pytest.raises(UserError, match="measure 1 makes no sense"):
        read_melody_file(path)


@pytest.mark.parametrize(
    ("title", "plain"),
    [("Ψ 12-1", "psi 12-1"), ("γ, best 1", "gamma, best 1"), ("Café – 2", "Cafe 2"), ("", "")],
)
def test_titles_in_files_have_letters_that_every_program_shows(title, plain):
    assert in_ascii(title) == plain
