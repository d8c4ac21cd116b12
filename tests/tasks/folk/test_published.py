"""Sequences and token tables of others: in the published form, and in broken ones."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.dataset import load_folk_data
from seqtutor.tasks.folk.model import LeadSheetReader
from seqtutor.tasks.folk.published import read_token_table, unpermuted

SHARED = Path(__file__).parents[4] / "shared" / "data" / "seqgan_music"

TABLE = {
    "tokens": [
        [1.0, 4.0, 5.0, 1.0, 0.0, 0.0],
        [0.3333, 3.0, 12.0, 4.0, 2.0, 1.0],
        [0.0, 0.0, 0.0, 0.5, 0.0, 0.0],
        [1.0, 19.0, 14.0, 0.0, 0.0, 0.0],
        [2.0, 3.0, 1.0, 2.0, 1.0, 2.0],
    ],
    "octaves": ["Rest", [3, 3, 3], [3, 4, 3]],
    "chords": ["Rest", [2, 7, 11], [0, 4, 7]],
}
ROWS = {"train": np.arange(20).reshape(4, 5) % 5, "valid": np.full((2, 5), 4)}


def write(folder: Path, table: object = TABLE, **arrays: np.ndarray) -> FolkDataSettings:
    np.savez(folder / "s.npz", **(arrays or ROWS))
    (folder / "t.json").write_text(json.dumps(table))
    return FolkDataSettings(sequences=folder / "s.npz", token_table=folder / "t.json")


def test_ids_stay_and_values_are_what_sounds(tmp_path: Path) -> None:
    data = load_folk_data(write(tmp_path))
    assert data.vocabulary.tokens == (
        "1 5 5 | 1 - -",
        "1/3 4 12 | 4 4.3.3 2.7.11",
        "0 0 0 | 1/2 - -",
        "1 20 14 | 0 - -",
        "2 4 1 | 2 3.3.3 0.4.7",
    )
    assert data.vocabulary.begin == data.vocabulary.size == 5
    assert np.array_equal(data.train, ROWS["train"])
    assert np.array_equal(data.validation, ROWS["valid"])
    assert data.test.shape == (0, 5)
    assert data.train.dtype == np.int32
    sheet = data.decode([4, 1, 3])
    assert [note.pitch for note in sheet.notes] == [60, 71]
    assert [chord.pitches for chord in sheet.chords] == [(48, 52, 55), (55, 59, 62)]
    assert sheet.notes[1].duration == Fraction(1, 3)
    reader = LeadSheetReader(data.vocabulary, {"tokenisation": data.tokenisation.name})
    (found,) = reader([[4, 1, 3]])
    assert (found.notes, found.chords) == (sheet.notes, sheet.chords)


@given(
    st.sets(st.integers(0, 11), min_size=1, max_size=4),
    st.integers(2, 5),
    st.data(),
)
def test_octave_sets_are_unpermuted(pitch_classes: set[int], octave: int, data) -> None:
    # A chord as music21 hands it over, from its root up in close position.
    classes = sorted(pitch_classes)
    root = data.draw(st.sampled_from(classes))
    upwards = sorted(classes, key=lambda each: (each - root) % 12)
    octaves = [octave + (each < root) for each in upwards]
    # What the published preprocessing does with it.
    places = sorted(range(len(upwards)), key=lambda place: upwards[place])
    stored = tuple(octave for _, octave in sorted(zip(places, octaves, strict=True)))
    recovered = unpermuted(stored, tuple(classes))
    pitches = sorted(12 * o + c for o, c in zip(recovered, classes, strict=True))
    assert sorted(recovered) == sorted(octaves)
    # Two inversions may have the same octave set; what is found is in close position.
    assert pitches[-1] - pitches[0] <= 11


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": np.zeros((2, 5))}, "integers"),
        ({"train": np.zeros(5, int)}, "integers"),
        ({"train": np.full((2, 5), 9)}, "only 0 to 4"),
        ({"train": np.full((2, 5), -1)}, "only 0 to 4"),
        ({"valid": np.zeros((2, 4), int)}, "equally long"),
        ({"test": np.zeros((2, 4), int)}, "equally long"),
        ({"train": np.zeros((0, 5), int)}, "no sequences"),
        ({"train": np.array([[None]], dtype=object)}, "not a readable"),
    ],
)
def test_unusable_sequences(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_folk_data(write(tmp_path, **(ROWS | change)))


def test_missing_arrays_and_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lacks the array 'valid'"):
        load_folk_data(write(tmp_path, train=ROWS["train"]))
    settings = write(tmp_path)
    (tmp_path / "s.npz").write_bytes(b"PK nonsense")
    with pytest.raises(UserError, match="not a readable"):
        load_folk_data(settings)
    with (tmp_path / "s.npz").open("wb") as file:
        np.save(file, ROWS["train"])
    with pytest.raises(UserError, match="single array"):
        load_folk_data(settings)
    (tmp_path / "s.npz").unlink()
    with pytest.raises(UserError, match="not a readable"):
        load_folk_data(settings)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"tokens": [[1, 4, 5, 1, 0, 0]] * 2}, "the same token"),
        ({"tokens": [[1, 4, 5, 1, 0]]}, "row 0"),
        ({"tokens": [[1, 4, 5, 1, 9, 1]]}, "row 0"),
        ({"tokens": [[1, 4.5, 5, 1, 0, 0]]}, "row 0"),
        ({"tokens": [[-1, 4, 5, 1, 0, 0]]}, "row 0"),
        ({"tokens": [["a", 4, 5, 1, 0, 0]]}, "row 0"),
        ({"tokens": [7]}, "row 0"),
        ({"tokens": [[1e9, 4, 5, 1, 0, 0]]}, "row 0"),
        ({"tokens": [[True, 4, 5, 1, 0, 0]]}, "row 0"),
        ({"tokens": [[1, 4, 5, 1, 1, 1]], "octaves": [[], [4]], "chords": [[], [12]]}, "row 0"),
        ({"tokens": [[1, 4, 5, 1, 1, 1]], "octaves": [[], [40]], "chords": [[], [0]]}, "row 0"),
        ({"tokens": [[1, 4, 5, 1, 1, 1]], "octaves": [[], [4]], "chords": [[], [0.9]]}, "row 0"),
        ({"tokens": [[1, 4, 5, 1, 0, 0]]}, "fewer than two"),
        ({"tokens": "none"}, "needs the lists"),
        ({"octaves": None}, "needs the lists"),
    ],
)
def test_unusable_tables(tmp_path: Path, table: dict, message: str) -> None:
    (tmp_path / "t.json").write_text(json.dumps(TABLE | table))
    with pytest.raises(UserError, match=message):
        read_token_table(tmp_path / "t.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"tokens": []'])
def test_unreadable_tables(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(UserError, match="not a readable token table"):
        read_token_table(tmp_path / "t.json")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published sequences are not here")
def test_the_published_files() -> None:
    settings = FolkDataSettings(
        sequences=SHARED / "sequences.npz", token_table=SHARED / "vocabulary.json"
    )
    data = load_folk_data(settings)
    assert data.vocabulary.size == 3216
    assert (data.train.shape, data.validation.shape) == ((1400, 100), (350, 100))
    chords = {chord.pitches for row in data.train[:200] for chord in data.decode(row).chords}
    # All are in close position, as the music was written: the permuted octaves are undone.
    assert all(pitches[-1] - pitches[0] < 12 for pitches in chords)
    assert (50, 54, 57, 60) in chords
