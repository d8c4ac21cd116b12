from hypothesis import given
from hypothesis import strategies as st

from seqtutor.tasks.melody.encoding import Note
from seqtutor.tasks.scores.keys import (
    MODES,
    Key,
    estimate_key,
    mode_from_thirds,
)

WHITE = frozenset({0, 2, 4, 5, 7, 9, 11})


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
