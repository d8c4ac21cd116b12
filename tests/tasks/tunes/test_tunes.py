"""Phrases: read, written as tokens, laid out, judged, and written for people."""

from __future__ import annotations

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.data import pad
from seqtutor.errors import UserError
from seqtutor.rewards import Reward, compiled
from seqtutor.rewards.causality import require_causal
from seqtutor.tasks.scores.lead_sheet_files import render_abc
from seqtutor.tasks.tunes.exhibits import _marks
from seqtutor.tasks.tunes.layout import SLOTS, UNITS_PER_SLOT, lay_out
from seqtutor.tasks.tunes.measures import tune_estimates, tune_values
from seqtutor.tasks.tunes.phrase import Event, lead_sheet_of, length_of, units_in_bar
from seqtutor.tasks.tunes.reader import read_abc
from seqtutor.tasks.tunes.reward import FormReward
from seqtutor.tasks.tunes.rules import RULES
from seqtutor.tasks.tunes.sections import Cutting
from seqtutor.tasks.tunes.timing import meanings_of, spans_of
from seqtutor.tasks.tunes.tokens import (
    BAR,
    END,
    is_bar,
    phrase_of,
    table_of,
    tokens_of,
    vocabulary_of,
)
from seqtutor.types import SequenceBatch

JIG = """X:1
T:A jig with an upbeat, in G
M:6/8
L:1/8
K:G
D|GAB AGE|GED G2A|BcB AGA|BGE E2D|GAB AGE|GED G2A|BcB AGA|BGF G2:|
|:d|ded BAG|ded B2d|e2 (3efgfe|dBG A2 G-|GAB AGE|GED G2A|BcB AGA|BGF G2:|
"""
PERIOD = (
    "2/2 major | C5:1 E5:1 G5:1 E5:1 | F5:1 D5:1 B4:2 | =1 | A4:1 F4:1 D5:2 "
    "| =1 | =2 | =1 | D5:1 B4:1 C5:2"
)
LENGTH = 96
PITCHES = ["G3", "C4", "D4", "E4", "F4", "G4", "A4", "B4", "C5", "D5", "E5", "F5", "G5", "A5"]


def tokens(text: str) -> list[str]:
    """The tokens of a text in which bars have no numbers; a ninth bar can only be called `|8`."""
    numbers = itertools.chain(range(1, 9), itertools.repeat(8))
    return [f"{BAR}{next(numbers)}" if token == BAR else token for token in text.split()]


def text_of(phrase) -> str:
    """A phrase as such a text."""
    return " ".join(BAR if is_bar(token) else token for token in tokens_of(phrase))


def phrases_of_jig():
    tunes, report = read_abc(JIG, "jig.abc", Cutting(8))
    assert report.usable == 1
    return tunes[0].phrases


EVENTS = [f"{name}:{length}" for name in PITCHES for length in ("1", "2", "3")]
VOCABULARY = vocabulary_of(
    [["tie:1", *EVENTS], *(tokens_of(phrase) for phrase in phrases_of_jig())], 8
)
ROWS = 32


def batch(*texts: str):
    """The tunes as arrays."""
    sequences = pad(VOCABULARY, LENGTH, map(tokens, texts), may_be_cut=True)
    return sequences.tokens, sequences.mask, VOCABULARY


def values(text: str) -> dict[str, float]:
    """What each rule gives; always of as many tunes, so that it is compiled once."""
    found = tune_values(*batch(*[text] * ROWS), 8)
    return {name: float(v[0]) for name, v in found.items()}


@pytest.fixture(scope="module")
def jig():
    return phrases_of_jig()


def test_the_tokens_of_a_jig(jig):
    """Each part once, with its upbeat, from G to C, the octave nearest to the middle."""
    assert len(jig) == 2
    assert text_of(jig[0]) == (
        "6/8 major G4:1/2 | C5:1/2 D5:1/2 E5:1/2 D5:1/2 C5:1/2 A4:1/2 | C5:1/2 A4:1/2 G4:1/2 "
        "C5:1 D5:1/2 | E5:1/2 F5:1/2 E5:1/2 D5:1/2 C5:1/2 D5:1/2 | E5:1/2 C5:1/2 A4:1/2 A4:1 "
        "G4:1/2 | =1 | =2 | =3 | E5:1/2 C5:1/2 B4:1/2 C5:1"
    )
    second = tokens_of(jig[1])
    assert [token for token in second if token.endswith(":1/3")] == ["A5:1/3", "B5:1/3", "C6:1/3"]
    # The note that sounds across the bar line goes on in the next bar.
    assert is_bar(second[second.index("tie:1/2") - 1])


