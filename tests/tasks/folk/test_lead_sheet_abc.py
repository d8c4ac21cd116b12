"""Lead sheets from ABC, worked out by hand: times in quarter notes."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lead_sheets import tunes

from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.lead_sheet import Chord, LeadSheet, MelodyNote

C, G, AM, D7 = (48, 52, 55), (55, 59, 62), (57, 60, 64), (50, 54, 57, 60)


def read(body: str, key: str = "C", meter: str = "4/4") -> LeadSheet:
    sheets, report = read_abc(f"X:1\nT:Test\nM:{meter}\nL:1/4\nK:{key}\n{body}\n", "test.abc")
    assert report.usable == len(sheets) == 1, report
    return sheets[0]


def chords(body: str, **fields: str) -> list[tuple[Fraction, Fraction, tuple[int, ...]]]:
    return [(c.onset, c.duration, c.pitches) for c in read(body, **fields).chords]


def test_a_chord_lasts_to_the_next_symbol_or_the_end() -> None:
    assert chords('c "C"e g "G"b | d2 "Am"c2') == [(1, 2, C), (3, 3, G), (6, 2, AM)]


def test_a_symbol_that_is_written_again_strikes_the_chord_again() -> None:
    assert chords('"C"c4 | "C"e4') == [(0, 4, C), (4, 4, C)]


def test_chords_between_the_notes_need_a_tie() -> None:
    sheet = read('"C"c2-"G"c2- | "Am"c c3')
    assert [(n.onset, n.duration, n.pitch) for n in sheet.notes] == [(0, 5, 72), (5, 3, 72)]
    assert [(c.onset, c.duration) for c in sheet.chords] == [(0, 2), (2, 2), (4, 4)]


def test_no_chord_is_silence() -> None:
    assert chords('"C"c2 "N.C."z2 | "G"d4') == [(0, 2, C), (4, 4, G)]


@pytest.mark.parametrize(
    "text",
    [
        "w: nobody sings o-\n+: ther words than these in public",
        "%%begintext\nThis was written by somebody who is not known.\n%%endtext",
        "V:2\nkkkk iiii nnnn",
    ],
)
def test_words_beside_a_tune_are_passed_over(text):
    words, plain = (read_abc(f"X:1\nK:C\nV:1\nceg\n{one}\n", "a.abc") for one in (text, ""))
    assert words[0][0].notes == plain[0][0].notes
    assert not words[1].dropped


@pytest.mark.parametrize(
    ("body", "is_music"),
    [
        ("This is prose, not music: a fiddle and a bag of chaff.", False),
        ("T[V:2] This is prose that nobody plays", False),
        ('HcTd uevM~f yy Lg | PgSOa !trill!a "Am"b k', True),
    ],
)
def test_prose_is_no_tune_though_its_letters_are_notes(body, is_music):
    sheets, report = read_abc(f"X:1\nK:C\n{body}\n", "test.abc")
    assert report.dropped == ({} if is_music else {"more text than music": 1})
    assert len(sheets) == is_music


def test_repeats_repeat_their_chords() -> None:
    assert chords('|: "C"c4 |1 "G"d4 :|2 "Am"e4 |]') == [
        *((0, 4, C), (4, 4, G)),
        *((8, 4, C), (12, 4, AM)),
    ]


def test_triplets_are_exact() -> None:
    sheet = read('"C"(3c/d/"G"e/ f')
    third = Fraction(1, 3)
    assert [n.onset for n in sheet.notes] == [0, third, 2 * third, 1]
    assert [(c.onset, c.duration) for c in sheet.chords] == [(0, 2 * third), (2 * third, 4 * third)]
    assert sheet.length == 2


def test_chords_of_broken_rhythm_rests_and_bracketed_notes() -> None:
    assert chords('c>"G"d "C"z "Am"[ce]') == [
        (Fraction(3, 2), Fraction(1, 2), G),
        (2, 1, C),
        (3, 1, AM),
    ]


def test_other_texts_are_no_chords() -> None:
    text = 'X:1\nK:C\n"^loud"c "Solo"d "C"e "<4"f "H"g\n'
    sheets, report = read_abc(text, "test")
    assert [c.pitches for c in sheets[0].chords] == [C]
    assert report.noted == {"texts above the notes that name no chord": 2}


def test_da_capo_plays_the_chords_again() -> None:
    assert chords('"C"c4 !fine!| "G"d4 "D.C."|]') == [(0, 4, C), (4, 4, G), (8, 4, C)]


def test_metadata() -> None:
    reel, jig, waltz, plain, _ = tunes()
    assert (reel.key, reel.meter, reel.pickup) == (Key(7), (4, 4), 1)
    assert reel.length == 1 + 2 * 4 + 3 + 1 + 2 * 4 + 4
    assert (jig.key, jig.meter, jig.pickup, jig.index) == (Key(9, "minor"), (6, 8), 0, 1)
    assert waltz.notes[4] == MelodyNote(Fraction(2), Fraction(3), 74)
    assert waltz.chords[0] == Chord(Fraction(0), Fraction(2), (58, 62, 65))
    assert plain.chords == ()
    assert plain.notes[0].onset == Fraction(1, 2)
    assert {sheet.source for sheet in tunes()} == {"tunes.abc"}


def test_what_is_simplified_or_dropped_is_counted() -> None:
    _, report = read_abc("X:1\nK:C\n(3cde\n\nX:2\nK:?\nc\n\nX:3\nK:C\nz4\n", "test")
    assert report.dropped == {"unreadable key": 1, "no notes": 1}
    assert report.noted == {"with tuplets": 1, "without chord symbols": 1}


@pytest.mark.parametrize(
    "change",
    [
        {
            "notes": (
                MelodyNote(Fraction(0), Fraction(2), 60),
                MelodyNote(Fraction(1), Fraction(2), 60),
            )
        },
        {"notes": (MelodyNote(Fraction(0), Fraction(0), 60),)},
        {"notes": (MelodyNote(Fraction(0), Fraction(5), 60),)},
        {"notes": (MelodyNote(Fraction(0), Fraction(1), 128),)},
        {"chords": (Chord(Fraction(0), Fraction(1), ()),)},
        {"chords": (Chord(Fraction(0), Fraction(1), (60, 48)),)},
        {"chords": (Chord(Fraction(0), Fraction(1), (48, 60)),)},
    ],
)
def test_impossible_lead_sheets(change: dict) -> None:
    with pytest.raises(ValueError, match=r"overlaps|after|range|ascending"):
        LeadSheet(**({"notes": (), "chords": (), "length": Fraction(4)} | change))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ABCGabcgzZ|:[]()<>-123/,'^=_\"!+{}&~ \n%KVMLXymN.#7", max_size=200))
def test_garbage_never_raises(body: str) -> None:
    sheets, report = read_abc(f'X:1\nK:C\n"C"c{body}', "garbage")
    assert report.usable == len(sheets)
