"""The fields of ABC, each as the standard has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.tasks.scores.abc_fields import (
    parse_key_field,
    parse_part_order,
    parse_tempo,
    parse_unit,
)
from seqtutor.tasks.scores.keys import MODES, PITCH_CLASS_OF_LETTER, Key
from seqtutor.tasks.scores.measures import TICKS_PER_WHOLE, UnreadableTuneError


@pytest.mark.parametrize(
    ("field", "quarters"),
    [
        ("3/8=110", 165),
        ("1/4 = 90", 90),
        ('"Allegro" 1/2=100', 200),
        ("1/4 3/8=40", 100),
        ("120", 60),
        ("C=120", 60),
        ('"Slowly"', None),
        ("1/4=0", None),
        ("", None),
        ("3/0=4", None),
    ],
)
def test_a_tempo_counts_quarters(field, quarters):
    assert parse_tempo(field, TICKS_PER_WHOLE // 8) == quarters


@pytest.mark.parametrize(
    ("field", "key", "signature"),
    [
        ("C", Key(0), {}),
        ("Am", Key(9, "minor"), {}),
        ("A Minor", Key(9, "minor"), {}),
        ("AMin", Key(9, "minor"), {}),
        ("EM", Key(4), {"F": 1, "C": 1, "G": 1, "D": 1}),
        ("Bb", Key(10), {"B": -1, "E": -1}),
        ("Edor", Key(4, "dorian"), {"F": 1, "C": 1}),
        ("A Mixolydian", Key(9, "mixolydian"), {"F": 1, "C": 1}),
        ("AMix", Key(9, "mixolydian"), {"F": 1, "C": 1}),
        ("G lydian", Key(7, "lydian"), {"F": 1, "C": 1}),
        ("Bphr", Key(11, "phrygian"), {"F": 1}),
        ("Bloc", Key(11, "locrian"), {}),
        ("F#m", Key(6, "minor"), {"F": 1, "C": 1, "G": 1}),
        ("Caeo", Key(0, "minor"), {"B": -1, "E": -1, "A": -1}),
        ("D ion", Key(2), {"F": 1, "C": 1}),
        ("H", Key(11), {"F": 1, "C": 1, "G": 1, "D": 1, "A": 1}),
        ("Es", Key(3), {"B": -1, "E": -1, "A": -1}),
        ("Bn", Key(11), {"F": 1, "C": 1, "G": 1, "D": 1, "A": 1}),
        ("Dmix=c", Key(2, "mixolydian"), {"F": 1, "C": 0}),
        ("D exp ^f", Key(2), {"F": 1}),
        ("D =c _b", Key(2), {"F": 1, "C": 0, "B": -1}),
        ("Hp", Key(9, "mixolydian"), {"F": 1, "C": 1}),
        ("HP", Key(9, "minor"), {}),
        ("G clef=treble", Key(7), {"F": 1}),
        ("", None, {}),
        ("none", None, {}),
        ("^f _b", None, {"F": 1, "B": -1}),
        ("G treble-8", Key(7), {"F": 1}),
        ("Ddor clef=bass middle=d stafflines=5", Key(2, "dorian"), {}),
        ("E octave=-1", Key(4), {"F": 1, "C": 1, "G": 1, "D": 1}),
        ("clef=bass", None, None),
        ("bass", None, None),
        ("octave=1", None, None),
        ("transpose=-2 treble", None, None),
    ],
)
def test_key_fields(field: str, key: Key | None, signature: dict[str, int]) -> None:
    parsed = parse_key_field(field)
    assert (parsed.key, parsed.signature) == (key, signature)


def test_nonsense_is_no_key() -> None:
    with pytest.raises(UnreadableTuneError, match="unreadable key"):
        parse_key_field("?!")


@given(st.sampled_from("CDEFGAB"), st.sampled_from(["", "b", "#"]), st.sampled_from(MODES))
def test_signature_and_scale_agree(letter: str, accidental: str, mode: str) -> None:
    parsed = parse_key_field(f"{letter}{accidental} {mode}")
    key, signature = parsed.key, parsed.signature
    assert key is not None
    assert signature is not None
    written = {
        (pitch + signature.get(name, 0)) % 12 for name, pitch in PITCH_CLASS_OF_LETTER.items()
    }
    # Beyond seven sharps or flats (G sharp major) there is no signature that could agree.
    if sum(map(abs, signature.values())) < 7:
        assert written == key.scale
        assert key.tonic in written


@pytest.mark.parametrize(
    ("field", "clef", "octaves", "semitones"),
    [
        ("C", None, None, None),
        ("C treble", 0, None, None),
        ("C treble-8", -1, None, None),
        ("C clef=treble+8 transpose=-2", 1, None, -2),
        ("C clef=bass_8", 0, None, None),
        ("octave=-2", None, -2, None),
        ('C octave="1"', None, 1, None),
        ("tenor+15", 2, None, None),
    ],
)
def test_clefs_octaves_and_transpositions(field, clef, octaves, semitones):
    staff = parse_key_field(field).staff
    assert (staff.clef_octaves, staff.octaves, staff.semitones) == (clef, octaves, semitones)


@pytest.mark.parametrize(
    ("order", "parts"),
    [
        ("ABA", "ABA"),
        ("(AB)3", "ABABAB"),
        ("A2B", "AAB"),
        ("((AB)2.C)2", "ABABCABABC"),
        ("A B . A", "ABA"),
        ("(AB", "AB"),
        ("A)B", "AB"),
        ("play it twice", ""),
        ("", ""),
    ],
)
def test_orders_of_parts(order, parts):
    assert "".join(parse_part_order(order)) == parts


def test_an_order_without_end_is_refused():
    with pytest.raises(UnreadableTuneError, match="too long"):
        parse_part_order("((((A)99)99)99)99")


@pytest.mark.parametrize(
    ("field", "wholes"),
    [
        *(("1", 1), ("1/1", 1), (" 1/4", 0.25), ("3/8", 0.375), ("1 /16", 0.0625)),
        *(("8", None), ("auto", None), ("1/0", None), ("", None), ("10", None)),
    ],
)
def test_units(field, wholes):
    assert parse_unit(field) == (None if wholes is None else wholes * TICKS_PER_WHOLE)
