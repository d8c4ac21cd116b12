"""Engraved scores show what is in the MusicXML: counted in the picture."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from fractions import Fraction

import matplotlib.image
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.tasks.melody.notation import Meter, write_bars
from seqtutor.tasks.melody.render import RenderSettings, render_score, write_melodies
from seqtutor.tasks.scores import engraving
from seqtutor.tasks.scores.engraving import png_of, svg_of
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.lead_sheet import Chord, LeadSheet, MelodyNote
from seqtutor.tasks.scores.lead_sheet_files import render_musicxml

SVG = "{http://www.w3.org/2000/svg}"
# A rest, a beam, a note over the bar line, an accidental.
MELODY = [14, 1, 16, 18, 0, 1, 1, 1, 19, 1, 20, 1, 1, 1, 1, 1]
MELODY += [1, 1, 1, 1, 0, 1, 1, 1, 21, 1, 1, 1, 1, 1, 1, 1]
_TRIPLET = [MelodyNote(Fraction(i, 3), Fraction(1, 3), 66 + i) for i in range(3)]
SHEET = LeadSheet(
    (*_TRIPLET, MelodyNote(Fraction(1), Fraction(2), 74)),
    (Chord(Fraction(0), Fraction(1), (54, 58, 61)), Chord(Fraction(1), Fraction(2), (52, 55, 59))),
    Fraction(3),
    title="A waltz <&>",
    key=Key(2),
    meter=(3, 4),
)


def drawn(svg: str, kind: str) -> list[ET.Element]:
    """The elements of a class."""
    found = ET.fromstring(svg).iter(f"{SVG}g")
    return [one for one in found if kind in one.get("class", "").split()]


def text(svg: str) -> str:
    return " ".join("".join(one.itertext()) for one in ET.fromstring(svg).iter(f"{SVG}text"))


@pytest.fixture(scope="module")
def pictures() -> list[str]:
    melody = render_score(MELODY, RenderSettings(key=Key(3), title="A melody", tempo=93))
    return svg_of([melody, render_musicxml(SHEET), melody])


def test_every_symbol_of_a_melody_is_there(pictures):
    svg = pictures[0]
    symbols = [symbol for bar in write_bars(MELODY, Meter()) for symbol in bar.symbols]
    sounding = [symbol for symbol in symbols if symbol.pitch is not None]
    assert len(drawn(svg, "note")) == len(sounding)
    assert len(drawn(svg, "rest")) == len(symbols) - len(sounding)
    assert len(drawn(svg, "tie")) == sum(symbol.tied_to for symbol in symbols)
    assert len(drawn(svg, "measure")) == 2
    assert len(drawn(svg, "keyAccid")) == 3
    assert len(drawn(svg, "meterSig")) == 1
    assert len(drawn(svg, "beam")) == 1
    assert "A melody" in text(svg)
    assert "♩ = 93" in " ".join(text(svg).split())


def test_the_tempo_stands_over_the_clef_where_no_note_is(pictures):
    for svg in pictures:
        left, top = map(int, re.search(r'd="M(\d+) (\d+)H', svg).groups())
        ((mark,),) = drawn(svg, "tempo")
        assert int(mark.get("x")) == left
        assert int(mark.get("y")) < top


def test_notes_have_their_number_in_the_piece(pictures):
    numbers = [int(note.get("data-note")) for note in drawn(pictures[0], "note")]
    # The note over the bar line has several heads.
    assert sorted(set(numbers)) == list(range(6))
    assert numbers == sorted(numbers)
    assert numbers.count(4) > 1


def test_chords_tuplets_and_titles(pictures):
    svg = pictures[1]
    assert "A waltz <&>" in text(svg)
    harmony = ["".join("".join(one.itertext()).split()) for one in drawn(svg, "harm")]
    assert harmony == ["F♯", "Em"]
    assert len(drawn(svg, "tuplet")) == 1
    # No character of the music font is left in texts, which a reader would not have.
    assert not re.search("[\ue000-\uf8ff]", text(svg))
    assert "@font-face" not in svg


def test_pictures_fit_on_one_page(pictures):
    names = [set(re.findall(r'\sid="([^"]+)"', svg)) for svg in pictures]
    assert all(names)
    assert sum(map(len, names)) == len(set().union(*names))
    used = [set(re.findall(r'href="#([^"]+)"', svg)) for svg in pictures]
    assert all(glyphs <= own for glyphs, own in zip(used, names, strict=True))


def test_a_short_score_is_one_narrow_system_and_a_long_one_has_several():
    short, long = svg_of(
        [render_score(MELODY), render_score(MELODY * 8, RenderSettings(title="Long"))]
    )
    assert len(drawn(short, "system")) == 1
    assert len(drawn(long, "system")) > 1
    widths = [int(re.search(r'viewBox="0 0 (\d+)', svg)[1]) for svg in (short, long)]
    assert widths[0] < widths[1] == 840


def test_paths_are_read_as_documents_are(tmp_path, pictures):
    path = tmp_path / "tune.musicxml"
    path.write_text(render_musicxml(SHEET), encoding="utf-8")
    (svg,) = svg_of([path])
    assert len(drawn(svg, "note")) == len(drawn(pictures[1], "note"))
    assert svg_of([]) == []
    with pytest.raises(UserError, match="cannot read the score"):
        svg_of([tmp_path / "none.musicxml"])


def test_what_cannot_be_engraved_is_named(monkeypatch):
    good = render_score(MELODY)
    with pytest.raises(UserError, match="score 2 of 2 is not MusicXML"):
        svg_of([good, "X:1\nK:C\nabc|"])
    with pytest.raises(UserError, match="cannot engrave score 2 of 3"):
        svg_of([good, "<score-partwise", good])
    monkeypatch.setattr(engraving, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(engraving, "SECONDS_EACH", 0.0)
    with pytest.raises(UserError, match="took more than"):
        svg_of([good])
    monkeypatch.undo()
    assert len(svg_of([good])) == 1, "by another process"


def test_no_file_is_left_where_the_last_picture_fails(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(UserError, match="pip install resvg_py"):
        write_melodies([MELODY], tmp_path, ["mid", "png"])
    assert list(tmp_path.iterdir()) == []


def test_png_is_dark_on_white(pictures):
    image = matplotlib.image.imread(io.BytesIO(png_of(pictures[1])), format="png")
    height, width = (int(n) for n in re.search(r'viewBox="0 0 (\d+) (\d+)', pictures[1]).groups())
    assert image.shape[:2] == (2 * width, 2 * height)
    dark = (image[..., :3].mean(axis=2) < 0.5).mean()
    assert 0.01 < dark < 0.2
    assert np.all(image[0, 0, :3] == 1)


@pytest.mark.parametrize(
    ("missing", "suffix"), [("verovio", "svg"), ("midirenderer", "ogg"), ("resvg_py", "png")]
)
def test_a_missing_package_is_one_line(missing, suffix, tmp_path):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from seqtutor.cli.main import main\n"
        f"sys.argv = ['seqtutor', 'sample', 'melody', '--number', '1', '--formats', {suffix!r}, "
        f"'--output', {str(tmp_path / 'out')!r}]\n"
        "sys.exit(main())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 2
    lines = found.stderr.strip().splitlines()
    assert [line for line in lines if line.startswith("seqtutor: ")] == lines[-1:]
    assert "Traceback" not in found.stderr
    assert f"pip install {missing}" in lines[-1]
    assert not (tmp_path / "out").exists()
