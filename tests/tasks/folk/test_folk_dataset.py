import os
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lead_sheets import TUNES

from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel
from seqtutor.models.lstm import LSTM
from seqtutor.tasks.folk.abc import read_abc
from seqtutor.tasks.folk.data_settings import FolkDataSettings
from seqtutor.tasks.folk.dataset import FolkData, build_folk_data, load_folk_data, read_tunes
from seqtutor.tasks.folk.joint import JointToken
from seqtutor.tasks.folk.model import LeadSheetReader
from seqtutor.tasks.folk.rare import EncodedTunes, by_frequency, map_rare, tunes_without_rare
from seqtutor.tasks.folk.sources import read_corpus, read_sources
from seqtutor.tasks.folk.tokenisations import TOKENISATIONS
from seqtutor.tasks.scores import corpus
from seqtutor.tasks.scores.import_report import ImportReport
from seqtutor.tasks.scores.lead_sheet import Chord, LeadSheet, MelodyNote
from written import write_lead_sheet

NAMES = tuple(TOKENISATIONS)
CHORDS = ((48, 52, 55), (53, 57, 60), (55, 59, 62), (57, 60, 64))


def random_sheet(seed: int, bars: int = 8) -> LeadSheet:
    rng = np.random.default_rng(seed)
    half = Fraction(1, 2)
    pitches = 66 + np.cumsum(rng.integers(-3, 4, 8 * bars)) % 12
    notes = tuple(MelodyNote(i * half, half, int(p)) for i, p in enumerate(pitches))
    chords = tuple(
        Chord(Fraction(4 * bar), Fraction(4), CHORDS[i])
        for bar, i in enumerate(rng.integers(0, 4, bars))
    )
    return LeadSheet(notes, chords, Fraction(4 * bars), index=seed)


def build(count: int = 30, **settings) -> FolkData:
    sheets = [random_sheet(seed) for seed in range(count)]
    chosen = FolkDataSettings(
        **({"length": 16, "rare_below": 1, "tokenisation": "joint"} | settings)
    )
    return build_folk_data(sheets, ImportReport(count), chosen)


@pytest.mark.parametrize("tokenisation", NAMES)
def test_every_token_is_in_one_sequence(tokenisation: str) -> None:
    data = build(tokenisation=tokenisation, rare="keep")
    parts = (data.train, data.validation, data.test)
    tunes_of_parts = (data.train_tunes, data.validation_tunes, data.test_tunes)
    for part, sheets in zip(parts, tunes_of_parts, strict=True):
        stream = [token for sheet in sheets for token in data.tokenisation.encode(sheet)]
        kept = len(stream) // 16 * 16
        assert [data.tokens[i] for i in part.ravel()] == stream[:kept]
        assert part.dtype == np.int32
    assert data.length == 16
    assert tuple(map(str, data.tokens)) == data.vocabulary.tokens
    assert sum(map(len, tunes_of_parts)) == 30
    assert [len(sheets) for sheets in tunes_of_parts] == [24, 3, 3]
    # Frequent tokens have small ids.
    counts = np.bincount(data.train.ravel(), minlength=data.vocabulary.size)
    half = len(counts) // 2
    assert counts[:half].sum() > counts[half:].sum()


@pytest.mark.parametrize("tokenisation", NAMES)
def test_ids_are_read_with_the_vocabulary_alone(tokenisation: str) -> None:
    data = build(tokenisation=tokenisation)
    sheet = data.decode(data.train[0])
    assert sheet.notes
    reader = LeadSheetReader(data.vocabulary, {"tokenisation": tokenisation})
    (found,) = reader(data.train[:1])
    assert (found.notes, found.chords) == (sheet.notes, sheet.chords)


def test_settings_of_one_tune_are_on_one_side() -> None:
    sheets = [random_sheet(seed) for seed in range(40)]
    sheets += [replace(sheet.transposed(3), index=100 + sheet.index) for sheet in sheets[:20]]
    chosen = FolkDataSettings(length=16, rare="keep")
    data = build_folk_data(sheets, ImportReport(60), chosen)
    side = {}
    for name in ("train_tunes", "validation_tunes", "test_tunes"):
        side.update({sheet.index: name for sheet in getattr(data, name)})
    assert all(side[index] == side[100 + index] for index in range(20))
    assert data.report.near_duplicates == 20


def test_the_same_data_has_the_same_digest() -> None:
    one, same, other = (build(split_seed=seed).as_dataset("here") for seed in (1, 1, 2))
    assert one.digest == same.digest != other.digest
    assert one.origin["data"]["sha256"] == one.digest
    assert one.origin["data"]["source"] == "here"