def test_tokens_read_back_are_the_phrase(jig):
    for phrase in jig:
        assert phrase_of([*tokens_of(phrase), END]) == phrase
        full = units_in_bar(phrase.meter)
        assert phrase.lengths == [full] * 7 + [full - length_of(phrase.upbeat)]


def test_a_phrase_written_as_abc_reads_back_as_itself(jig):
    for phrase in jig:
        abc = render_abc(lead_sheet_of(phrase, 7))
        (again,), _ = read_abc(abc, "again.abc", Cutting(8))
        assert again.phrases == (phrase,)


def test_sections_that_are_no_phrases_are_left_out():
    """Nine bars; a bar that is too long; a metre without a token; a length without one."""
    nine = JIG.replace("|BGF G2:|", "|BGF G3|BGF G2:|")
    long = JIG.replace("GED", "GEDD")
    other = JIG.replace("M:6/8", "M:5/8")
    short = JIG.replace("GED", "G/16G/16G/16G/16G3/4ED")
    for text in (nine, long, other, short):
        tunes, report = read_abc(text, "a.abc", Cutting(8))
        assert not tunes
        assert sum(report.dropped.values()) == 1


BARS = "d2A F2A|B2A FED|d2A F2A|B2A AFD|d2A F2A|B2A FED|E2E EFE"


@pytest.mark.parametrize(
    "body",
    [
        f"|:A|{BARS}|D3 D2:|",
        f"A|:{BARS}|D3 D2A:|",
        f"A|:{BARS}|[1 D3 D2A:|[2 D3 D2||",
        f"A|{BARS}|D3 D2A|{BARS}|D3 D2|]",
    ],
)
def test_an_upbeat_is_one_wherever_it_is_written(body):
    (read,), report = read_abc(f"X:1\nM:6/8\nL:1/8\nK:D\n{body}\n", "a.abc", Cutting(8))
    (phrase,) = read.phrases
    assert [event.pitch for event in phrase.upbeat] == [phrase.bars[0][1].pitch]
    assert [event.duration for event in phrase.bars[-1]] == [36, 24]
    assert not report.dropped


def test_a_last_bar_that_is_full_without_an_upbeat_stays_whole():
    text = f"X:1\nM:6/8\nL:1/8\nK:D\nA|:{BARS}|[1 D3 D2A:|[2 D2D DDD||\n"
    (read,), _ = read_abc(text, "a.abc", Cutting(8))
    assert {len(phrase.bars[-1]) for phrase in read.phrases} == {2, 5}


def test_two_sections_of_four_bars_are_joined():
    tune = "X:1\nM:2/4\nL:1/8\nK:C\n|:E|cdec|dBGB|cdec|d2B:|\n|:G|cGcd|efed|cBAB|c2c:|\n"
    (read,), _ = read_abc(tune, "a.abc", Cutting(8))
    (phrase,) = read.phrases
    assert phrase.lengths == [48] * 7 + [36]
    assert phrase.upbeat == (Event(12, 64),)
    assert phrase.bars[3][-1] == Event(12, 67)  # The upbeat of the second part.


@jax.jit
def compiled_layout(rows, mask):
    return lay_out(rows, mask, table_of(VOCABULARY), 8)


