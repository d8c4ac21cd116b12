import pytest
from hypothesis import given
from lead_sheets import any_chords, chord_names

from seqtutor.tasks.scores.chord_names import (
    QUALITIES,
    ChordName,
    chord_pitches,
    name_of,
    parse_chord_name,
)
from seqtutor.tasks.scores.keys import Key


@pytest.mark.parametrize(
    ("text", "pitches"),
    [
        ("C", {0, 4, 7}),
        ("F#m", {6, 9, 1}),
        ("Bb7", {10, 2, 5, 8}),
        ("Gd", {7, 10, 1}),
        ("Ca", {0, 4, 8}),
        ("Fa7", {5, 9, 1, 3}),
        ("E7b9", {4, 8, 11, 2, 5}),
        ("D/f+", {2, 6, 9}),
        ("Gm/bb", {7, 10, 2}),
        ("A7/F#", {9, 1, 4, 7, 6}),
        ("(E7)", {4, 8, 11, 2}),
        (" D m", {2, 5, 9}),
        ("Cmaj7", {0, 4, 7, 11}),
        ("Dsus4", {2, 7, 9}),
        ("C/c", {0, 4, 7}),
    ],
)
def test_symbols(text: str, pitches: set[int]) -> None:
    name = parse_chord_name(text)
    assert name is not None
    assert {pitch % 12 for pitch in chord_pitches(name)} == pitches


@pytest.mark.parametrize("text", ["", "H", "4", "Fine", "D.C.", "Am7x", "C/", "tr", "C//e", "c"])
def test_no_symbols(text: str) -> None:
    assert parse_chord_name(text) is None


def test_positions_are_close_and_the_bass_is_lowest() -> None:
    for text, pitches in (("C", (48, 52, 55)), ("B7", (59, 63, 66, 69)), ("D/f+", (54, 57, 62))):
        name = parse_chord_name(text)
        assert name is not None
        assert chord_pitches(name) == pitches


@given(chord_names)
def test_a_name_is_found_again_in_its_sound(name: ChordName) -> None:
    pitches = chord_pitches(name)
    assert 48 <= pitches[0] < 60
    assert pitches[0] % 12 == name.bass
    assert pitches[-1] - pitches[0] < 12
    assert chord_pitches(name_of(pitches)) == pitches


@given(chord_names)
def test_a_name_is_read_as_it_is_written(name: ChordName) -> None:
    for key in (Key(0), Key(2), Key(8), Key(9, "minor")):
        assert parse_chord_name(name.symbol(key)) == name


def test_the_plain_name_is_found() -> None:
    for root in range(12):
        for quality in QUALITIES:
            name = ChordName(root, quality, root)
            found = name_of(chord_pitches(name))
            # Inversions of one another sound alike; the bass decides.
            assert found.root == root
            assert found.pitch_classes == name.pitch_classes


@given(any_chords)
def test_every_chord_has_a_name_with_its_bass(pitches: tuple[int, ...]) -> None:
    assert name_of(pitches).bass == pitches[0] % 12


def test_spelling_follows_the_key() -> None:
    name = parse_chord_name("Bb/d")
    assert name is not None
    assert name.symbol(Key(2)) == name.symbol(Key(5)) == "Bb/D"
    assert name.symbol(Key(11)) == "A#/D"
