"""A tune with an upbeat has its chords on the beat, also when nobody tells its bars."""

from dataclasses import replace
from fractions import Fraction

import pytest

from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.folk.midi import read_midi_file
from seqtutor.tasks.folk.model import with_implied_bars
from seqtutor.tasks.melody.folder import read_melody_file
from seqtutor.tasks.scores.lead_sheet_bars import score_of
from seqtutor.tasks.scores.notation import bar_length
from written import write_lead_sheet

HEAD = "X:1\nT:{}\nM:{}\nL:1/8\nK:G\n"
TUNES = {
    "reel": ((4, 4), 1, 'D2|"G"G2BG "D7"A2cA|"G"B>d"Em"g2 "C"e4|"D7"d2cA G2FE|"G"G6|]'),
    "jig": ((6, 8), Fraction(1, 2), 'D|"G"GBd gdB|"C"c3 "D"d2e|"D7"fed cBA|"G"G3 G2|]'),
    "waltz": ((3, 4), 1, 'D2|"G"G2B2d2|"C"e4c2|"D7"d2c2A2|"G"G4|]'),
    "dotted": ((4, 4), Fraction(3, 4), 'D/D|"G"G2BG "D7"A2cA|"G"B>dg2 e4|"D"d8|"G"G6|]'),
    "without": ((4, 4), 0, '"G"G2BG "D7"A2cA|"G"B>d"Em"g2 "C"e4|"G"G8|]'),
}


def sheet_of(name):
    meter, pickup, music = TUNES[name]
    (sheet,), _ = read_abc(HEAD.format(name, f"{meter[0]}/{meter[1]}") + music + "\n", "tune")
    assert (sheet.meter, sheet.pickup) == (meter, pickup)
    return sheet


@pytest.mark.parametrize("name", TUNES)
def test_midi_keeps_the_upbeat(name, tmp_path):
    sheet = sheet_of(name)
    path = write_lead_sheet(sheet, tmp_path / "tune.mid")
    (again,), _ = read_midi_file(path)
    assert (again.meter, again.pickup) == (sheet.meter, sheet.pickup)
    assert again.music == sheet.music
    # The reader of melodies sees the same bars.
    for suffix in (".mid", ".musicxml", ".abc"):
        (tune,), _ = read_melody_file(write_lead_sheet(sheet, tmp_path / f"tune{suffix}"))
        assert (tune.meter, Fraction(tune.pickup, 4)) == (sheet.meter, sheet.pickup), suffix


@pytest.mark.parametrize("name", TUNES)
def test_chords_tell_metre_and_upbeat(name):
    sheet = sheet_of(name)
    bare = replace(sheet, meter=None, pickup=Fraction(0))
    assert with_implied_bars(bare) == sheet
    assert with_implied_bars(sheet) is sheet
    without = replace(bare, chords=())
    assert with_implied_bars(without) is without
    score = score_of(with_implied_bars(bare), 120)
    assert score.bars[0].length == (sheet.pickup or bar_length(sheet.meter))
    first = score.bars[1 if sheet.pickup else 0]
    assert first.chords[0].start == 0
    assert first.chords[0].text == "G"