def slots_of(text: str) -> np.ndarray:
    """What sounds in each slot, slowly and from the lead sheet."""
    phrase = phrase_of(tokens(text))
    sheet = lead_sheet_of(phrase)
    pitches = np.zeros((8, SLOTS), int)
    start = length_of(phrase.upbeat)
    for bar, length in enumerate(phrase.lengths):
        for slot in range(min(SLOTS, length // UNITS_PER_SLOT)):
            time = Fraction(start + slot * UNITS_PER_SLOT + UNITS_PER_SLOT - 1, 24)
            for note in sheet.notes:
                if note.onset <= time < note.end:
                    pitches[bar, slot] = note.pitch
        start += length
    return pitches


def test_the_layout_is_what_sounds(jig):
    texts = [*(text_of(phrase) for phrase in jig), PERIOD]
    rows, mask, _ = batch(*texts)
    layout = compiled_layout(rows, mask)
    for row, text in enumerate(texts):
        lengths = np.asarray(layout.lengths)[row]
        within = np.arange(SLOTS) * UNITS_PER_SLOT < lengths[:, None]
        np.testing.assert_array_equal(
            np.where(within, np.asarray(layout.pitch)[row], 0), slots_of(text)
        )
    np.testing.assert_array_equal(layout.last_pitch, [72, 72, 72])
    np.testing.assert_array_equal(layout.last_units, [24, 24, 48])
    np.testing.assert_array_equal(layout.faults, 0)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (PERIOD, 0),
        (PERIOD.replace("D5:2", "D5:1"), 1),
        (PERIOD.replace("| =1 | =2", "| =1"), 1),
        (f"{PERIOD} | C5:2 C5:2", 2),  # Nine bars, of which the last has the number of another.
        (PERIOD.replace("B4:2", "B4:2 =1"), 1),
        (PERIOD.replace("| =2", "| =7"), 2),  # No earlier bar, and so an empty one.
        (PERIOD.replace("2/2 major", "major 2/2"), 1),
        (PERIOD.replace("major |", "major C5:2 C5:2 |"), 1),
        (PERIOD.replace("| C5:1 E5:1", "| tie:1 E5:1"), 1),
    ],
)
def test_faults_are_counted(text, faults):
    assert values(text)["faulty_bars"] == faults


def test_a_tune_without_an_end_has_a_fault():
    text = PERIOD + " C5:1" * (LENGTH - len(tokens(PERIOD)))
    assert values(text)["faulty_bars"] == 2  # The last bar is too long as well.


def test_a_bar_with_another_number_is_a_fault():
    read = tokens(PERIOD)
    read[read.index("|6")] = "|5"
    numbered = pad(VOCABULARY, LENGTH, [read] * ROWS, may_be_cut=True)
    found = tune_values(numbered.tokens, numbered.mask, VOCABULARY, 8)
    assert found["faulty_bars"].tolist() == [1] * ROWS


def test_a_period_has_the_form_of_a_period():
    found = values(PERIOD)
    assert found["phrase_returns"] == 1
    assert found["bar_returns"] == 4 / 8
    assert found["half_cadence"] == found["tonic_close"] == found["long_close"] == 1
    assert found["repeatable"] == 1
    # Bars 4 and 8 have the rhythm of bar 2, bars 3, 5 and 7 that of bar 1, and bar 6 is bar 2.
    assert found["rhythm_returns"] == 6 / 8
    # All but the second, fourth and last bar are chords of C; F–D–B is none, A–F–D is one of D.
    assert found["one_harmony"] == pytest.approx(5 / 8)


@pytest.mark.parametrize(
    ("rule", "old", "new", "expected"),
    [
        ("tonic_close", "D5:1 B4:1 C5:2", "D5:1 B4:1 E5:2", 0),
        ("tonic_close", "2/2 major", "2/2 minor", 0),
        ("long_close", "D5:1 B4:1 C5:2", "D5:3 C5:1", 0),
        ("repeatable", "2/2 major |", "2/2 major G4:1 |", 0),
        ("repeatable", "D5:1 B4:1 C5:2", "D5:1 B4:1 C5:1", 0),
        ("half_cadence", "A4:1 F4:1 D5:2", "A4:1 F4:1 C5:2", 0),
        ("half_cadence", "A4:1 F4:1 D5:2", "A4:1 F4:1 G4:2", 1),
        # The sixth bar sounds as the second for half of its time.
        ("phrase_returns", "| =1 | =2 |", "| =1 | F5:1 D5:1 C5:2 |", 2 / 3),
        ("varied_returns", "| =1 | =2 |", "| =1 | F5:1 D5:1 C5:2 |", 1 / 3),
        ("varied_returns", "| =1 | =2 |", "| =1 | F5:1 E5:1 C5:2 |", 0),
        ("sequences", "F5:1 D5:1 B4:2", "D5:1 F5:1 A5:1 F5:1", 4 / 8),
        ("sequences", "F5:1 D5:1 B4:2", "D5:1 F5:1 G5:1 F5:1", 0),
        ("usual_range", "F5:1 D5:1 B4:2", "F5:1 D5:1 G3:2", 0),
    ],
)
def test_what_a_rule_tells_apart(rule, old, new, expected):
    changed = PERIOD.replace(old, new)
    assert changed != PERIOD
    assert values(changed)[rule] == pytest.approx(expected)


