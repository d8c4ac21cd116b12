import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.tasks.melody.encoding import Note
from seqtutor.tasks.scores.keys import (
    MODES,
    PITCH_CLASS_OF_LETTER,
    Key,
    estimate_key,
    mode_from_thirds,
    parse_key_field,
)

WHITE = frozenset({0, 2, 4, 5, 7, 9, 11})


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
    ],
)
def test_key_fields(field: str, key: Key | None, signature: dict[str, int]) -> None:
    assert parse_key_field(field) == (key, signature)


def test_nonsense_is_no_key() -> None:
    assert parse_key_field("?!") is None


@given(st.sampled_from("CDEFGAB"), st.sampled_from(["", "b", "#"]), st.sampled_from(MODES))
def test_signature_and_scale_agree(letter: str, accidental: str, mode: str) -> None:
    parsed = parse_key_field(f"{letter}{accidental} {mode}")
    assert parsed is not None
    key, signature = parsed
    assert key is not None
    written = {
        (pitch + signature.get(name, 0)) % 12 for name, pitch in PITCH_CLASS_OF_LETTER.items()
    }
    # Beyond seven sharps or flats (G sharp major) there is no signature that could agree.
    if sum(map(abs, signature.values())) < 7:
        assert written == key.scale
        assert key.tonic in written


@given(st.integers(0, 11), st.sampled_from(MODES))
def test_white_keys_are_reached_by_the_relative_major(tonic: int, mode: str) -> None:
    key = Key(tonic, mode)
    assert key.transposed(-key.relative_major).scale == WHITE


def test_modes_on_the_white_keys() -> None:
    tonics = {"major": 0, "dorian": 2, "phrygian": 4, "lydian": 5, "mixolydian": 7, "minor": 9}
    for mode, tonic in tonics.items():
        assert Key(tonic, mode).relative_major == 0


@given(st.integers(0, 11), st.integers(0, 2))
def test_estimate_follows_transposition(tonic: int, octave: int) -> None:
    def scale(steps: list[int]) -> list[Note]:
        # Tonic and dominant are long, as in a tune.
        return [
            Note(i, 8 if step in (0, 7) else 2, 40 + 12 * octave + tonic + step)
            for i, step in enumerate(steps)
        ]

    shift = (40 + tonic) % 12
    assert estimate_key(scale([0, 2, 4, 5, 7, 9, 11])) == Key(shift, "major")
    assert estimate_key(scale([0, 2, 3, 5, 7, 8, 10])) == Key(shift, "minor")


def test_mode_by_the_longer_third() -> None:
    tune = [Note(0, 4, 62), Note(4, 3, 65), Note(7, 2, 66)]
    assert mode_from_thirds(2, tune) == "minor"
    assert mode_from_thirds(2, [*tune, Note(9, 2, 66)]) == "major"