def test_rare_tokens_are_mapped_by_what_is_seen_in_training() -> None:
    data = build(rare="map", rare_below=4)
    everything = build(rare="keep", rare_below=4)
    counts = Counter(everything.train.ravel().tolist())
    # Windows leave out the end of the part, so count the tunes themselves.
    seen = Counter(token for sheet in data.train_tunes for token in data.tokenisation.encode(sheet))
    assert set(data.tokens) == {token for token, count in seen.items() if count >= 4}
    assert data.report.rare_types == everything.vocabulary.size - data.vocabulary.size
    assert data.report.rare_occurrences == sum(n for n in seen.values() if n < 4)
    assert data.report.replaced >= data.report.rare_occurrences > 0
    assert data.train.shape == everything.train.shape
    assert sum(counts.values()) == data.train.size
    kept = [
        (a, b)
        for a, b in zip(everything.train.ravel(), data.train.ravel(), strict=True)
        if everything.tokens[a] in set(data.tokens)
    ]
    assert all(everything.tokens[a] == data.tokens[b] for a, b in kept)


def test_tunes_with_rare_tokens_can_be_dropped() -> None:
    data = build(rare="drop-tunes", rare_below=3)
    all_tokens = Counter(
        token for seed in range(30) for token in TOKENISATIONS["joint"].encode(random_sheet(seed))
    )
    kept = {
        seed
        for seed in range(30)
        if min(all_tokens[t] for t in TOKENISATIONS["joint"].encode(random_sheet(seed))) >= 3
    }
    assert 0 < len(kept) < 30
    tunes_left = (*data.train_tunes, *data.validation_tunes, *data.test_tunes)
    assert {sheet.index for sheet in tunes_left} == kept
    assert data.report.imported.dropped == {"with rare tokens": 30 - len(kept)}
    with pytest.raises(UserError, match="use --rare map"):
        build(rare="drop-tunes", rare_below=10_000)
    with pytest.raises(UserError, match="lower --rare-below"):
        build(rare="map", rare_below=10_000)


def test_the_nearest_token() -> None:
    one, half = Fraction(1), Fraction(1, 2)
    g, g7, a = ((4, 3, 3), (2, 7, 11)), ((4, 4, 3, 3), (2, 5, 7, 11)), ((4, 4, 3), (1, 4, 9))
    kept = [
        JointToken(half, 5, 1),
        JointToken(one, 5, 1),
        JointToken(one, 5, 3),
        JointToken(one),
        JointToken(one, 5, 1, 4 * one, *g),
        JointToken(one, 5, 1, 4 * one, *a),
        JointToken(one, 4, 1, 2 * one, *g),
    ]
    expected = {
        # The same durations and status, then the nearest pitch.
        JointToken(one, 5, 4): kept[2],
        JointToken(half, 5, 8): kept[0],
        JointToken(2 * one): kept[3],
        # A chord that shares its notes; rather another chord than another duration.
        JointToken(one, 5, 1, 4 * one, *g7): kept[4],
        JointToken(one, 3, 1, 4 * one, *g): kept[4],
        JointToken(one, 5, 1, 2 * one, *a): kept[6],
    }
    encoded = EncodedTunes.of([[*kept, *expected]])
    counts = np.array([2] * len(kept) + [1] * len(expected))
    mapped = map_rare(encoded, counts, 2, TOKENISATIONS["joint"])
    found = [mapped.tokens[i] for i in mapped.tunes[0]]
    assert found == [*kept, *expected.values()]


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=12), min_size=1, max_size=6))
def test_numbered_tunes(texts: list[list[str]]) -> None:
    encoded = EncodedTunes.of(texts)
    counts = encoded.counts()
    ordered = by_frequency(encoded, counts)
    for tune, text in zip(ordered.tunes, texts, strict=True):
        assert [ordered.tokens[i] for i in tune] == text
    frequencies = ordered.counts().tolist()
    assert frequencies == sorted(frequencies, reverse=True)
    total = Counter(letter for text in texts for letter in text)
    assert tunes_without_rare(encoded, 3).tolist() == [
        all(total[letter] >= 3 for letter in text) for text in texts
    ]


def test_too_little_to_learn_from() -> None:
    with pytest.raises(UserError, match="smaller --length"):
        build(2, length=1000)
    with pytest.raises(UserError, match="none of the 3 tunes"):
        build_folk_data([], ImportReport(3, {"no notes": 3}), FolkDataSettings())


