"""Every tokenisation undoes itself, and makes sense of anything that a model may write."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lead_sheets import lead_sheets, tunes

from seqtutor.errors import UserError
from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.folk.interleaved import InterleavedToken
from seqtutor.tasks.folk.joint import JointToken
from seqtutor.tasks.folk.tokenisation import CENTRE, to_one_key
from seqtutor.tasks.folk.tokenisations import TOKENISATIONS, tokenisation_named
from seqtutor.tasks.scores.keys import Key
from seqtutor.tasks.scores.lead_sheet import LeadSheet

every_tokenisation = pytest.mark.parametrize(
    "tokenisation", TOKENISATIONS.values(), ids=TOKENISATIONS
)
EXAMPLE = 'X:1\nM:4/4\nL:1/4\nK:G\nd | "G"g2 (3b/a/g/ "D7"a2-|"G"a z3|]\n'


def written(name: str) -> list[str]:
    sheets, _ = read_abc(EXAMPLE, "example")
    return [str(token) for token in TOKENISATIONS[name].encode(sheets[0])]


def test_joint_tokens_worked_out_by_hand() -> None:
    # The harmony rests during the upbeat; the chords' durations are their own.
    assert written("joint") == [
        "1 5 3 | 1 - -",
        "2 5 8 | 3 4.3.3 2.7.11",
        "1/3 5 12 | 0 - -",
        "1/3 5 10 | 0 - -",
        "1/3 5 8 | 0 - -",
        "3 5 10 | 2 4.3.3.3 0.2.6.9",
        "0 0 0 | 4 4.3.3 2.7.11",
        "3 0 0 | 0 - -",
    ]


def test_interleaved_tokens_worked_out_by_hand() -> None:
    # In C, a fifth lower; the long note is held while the chord changes.
    assert written("interleaved") == [
        "note 67 1",
        "chord 48.52.55",
        "note 72 2",
        "note 76 1/3",
        "note 74 1/3",
        "note 72 1/3",
        "chord 55.59.62.65",
        "note 74 2",
        "chord 48.52.55",
        "hold 1",
        "rest 3",
    ]


def assert_inverts(tokenisation, sheet: LeadSheet) -> None:
    tokens = tokenisation.encode(sheet)
    decoded = tokenisation.decode(tokens)
    assert decoded.music == tokenisation.prepare(sheet).music
    assert tokenisation.encode(decoded) == tokens
    assert [tokenisation.parse(str(token)) for token in tokens] == list(tokens)


@every_tokenisation
@pytest.mark.parametrize("sheet", tunes(), ids=lambda sheet: sheet.title)
def test_tunes_are_inverted_exactly(tokenisation, sheet: LeadSheet) -> None:
    assert_inverts(tokenisation, sheet)


@every_tokenisation
@given(lead_sheets())
@settings(max_examples=100, deadline=None)
def test_any_lead_sheet_is_inverted_exactly(tokenisation, sheet: LeadSheet) -> None:
    assert_inverts(tokenisation, sheet)


@every_tokenisation
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_tokens_are_read(tokenisation, data) -> None:
    known = sorted({token for sheet in tunes() for token in tokenisation.encode(sheet)}, key=str)
    tokens = data.draw(st.lists(st.sampled_from(known), max_size=40))
    sheet = tokenisation.decode(tokens)
    again = tokenisation.decode(tokenisation.encode(sheet))
    assert again.music == tokenisation.prepare(sheet).music
    spans = tokenisation.spans(tokens)
    begun = {s[0]: tokenisation.melody(t) for s, t in zip(spans, tokens, strict=True) if s}
    assert [begun[note.onset] for note in sheet.notes] == [note.pitch for note in sheet.notes]


@given(lead_sheets())
@settings(max_examples=60, deadline=None)
def test_no_rest_is_longer_than_four_quarters(sheet: LeadSheet) -> None:
    for token in TOKENISATIONS["joint"].encode(sheet):
        assert token.melody_class or token.melody_duration <= 4
        assert token.chord_classes or token.chord_duration <= 4


@given(lead_sheets())
@settings(max_examples=60, deadline=None)
def test_one_key(sheet: LeadSheet) -> None:
    moved = to_one_key(sheet)
    assert moved.key.relative_major == 0
    assert moved.key.mode == sheet.key.mode
    assert to_one_key(moved) == moved
    shifts = {a.pitch - b.pitch for a, b in zip(moved.notes, sheet.notes, strict=True)}
    assert len(shifts) <= 1
    if sheet.notes:
        weight = sum(note.duration for note in moved.notes)
        mean = sum(note.duration * note.pitch for note in moved.notes) / weight
        pitches = [note.pitch for note in moved.notes]
        octaves = [12 * n for n in range(-10, 11)]
        fitting = [n for n in octaves if min(pitches) + n >= 0 and max(pitches) + n <= 127]
        nearest = min(abs(mean + octave - CENTRE) for octave in fitting)
        assert abs(mean - CENTRE) <= nearest + Fraction(1, 10**6)
    for before, after in zip(sheet.chords, moved.chords, strict=True):
        assert before.pitches[0] // 12 == after.pitches[0] // 12
        steps = {(a - b) % 12 for a, b in zip(after.pitches, before.pitches, strict=True)}
        assert steps == {(moved.key.tonic - sheet.key.tonic) % 12}


@given(lead_sheets(pitches=st.integers(60, 80)), st.integers(-6, 6))
@settings(max_examples=60, deadline=None)
def test_the_same_tune_in_another_key_gives_the_same_tokens(sheet: LeadSheet, shift: int) -> None:
    # Up to the octave, which is chosen by the mean pitch and may tip over on a tie.
    moved = sheet.transposed(shift)
    for name in ("joint-transposed", "interleaved"):
        tokenisation = TOKENISATIONS[name]
        assert tokenisation.encode(moved) == tokenisation.encode(sheet)


def test_the_published_special_cases() -> None:
    rest, nothing = JointToken(Fraction(1, 2)), JointToken()
    assert str(rest) == "1/2 0 0 | 0 - -"
    assert str(nothing) == "0 0 0 | 0 - -"
    middle_c = JointToken(Fraction(1), 4, 1)
    assert middle_c.pitch == 60  # and not a semitone more
    assert JointToken(Fraction(1), 3, 12).pitch == 59
    assert JointToken(Fraction(1), 20, 14).pitch is None


def test_decoding_worked_out_by_hand() -> None:
    joint = TOKENISATIONS["joint"]
    chord = (3, 3, 3), (0, 4, 7)
    sheet = joint.decode(
        [
            JointToken(),  # time stands still
            JointToken(Fraction(1), 5, 1, Fraction(2), *chord),
            JointToken(),  # the melody is silent for a quarter
            JointToken(Fraction(4), 5, 3, Fraction(1), *chord),
            JointToken(Fraction(1), 5, 5),  # cuts the note of four quarters short
        ]
    )
    assert [(n.onset, n.duration, n.pitch) for n in sheet.notes] == [
        (0, 1, 72),
        (2, 1, 74),
        (3, 1, 76),
    ]
    assert [(c.onset, c.duration) for c in sheet.chords] == [(0, 2), (2, 1)]
    assert sheet.length == 4
    interleaved = TOKENISATIONS["interleaved"]
    sheet = interleaved.decode(
        [
            InterleavedToken("hold", Fraction(1)),
            InterleavedToken("chord", pitches=(48, 52)),
            InterleavedToken("chord", pitches=(50, 53)),
            InterleavedToken("note", Fraction(1), (60,)),
            InterleavedToken("hold", Fraction(1)),
            InterleavedToken("no-chord"),
            InterleavedToken("rest", Fraction(1)),
        ]
    )
    assert [(n.onset, n.duration, n.pitch) for n in sheet.notes] == [(1, 2, 60)]
    assert [(c.onset, c.duration, c.pitches) for c in sheet.chords] == [(1, 2, (50, 53))]
    assert sheet.length == 4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("joint", "nonsense"),
        ("joint", "1 5 3"),
        ("joint", "1/0 5 3 | 0 - -"),
        ("joint", "-1 5 3 | 0 - -"),
        ("joint", "1 5 3 | 1 3.3 0.4.7"),
        ("interleaved", "note 60"),
        ("interleaved", "note 200 1"),
        ("interleaved", "note 60 0"),
        ("interleaved", "rest 1 2"),
        ("interleaved", "chord"),
        ("interleaved", "trill 60 1"),
    ],
)
def test_names_that_are_no_tokens(name: str, text: str) -> None:
    with pytest.raises(UserError, match="is not a token of the"):
        TOKENISATIONS[name].parse(text)


def test_an_unknown_tokenisation() -> None:
    with pytest.raises(UserError, match="joint-transposed"):
        tokenisation_named("pairs")


def test_the_key_of_what_is_decoded() -> None:
    sheet = tunes()[0]
    decoded = [t.decode(t.encode(sheet)) for t in TOKENISATIONS.values()]
    assert [each.key for each in decoded] == [Key(7), Key(0), Key(0)]
