from collections import defaultdict
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.tasks.melody.corpus import read_corpus
from seqtutor.tasks.melody.data import MelodyData
from seqtutor.tasks.melody.dataset import (
    MelodyDataset,
    build_dataset,
    load_melodies,
    tokens_of,
    windows,
)
from seqtutor.tasks.melody.encoding import (
    HIGHEST_PITCH,
    HOLD,
    LOWEST_PITCH,
    Note,
    symbols_of_tokens,
)
from seqtutor.tasks.melody.training_melodies import training_melodies
from seqtutor.tasks.melody.tune import CENTRE, Tune, downbeats_from, mean_pitch, to_white_keys
from seqtutor.tasks.scores.duplicates import cluster_near_duplicates, split_clusters
from seqtutor.tasks.scores.keys import Key


def make_tune(
    pitches: list[int], duration: int = 2, key: Key | None = None, pickup: int = 0
) -> Tune:
    notes = tuple(Note(duration * i, duration, pitch) for i, pitch in enumerate(pitches))
    length = duration * len(pitches)
    downbeats = downbeats_from((pickup,), length, 16)
    return Tune("", "test", 0, notes, length, key or Key(0), (4, 4), downbeats)


def random_tune(seed: int, length: int = 64) -> Tune:
    rng = np.random.default_rng(seed)
    return make_tune((66 + np.cumsum(rng.integers(-3, 4, length)) % 12).tolist())


@pytest.fixture(scope="module")
def folk(tmp_path_factory: pytest.TempPathFactory) -> MelodyDataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQTUTOR_CACHE", str(tmp_path_factory.getbasetemp() / "folk-cache"))
        return build_dataset(*read_corpus())


def test_folk_windows_are_what_they_should_be(folk: MelodyDataset) -> None:
    tunes = [*folk.train_tunes, *folk.validation_tunes, *folk.test_tunes]
    assert len(tunes) == folk.report.usable > 4000
    for part, share in ((folk.train_tunes, 0.8), (folk.validation_tunes, 0.1)):
        assert len(part) / len(tunes) == pytest.approx(share, abs=0.01)
    for part in (folk.train, folk.validation, folk.test):
        assert part.shape[1] == folk.length == 32
        assert part.dtype == np.int32
        assert part.min() >= 0
        assert part.max() < 38
        assert (part[:, 0] > HOLD).all()
    names = {(tune.source, tune.index) for tune in tunes}
    assert len(names) == len(tunes)
    assert all(tune.key.relative_major == 0 for tune in tunes)
    # On the white keys, black ones are rare; a wrong key or accidental would bring them back.
    sounding = folk.train[folk.train > HOLD] + 46
    assert np.isin(sounding % 12, [1, 3, 6, 8, 10]).mean() < 0.03
    assert folk.summary()["windows"]["train"] == len(folk.train) > 50_000


def test_no_near_duplicate_crosses_the_split(folk: MelodyDataset) -> None:
    # Measured otherwise than it was made: by runs of equal intervals, not by sets of n-grams.
    run = 24
    sides = defaultdict(set)
    for side, part in enumerate((folk.train_tunes, folk.validation_tunes, folk.test_tunes)):
        for tune in part:
            steps = bytes((b.pitch - a.pitch) % 128 for a, b in pairwise(tune.notes))
            for start in range(len(steps) - run + 1):
                sides[steps[start : start + run]].add(side)
    assert len(sides) > 100_000
    assert not [steps for steps, where in sides.items() if len(where) > 1]


def test_the_same_data_has_the_same_digest() -> None:
    tunes = [random_tune(seed) for seed in range(30)]
    first = build_dataset(tunes, seed=1)
    assert build_dataset(tunes, seed=1).digest == first.digest
    assert build_dataset(tunes, seed=2).digest != first.digest


@pytest.mark.parametrize("change", ["key", "tempo", "ornament", "repeated"])
def test_settings_of_a_tune_are_found(change: str) -> None:
    tune = random_tune(0)
    pitches = [note.pitch for note in tune.notes]
    setting = {
        "key": make_tune([pitch + 5 for pitch in pitches]),
        "tempo": make_tune(pitches, duration=4),
        "ornament": make_tune(
            [p for i, p in enumerate(pitches) for p in ([p, p + 2, p] if i % 16 == 7 else [p])]
        ),
        "repeated": make_tune(pitches * 2),
    }[change]
    others = [random_tune(seed) for seed in range(1, 40)]
    clusters = cluster_near_duplicates([tune, *others, setting])
    assert clusters[0] == clusters[-1] == 0
    assert len(set(clusters)) == 40


def test_copies_are_found_however_many_there_are() -> None:
    copied, others = random_tune(0), [random_tune(seed) for seed in range(1, 5)]
    clusters = cluster_near_duplicates([*others, *[copied] * 300])
    assert clusters.tolist() == [0, 1, 2, 3, *[4] * 300]