@pytest.mark.parametrize(
    "setting",
    [
        {"length": 0},
        {"rare_below": 0},
        {"fractions": (0.0, 0.5, 0.5)},
        {"fractions": (1.0, 0.5, -0.5)},
        {"fractions": (0.8, float("nan"), 0.1)},
        {"fractions": (0.8, 0.1, float("inf"))},
        {"fractions": (0.8, 0.8, 0.1)},
        {"sequences": Path("a.npz")},
        {"token_table": Path("a.json")},
        {"sequences": Path("a.npz"), "token_table": Path("a.json"), "data": Path("folder")},
        {"split_seed": -1},
    ],
)
def test_senseless_settings(setting: dict) -> None:
    with pytest.raises(UserError):
        FolkDataSettings(**setting)


def test_a_folder_of_abc_and_midi(tmp_path: Path) -> None:
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "tunes.abc").write_text(TUNES)
    (tmp_path / "broken.mid").write_text("no MIDI")
    (tmp_path / "notes.txt").write_text("read me")
    os.mkfifo(tmp_path / "pipe.abc")  # whoever opens it waits for ever
    write_lead_sheet(random_sheet(0), tmp_path / "one.mid")
    sheets, report = read_sources(tmp_path)
    assert [sheet.source for sheet in sheets] == ["abc/tunes.abc"] * 5 + ["one.mid"]
    assert sheets[-1].music == random_sheet(0).music
    assert report.tunes_read == 6
    assert [name for name, _ in report.skipped_files] == ["broken.mid"]
    assert read_sources(tmp_path / "one.mid")[0][0].music == random_sheet(0).music
    data = load_folk_data(
        FolkDataSettings(data=tmp_path, length=8, rare="keep", fractions=(1.0, 0.0, 0.0))
    )
    assert len(data.train_tunes) == 6
    assert data.validation.shape == data.test.shape == (0, 8)
    assert any("skipped: broken.mid" in line for line in data.report.lines())


def test_missing_and_unusable_sources(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load_folk_data(FolkDataSettings(data=tmp_path / "gone"))
    with pytest.raises(UserError, match="holds no tunes"):
        load_folk_data(FolkDataSettings(data=tmp_path))
    (tmp_path / "a.abc").write_text("no tune")
    with pytest.raises(UserError, match="no X: field"):
        load_folk_data(FolkDataSettings(data=tmp_path / "a.abc"))
    (tmp_path / "a.txt").write_text("no tune")
    with pytest.raises(UserError, match="not a lead sheet"):
        load_folk_data(FolkDataSettings(data=tmp_path / "a.txt"))


def test_the_corpus_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for book in corpus.PUBLIC_DOMAIN_BOOKS:
        (tmp_path / "corpus" / book).mkdir(parents=True)
        (tmp_path / "corpus" / book / "tunes.abc").write_text(TUNES)
    monkeypatch.setattr(corpus, "corpus_folder", lambda: tmp_path / "corpus")
    sheets, report = read_corpus()
    assert len(sheets) == report.usable == 15
    assert sheets[0].source == "oneills1850/tunes.abc"


def test_one_book_of_the_real_corpus() -> None:
    name, content = corpus.book_sources(["oneills1850"])[0]
    sheets, report = read_abc(content.decode("latin-1"), name)
    assert report.usable == len(sheets) > 10
    joint = TOKENISATIONS["joint"]
    for sheet in sheets:
        assert joint.decode(joint.encode(sheet)).music == sheet.music


@pytest.mark.parametrize("tokenisation", NAMES)
def test_tunes_of_a_file_become_tokens_of_a_prior(tokenisation: str, tmp_path: Path) -> None:
    data = build(tokenisation=tokenisation, rare="keep")
    model = LSTM(data.vocabulary.size, (2,), key=jax.random.key(0))
    prior = SavedModel(model, data.vocabulary, {"tokenisation": tokenisation})
    own = replace(random_sheet(3), title="Three")
    path = write_lead_sheet(own, tmp_path / "three.abc")
    names, sequences = read_tunes(path, prior, 16)
    expected = data.tokenisation.encode(own)
    pieces = -(-len(expected) // 16)
    assert names == [f"Three ({number} of {pieces})" for number in range(1, pieces + 1)]
    assert sequences.tokens.shape == (pieces, 16)
    ids = sequences.tokens[sequences.mask]
    assert [data.tokens[index] for index in ids] == list(expected)
    # What the prior does not know becomes the nearest that it knows.
    far = replace(own, notes=tuple(replace(note, pitch=note.pitch + 36) for note in own.notes))
    _, sequences = read_tunes(write_lead_sheet(far, tmp_path / "far.abc"), prior, 1000)
    assert sequences.tokens[0, : len(expected)].max() < data.vocabulary.size
