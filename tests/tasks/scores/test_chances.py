"""The shading behind the notes of a roll: how probable a model found each of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seqtutor.tasks.scores.chances import LEVELS, Chances, chances_of, key_of_shading, shading
from seqtutor.tasks.scores.piano_roll import RollNote, piano_roll

STEPS, LOW = 8, 60
PITCHES = range(LOW, LOW + 12)


def chances(seed: int = 0, scale: float = 0.15) -> Chances:
    """Probabilities of twelve pitches, a hold and a rest at eight sixteenths."""
    found = np.random.default_rng(seed).dirichlet([scale] * 14, STEPS)
    spans = [(0.25 * step, 0.25) for step in range(STEPS)]
    return Chances(spans, PITCHES, found[:, :12], {"hold": found[:, 12], "rest": found[:, 13]})


def levels_of(svg: str, rows: int) -> np.ndarray:
    """The level of every square of the first group of a drawing, −1 for none: `row × step`."""
    group = re.search(r'<g class="chances".*?</g>', svg)
    assert group
    found = np.full((rows, STEPS), -1)
    for level, path in re.findall(r'class="chance-(\d)" d="([^"]*)"', group[0]):
        for x, row, width in re.findall(r"M([\d.]+) (\d+)h([\d.]+)v1h-[\d.]+", path):
            first, end = round(4 * float(x)), round(4 * (float(x) + float(width)))
            assert (found[int(row), first:end] == -1).all(), "no square is drawn twice"
            found[int(row), first:end] = int(level)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_every_square_has_the_shade_of_its_probability(seed):
    own = chances(seed)
    drawn = levels_of(shading(own, LOW, LOW + 11, 7.0, 26.0, 14.0), 12)
    # The highest pitch is the first row.
    expected = np.searchsorted(LEVELS, own.of_pitches.T[::-1], side="right") - 1
    assert (drawn == expected).all()


def test_what_is_no_note_has_a_row_with_its_name():
    svg = shading(chances(), LOW, LOW + 11, 7.0, 26.0, 14.0)
    assert re.findall(r"<text[^>]*>(\w+)</text>", svg) == ["hold", "rest"]
    assert svg.count('<g class="chances"') == 3


def test_a_roll_has_room_for_what_was_probable():
    certain = np.zeros((STEPS, 12))
    certain[3, 11] = LEVELS[1]
    own = Chances(chances().spans, [pitch + 24 for pitch in PITCHES], certain, {})
    assert own.likely == [LOW + 24 + 11]
    note = [RollNote(0, 1, LOW)]
    shaded = piano_roll(note, 2, 4, 1, 1, chances=own)
    drawn = levels_of(shaded.svg, 50)
    assert (drawn >= 0).sum() == 1
    assert "shaded by the probabilities of notes" in shaded.alt
    assert "chance" not in piano_roll(note, 2, 4, 1, 1).svg


def test_a_long_piece_has_lines_of_whole_bars_that_hold_all_of_it():
    """An upbeat and nine bars of four quarters, with a note over the end of the first line.

    The ninth bar is no line of its own.
    """
    notes = [RollNote(onset, 1.0, LOW + onset % 12) for onset in range(16)]
    notes += [RollNote(16, 4.0, LOW, 16), RollNote(36, 1.0, LOW)]
    spans = [(float(onset), 1.0) for onset in range(37)]
    own = Chances(spans, [LOW], np.full((37, 1), 0.5), {"rest": np.full(37, 0.5)})
    svg = piano_roll(notes, 37, 4, 1, 18.5, chances=own, upbeat=1).svg
    lines = re.findall(r'data-from="([\d.]+)" data-to="([\d.]+)"', svg)
    assert [tuple(map(float, one)) for one in lines] == [(0, 8.5), (8.5, 18.5)]
    assert re.findall(r">bar (\d)<", svg) == [str(number) for number in range(1, 10)]
    cut = [float(one) for one in re.findall(r'data-mark="16"[^>]* width="([\d.]+)"', svg)]
    (start, end) = re.search(r'data-start="([\d.]+)" data-end="([\d.]+)"', svg).groups()
    quarter = (float(end) - float(start)) / 17
    assert cut == pytest.approx([quarter - 0.8, 3 * quarter - 0.8], abs=0.1)
    widths = re.findall(r'class="chance-4" d="M0 \d+h(\d+)v1', svg)
    assert [int(one) for one in widths] == [17, 17, 20, 20], "of the pitch and of the rest"
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])
    assert width < 370, "letters of 9 units are read where a card is 300 pixels wide"


def test_tokens_of_one_meaning_count_together():
    probabilities = np.array([[0.5, 0.2, 0.1, 0.1, 0.1], [0.1, 0.1, 0.2, 0.3, 0.3]])
    own = chances_of(probabilities, [None, (2, 1)], [61, 60, 61, "rest", None])
    assert (own.spans, list(own.pitches)) == ([(2.0, 1.0)], [60, 61])
    assert own.of_pitches == pytest.approx(np.array([[0.1, 0.3]]))
    assert own.others["rest"] == pytest.approx(0.3)


def test_the_shading_takes_few_bytes():
    """Forty-eight of them have to fit on a page; two bars of the prior's have 2 KB."""
    flat = chances(scale=1.0)
    assert len(shading(flat, LOW, LOW + 11, 7.0, 26.0, 14.0)) < 4_000
    sure = chances(scale=0.01)
    assert len(shading(sure, LOW, LOW + 11, 7.0, 26.0, 14.0)) < 1_200


def test_the_key_names_every_level():
    key = key_of_shading()
    for level, least in enumerate(LEVELS):
        assert f"chance-{level}" in key.svg
        assert f">{100 * least:.0f} %<" in key.svg
        assert f"{100 * least:.0f} %" in key.alt
