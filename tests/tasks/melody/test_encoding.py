import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.tasks.melody.encoding import (
    HIGHEST_PITCH,
    HOLD,
    LOWEST_PITCH,
    NOTE_OFF,
    VOCABULARY_SIZE,
    Note,
    melody_vocabulary,
    notes_to_tokens,
    tokens_to_notes,
)

token_lists = st.lists(st.integers(0, VOCABULARY_SIZE - 1), min_size=1, max_size=64)


@st.composite
def melodies(draw: st.DrawFn) -> tuple[list[Note], int]:
    notes: list[Note] = []
    time = 0
    for gap, duration, pitch in draw(
        st.lists(
            st.tuples(
                st.integers(0, 5), st.integers(1, 9), st.integers(LOWEST_PITCH, HIGHEST_PITCH)
            ),
            max_size=20,
        )
    ):
        notes.append(Note(time + gap, duration, pitch))
        time = notes[-1].end
    return notes, time + draw(st.integers(0, 5))


def test_names_of_the_tokens() -> None:
    vocabulary = melody_vocabulary()
    assert vocabulary.size == VOCABULARY_SIZE
    assert vocabulary.decode([0, 1, 2, 14, 15, 37]) == ["off", "hold", "C3", "C4", "C#4", "B5"]


def test_hand_worked_melody() -> None:
    notes = [Note(0, 2, 60), Note(2, 1, 62), Note(5, 2, 48)]
    assert notes_to_tokens(notes, 8).tolist() == [14, 1, 16, 0, 1, 2, 1, 0]


def test_holds_without_a_note_are_silence() -> None:
    assert tokens_to_notes([HOLD, HOLD, NOTE_OFF, HOLD]) == []
    assert tokens_to_notes([HOLD, 14, HOLD, NOTE_OFF, HOLD, 16]) == [Note(1, 2, 60), Note(5, 1, 62)]


@given(melodies())
def test_notes_survive_the_round_trip(melody: tuple[list[Note], int]) -> None:
    notes, length = melody
    tokens = notes_to_tokens(notes, length)
    assert tokens.shape == (length,)
    assert tokens.dtype == np.int32
    assert tokens_to_notes(tokens) == notes


@given(token_lists)
def test_canonical_tokens_are_a_fixed_point(tokens: list[int]) -> None:
    notes = tokens_to_notes(tokens)
    canonical = notes_to_tokens(notes, len(tokens))
    assert tokens_to_notes(canonical) == notes
    assert notes_to_tokens(tokens_to_notes(canonical), len(tokens)).tolist() == canonical.tolist()
    assert canonical[0] != HOLD


@given(token_lists)
def test_time_is_either_sounding_or_silent(tokens: list[int]) -> None:
    sounding = np.zeros(len(tokens), dtype=int)
    for note in tokens_to_notes(tokens):
        sounding[note.onset : note.end] += 1
    expected = []
    on = False
    for token in tokens:
        on = on if token == HOLD else token != NOTE_OFF
        expected.append(int(on))
    assert sounding.tolist() == expected


@pytest.mark.parametrize(
    "notes",
    [
        [Note(0, 1, 47)],
        [Note(0, 1, 84)],
        [Note(0, 3, 60), Note(2, 1, 62)],
        [Note(0, 0, 60)],
        [Note(6, 4, 60)],
        [Note(-1, 2, 60)],
    ],
)
def test_melodies_that_cannot_be_written(notes: list[Note]) -> None:
    with pytest.raises(UserError):
        notes_to_tokens(notes, 8)


@pytest.mark.parametrize("token", [-1, 38])
def test_tokens_that_do_not_exist(token: int) -> None:
    with pytest.raises(UserError, match="position 2"):
        tokens_to_notes([14, token])