def test_clusters_are_transitive_and_numbered_in_order() -> None:
    pitches = [[note.pitch for note in random_tune(seed).notes] for seed in range(4)]
    chain = [make_tune(a + b) for a, b in pairwise(pitches)]
    alone = random_tune(9)
    assert cluster_near_duplicates([alone, *chain]).tolist() == [0, 1, 1, 1]
    assert cluster_near_duplicates([]).shape == (0,)
    assert cluster_near_duplicates([make_tune([60]), make_tune([60, 62])]).shape == (2,)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=200),
    st.integers(0, 2**32 - 1),
)
def test_clusters_stay_whole(labels: list[int], seed: int) -> None:
    clusters = np.unique(labels, return_inverse=True)[1]
    parts = split_clusters(clusters, seed=seed)
    for i, j in combinations(range(len(clusters)), 2):
        if clusters[i] == clusters[j]:
            assert parts[i] == parts[j]
    assert (split_clusters(clusters, (1.0, 0.0, 0.0), seed) == 0).mean() >= 0.5 or len(labels) < 3


def test_single_tunes_are_dealt_out_by_the_fractions() -> None:
    parts = split_clusters(np.arange(1000), (0.7, 0.2, 0.1), seed=5)
    assert np.bincount(parts).tolist() == [700, 200, 100]
    assert (split_clusters(np.arange(100), (1.0, 0.0, 0.0)) == 0).all()


@given(st.integers(0, 7), st.integers(1, 6), st.integers(4, 40))
def test_windows_begin_on_bar_lines(pickup: int, duration: int, length: int) -> None:
    tune = make_tune([60 + i % 24 for i in range(60)], duration, pickup=pickup)
    tokens = tokens_of(tune)
    cut = windows([tune], length)
    onsets = {note.onset for note in tune.notes}
    starts = [t for t in tune.downbeats if t in onsets and t + length <= tune.length]
    assert {row.tobytes() for row in cut} == {tokens[t : t + length].tobytes() for t in starts}


def test_a_window_that_comes_twice_is_taken_once() -> None:
    # 48 sixteenths have windows at 0 and 16; played twice, there is a new one at 32.
    once = make_tune([60 + i for i in range(24)])
    twice = make_tune([60 + i for i in range(24)] * 2)
    assert len(windows([once], 32)) == 2
    assert len(windows([twice], 32)) == 3


@given(st.lists(st.integers(30, 100), min_size=1, max_size=20), st.integers(0, 11))
def test_the_octave_is_the_best_that_fits(pitches: list[int], tonic: int) -> None:
    tune = make_tune(pitches, key=Key(tonic))
    chosen = to_white_keys(tune)
    candidates = [tune.transposed(-tonic + 12 * octave) for octave in range(-8, 9)]
    fitting = [
        candidate
        for candidate in candidates
        if all(LOWEST_PITCH <= note.pitch <= HIGHEST_PITCH for note in candidate.notes)
    ]
    if not fitting:
        assert chosen is None
    else:
        assert chosen is not None
        assert chosen in fitting
        distances = [abs(mean_pitch(candidate) - CENTRE) for candidate in fitting]
        assert abs(mean_pitch(chosen) - CENTRE) == pytest.approx(min(distances))


def test_what_cannot_be_used_is_counted() -> None:
    wide = make_tune([40, 90] * 40)
    short = make_tune([60] * 4)
    waltz = Tune(
        "", "", 0, random_tune(3).notes, 128, Key(0), (3, 4), downbeats_from((0,), 128, 12)
    )
    dataset = build_dataset([wide, short, waltz, random_tune(1)], bar_lengths=frozenset({8, 16}))
    assert dataset.report.usable == 1
    assert dataset.report.dropped == {
        "out of range": 1,
        "too short for a window": 1,
        "in another metre": 1,
    }
    assert len(dataset.train_tunes) == 1
    assert dataset.test.shape == (0, 32)
    with pytest.raises(UserError, match="out of range"):
        build_dataset([wide])


@pytest.mark.parametrize(
    ("length", "fractions"), [(0, (0.8, 0.1, 0.1)), (32, (0.0, 0.5, 0.5)), (32, (1.2, -0.1, -0.1))]
)
def test_senseless_settings(length: int, fractions: tuple[float, float, float]) -> None:
    with pytest.raises(UserError):
        build_dataset([random_tune(0)], length=length, fractions=fractions)


def test_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load_melodies(MelodyData(data=str(tmp_path / "gone")))


def test_the_training_melodies_are_kept_with_their_places(
    folk: MelodyDataset, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path_factory.getbasetemp() / "folk-cache"))
    training_melodies.cache_clear()
    first = training_melodies(32)
    training_melodies.cache_clear()
    again = training_melodies(32)
    training_melodies.cache_clear()
    assert len(first) == len(again) > 30_000
    # Those of four tunes in five, split anew among the ones in 2/4 and 4/4.
    usual = [tune for tune in folk.train_tunes if tune.bar_length in (8, 16)][:200]
    begun = [(tune, windows([tune])[0]) for tune in usual]
    strings = symbols_of_tokens(np.stack([row for _, row in begun]))
    found = [first.nearest(string) for string in strings]
    assert found == [again.nearest(string) for string in strings]
    assert 0.7 < np.mean([one.distance == 0 for one in found]) < 0.9
    bars = [
        one.place.bar
        for (tune, _), one in zip(begun, found, strict=True)
        if (one.place.title, one.place.source) == (tune.title, tune.source)
    ]
    assert len(bars) > 100
    assert set(bars) <= {1, 2}, "the first at which a note begins"
