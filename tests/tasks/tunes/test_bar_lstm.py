"""Places in a tune, and the model that looks at them."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqtutor.errors import UserError
from seqtutor.models.consistency import require_consistent
from seqtutor.models.files import SavedModel, load_model, save_model
from seqtutor.tasks.tunes import bar_lstm
from seqtutor.tasks.tunes.bar_lstm import BarLSTM, BarLSTMSettings
from seqtutor.tasks.tunes.phrase import units_in_bar
from seqtutor.tasks.tunes.places import (
    COUNTED,
    OVERFULL,
    agreement,
    earlier_token,
    first_place,
    next_place,
    parallel_token,
    place_table,
    remaining_slots,
)
from seqtutor.tasks.tunes.tokens import phrase_of, vocabulary_of

TUNE = (
    "6/8 major G4:1/2 |1 C5:1/2 D5:1/2 E5:1/2 D5:1/2 C5:1/2 A4:1/2 |2 =1 |3 C5:1 D5:1/2 E5:3/2 "
    "|4 A4:1/4 A4:1/4 B4:1 tie:3/2 |5 C5:1/2 D5:1 C5:3/2 |6 rest:3 end"
)
WORDS = TUNE.split()
VOCABULARY = vocabulary_of([WORDS], 8)
TABLE = place_table(VOCABULARY.tokens)
STATES = ("no bar", "full", "sounding")


def ids(words: list[str]) -> list[int]:
    return [VOCABULARY.tokens.index(word) for word in words]


def place_after(words: list[str]):
    place = first_place(TABLE)
    for token in ids(words):
        place = next_place(place, jnp.asarray(token), TABLE)
    return place


def seen(words: list[str], bars_back: int) -> str:
    found = int(earlier_token(place_after(words), bars_back, VOCABULARY.size))
    return [*VOCABULARY.tokens, *STATES][found]


def until(word: str, occurrence: int = 1) -> list[str]:
    """The words up to and with an occurrence of one."""
    places = [place for place, each in enumerate(WORDS) if each == word]
    return WORDS[: places[occurrence - 1] + 1]


def test_an_earlier_bar_shows_what_begins_at_this_place():
    assert seen(until("|5"), 4) == "C5:1/2"
    assert seen([*until("|5"), "C5:1/2"], 4) == "D5:1/2"
    # Beside the second half of a longer note begins the next note of the first bar.
    assert seen([*until("|5"), "C5:1/2", "D5:1"], 4) == "D5:1/2"
    assert seen([*until("|5"), "C5:1/2", "D5:1", "C5:3/2"], 4) == "full"
    assert seen([*until("|5"), "C5:1/2"], 2) == "sounding"
    assert seen(until("|3"), 4) == "no bar"
    assert seen(["6/8", "major", "G4:1/2"], 1) == "no bar"


def test_a_copied_bar_is_seen_as_its_notes():
    assert seen(until("|3"), 1) == "C5:1/2"
    assert seen([*until("|3"), "C5:1"], 1) == "E5:1/2"
    assert seen([*until("|2"), "=1"], 1) == "full"


@pytest.mark.parametrize("meter", ["2/2", "4/4", "2/4", "3/4", "6/8", "9/8"])
def test_what_is_left_of_a_bar_is_counted_from_its_metre(meter):
    bar = units_in_bar(tuple(map(int, meter.split("/"))))
    assert left([meter, "major", "|1"]) == bar // 3
    assert left([meter, "major", "|1", "D5:1/2"]) == (bar - 12) // 3
    assert left([meter, "major", "|1", *["E5:3/2"] * 5]) == max(-OVERFULL, (bar - 180) // 3)


def left(words: list[str]) -> int:
    return int(remaining_slots(place_after(words))) - OVERFULL


def test_every_bar_of_a_whole_phrase_ends_with_nothing_left():
    ends = [place for place, word in enumerate(WORDS) if word.startswith("|")][1:]
    assert [left(WORDS[:place]) for place in ends] == [0] * len(ends)
    lengths = phrase_of(WORDS).lengths
    np.testing.assert_array_equal(place_after(WORDS).lengths[1:7], lengths)


def test_the_last_bar_leaves_out_what_the_upbeat_takes():
    upbeat = ["6/8", "major", "G4:1/2"]
    bars = [word for number in range(1, 9) for word in (f"|{number}", "E5:3/2")]
    assert left([*upbeat, *bars[:-1]]) == 24 - 4
    assert left([*upbeat, *bars]) == 12 - 4
    assert left([*upbeat, *bars[:-2]]) == 12
    assert left(["6/8", "major", *bars]) == 12


TUNE_WITH_SEQUENCE = (
    "6/8 major |1 E5:1 D5:1/2 C5:1 rest:1/2 |2 C5:1 A4:1/2 C5:3/2 "
    "|3 D5:1 C5:1/2 B4:1 rest:1/2 |4 C5:1 D5:1/2 rest:1 C5:1/2 end"
)
SEQUENCE = TUNE_WITH_SEQUENCE.split()
SEQUENCE_VOCABULARY = vocabulary_of([SEQUENCE, ["A4:1"]], 4)
SEQUENCE_TABLE = place_table(SEQUENCE_VOCABULARY.tokens)


def parallel(until: str, notes: int, bars_back: int) -> tuple[str, int, int]:
    """The token that goes on in parallel after so many tokens of a bar; agreed notes, offset."""
    place = first_place(SEQUENCE_TABLE)
    for word in SEQUENCE[: SEQUENCE.index(until) + 1 + notes]:
        token = SEQUENCE_VOCABULARY.tokens.index(word)
        place = next_place(place, jnp.asarray(token), SEQUENCE_TABLE)
    found = agreement(place, bars_back, SEQUENCE_TABLE)
    token = int(parallel_token(place, bars_back, found, SEQUENCE_TABLE))
    return [*SEQUENCE_VOCABULARY.tokens, *STATES][token], int(found.notes), int(found.offset)


def test_a_bar_that_goes_along_at_another_pitch_is_gone_on_with_there():
    assert parallel("|3", 0, 2) == ("no bar", 0, 0)
    # One step down, which is two half steps: D for E, then C for D, and B for C, a semitone.
    assert parallel("|3", 1, 2) == ("C5:1/2", 1, -2)
    assert parallel("|3", 2, 2) == ("B4:1", 2, -2)
    assert parallel("|3", 3, 2) == ("rest:1/2", 3, -2)
    assert parallel("|3", 4, 2) == ("no bar", 3, -2)
    # Two steps below E the bar goes on with B, which the vocabulary has in another length.
    assert parallel("|2", 1, 1) == ("no bar", 1, -4)
    assert parallel("|2", 2, 1) == ("no bar", 0, 0)
    assert parallel("|4", 1, 1) == ("no bar", 1, -2)
    assert parallel("|4", 2, 1) == ("no bar", 0, 0)
    assert parallel("|4", 1, 2) == ("A4:1/2", 1, 0)
    assert parallel("|3", 1, 3) == ("no bar", 0, 0)


def test_agreements_are_counted_apart_at_the_same_and_at_another_pitch():
    place = place_after([*until("|5"), "C5:1/2"])
    assert int(agreement(place, 4, TABLE).index) == 1
    place = place_after([*until("|2"), "C5:1/2", *["D5:1/2", "E5:1/2"], *["D5:1/2", "C5:1/2"]])
    assert int(agreement(place, 1, TABLE).index) == COUNTED
    place = place_after([*until("|2"), "A4:1/2"])
    assert int(agreement(place, 1, TABLE).index) == COUNTED + 1


def test_the_begin_token_leaves_the_first_place():
    begin = next_place(first_place(TABLE), jnp.asarray(VOCABULARY.size), TABLE)
    assert eqx.tree_equal(begin, first_place(TABLE))


def model(seed: int = 0, **changes) -> BarLSTM:
    settings = BarLSTMSettings(hidden_sizes=(6, 5), embedding_size=4, **changes)
    drawn = BarLSTM(VOCABULARY.size, settings.for_vocabulary(VOCABULARY), jax.random.key(seed))
    readout = jax.random.normal(jax.random.key(1), drawn.earlier_readout.shape)
    return eqx.tree_at(lambda m: m.earlier_readout, drawn, readout)


def test_token_by_token_and_whole_sequences_agree():
    require_consistent(model(), 40)


def test_many_sequences_are_taken_in_parts(monkeypatch):
    tokens = jnp.asarray([ids(WORDS), ids(WORDS[::-1]), ids([*WORDS[4:], *WORDS[:4]])])
    whole = model().features(tokens)
    monkeypatch.setattr(bar_lstm, "AT_A_TIME", 2)
    np.testing.assert_allclose(model().features(tokens), whole, atol=1e-6)


def test_logits_depend_on_earlier_tokens_alone():
    tokens = jnp.asarray([ids(WORDS)])
    changed = tokens.at[:, 9].set(ids(["E5:3/2"])[0])
    before, after = map(eqx.filter_jit(model().unroll), (tokens, changed))
    np.testing.assert_array_equal(before[:, :10], after[:, :10])
    assert np.abs(before[:, 10:] - after[:, 10:]).max() > 1e-3


def test_only_what_the_earlier_bar_has_here_matters_to_the_readout():
    """Two tunes that differ in the first note of bar 1, which bar 2 copies."""
    free = model()
    silent = eqx.tree_at(
        lambda m: (m.lstm.readout_weight, m.earlier_rows), free, replace_fn=jnp.zeros_like
    )
    words = until("|5")
    other = [word if place != 4 else "E5:1/2" for place, word in enumerate(words)]
    one, two = (silent.unroll(jnp.asarray([ids([*w, "end"])]))[0] for w in (words, other))
    differs = np.abs(one - two).max(axis=-1) > 1e-6
    # Bars 2, 3 and 5 see bar 1, and bars 3 and 4 its copy, where each begins and nowhere else.
    assert [words[place - 1] for place in np.flatnonzero(differs)] == ["|2", "|3", "|4", "|5"]


def test_a_folder_gives_the_same_model_back(tmp_path):
    saved = model(bars_back=(4, 1), parallel_back=(3,))
    save_model(SavedModel(saved, VOCABULARY), tmp_path / "model")
    place_table.cache_clear()  # As in a process that has made no such model yet.
    again = load_model(tmp_path / "model").model
    assert eqx.tree_equal(again, saved)


def test_settings_without_sense_are_refused():
    for wrong in (
        {"bars_back": ()},
        {"bars_back": (0,)},
        {"parallel_back": (0,)},
        {"embedding_size": 0},
    ):
        with pytest.raises(UserError):
            BarLSTMSettings(**wrong)
    with pytest.raises(ValueError, match="tokens"):
        partial(BarLSTM, 5)(BarLSTMSettings(), jax.random.key(0))