def test_a_tune_with_an_upbeat_can_be_played_again_if_its_last_bar_leaves_it_out():
    with_upbeat = PERIOD.replace("2/2 major |", "2/2 major G4:1 |")
    assert values(with_upbeat.replace("D5:1 B4:1 C5:2", "D5:1 B4:1 C5:1"))["repeatable"] == 1


def test_a_half_that_rises_and_falls_is_an_arch():
    arch = "3/4 major | C4:3 | E4:3 | G4:3 | D4:3 | C4:3 | B4:3 | A4:3 | C4:3"  # two arches
    assert values(arch)["arch"] == 1
    assert values(arch.replace("E4:3 | G4:3", "C4:3 | C4:3"))["arch"] == 0.5


def test_what_a_step_is_paid_does_not_depend_on_what_follows(jig):
    texts = [text_of(phrase) for phrase in jig] + [PERIOD]
    texts += [PERIOD.replace("=2", "=1")] * (ROWS - len(texts))
    rows, mask, vocabulary = batch(*texts)
    form = FormReward(vocabulary, 8)
    reward = Reward(compiled(jax.jit(lambda t, m: form(t, m))))
    sequences = SequenceBatch(jnp.asarray(rows), jnp.asarray(mask))
    # Twice as many sequences as pairs.
    require_causal(reward, vocabulary, LENGTH, sequences=sequences, pairs=ROWS // 2, seed=1)
    paid = reward(rows, mask)
    whole = tune_values(rows, mask, vocabulary, 8)
    for name in RULES:
        np.testing.assert_allclose(paid.terms[name].sum(axis=1), whole[name], atol=1e-6)


def test_openings_and_rhythms_are_counted_over_tunes():
    other = PERIOD.replace("C5:1 E5:1 G5:1", "C5:1 E5:1 A5:1")
    third = PERIOD.replace("C5:1 E5:1", "G4:2")
    found = tune_estimates(*batch(PERIOD, other, third), 8)
    # The beat of 2/2 is a half note: C and E.
    assert found["commonest_first_beat"].value == pytest.approx(2 / 3)
    assert found["commonest_first_four"].value == pytest.approx(1 / 3)
    assert found["distinct_rhythms"].value == pytest.approx(2 / 3)
    assert found["whole"].value == 1
    assert found["major"].value == 1
    assert found["in_the_scale"].value == 1


def test_each_note_of_a_page_has_a_mark(jig):
    for text in (PERIOD, *(text_of(phrase) for phrase in jig)):
        sheet = lead_sheet_of(phrase_of(tokens(text)))
        marks, of_notes = _marks(tokens(text), sheet.key, 0)
        assert len(of_notes) == len(sheet.notes)
        assert marks[-1].label == END
        assert [tokens(text)[mark.first] for mark in marks[:-1]]


def test_shading_lies_behind_the_note_that_was_written():
    """Also where a copy takes the place of notes, and a bar is copied that is not there."""
    for text in (PERIOD, "6/8 minor D4:1 | C4:1 tie:1 D4:2 | =1 C5:1 | E4:2 =1 | =7 G4:1"):
        ids = VOCABULARY.encode(tokens(text))
        meanings, spans = meanings_of(VOCABULARY, 2), spans_of(ids, VOCABULARY)
        sheet = lead_sheet_of(phrase_of(tokens(text)), 2)
        marks, of_notes = _marks(tokens(text), sheet.key, 2)
        told = 0
        for note, place in zip(sheet.notes, of_notes, strict=True):
            step = marks[place].first
            assert spans[step] is not None
            if isinstance(meanings[ids[step]], int):
                assert (spans[step][0], meanings[ids[step]]) == (note.onset, note.pitch)
                told += 1
        assert told > 3


def test_a_token_that_is_none_of_a_tune_is_told():
    for wrong in ("H4:1/2", "C4:0", "C4:1/7", "C4"):
        with pytest.raises(UserError, match="no token of a tune"):
            phrase_of([wrong])
