from __future__ import annotations

import math

import numpy as np
import pytest
from golden_melodies import GOLDEN, GOLDEN_TOKENS, random_melodies
from scipy import stats

from seqtutor.measures.intervals import interval_of
from seqtutor.tasks.melody.metrics import (
    MelodyCounts,
    aggregate,
    count_melodies,
    join_counts,
)
from seqtutor.tasks.melody.table_1 import PUBLISHED, TABLE_1

NAMES = [row.name for row in TABLE_1]

STAT_OF_COUNT = {
    "notes_not_in_key": "notes_not_in_key",
    "notes_excessively_repeated": "num_repeated_notes",
    "notes_in_motif": "notes_in_motif",
    "notes_in_repeated_motif": "notes_in_repeated_motif",
    "leaps_resolved": "num_resolved_leaps",
    "leaps_doubled": "num_leap_twice",
    "starting_with_tonic": "num_starting_tonic",
    "unique_highest": "num_high_unique",
    "unique_lowest": "num_low_unique",
}


def golden_stat(name: str) -> np.ndarray:
    return np.array([melody["stats"][name] for melody in GOLDEN], float)


@pytest.fixture(scope="module")
def golden_counts() -> MelodyCounts:
    return count_melodies(GOLDEN_TOKENS)


@pytest.mark.parametrize("count", STAT_OF_COUNT)
def test_golden_counts(golden_counts: MelodyCounts, count: str) -> None:
    expected = golden_stat(STAT_OF_COUNT[count])
    np.testing.assert_array_equal(getattr(golden_counts, count), expected)


def test_golden_autocorrelations(golden_counts: MelodyCounts) -> None:
    expected = np.stack([golden_stat(f"autocorrelation{lag}") for lag in (1, 2, 3)], axis=1)
    assert np.isnan(expected).any()
    np.testing.assert_allclose(golden_counts.autocorrelation, expected, atol=1e-9)


def test_metrics_are_fractions_of_the_golden_sums(golden_counts: MelodyCounts) -> None:
    values = {name: one.value for name, one in aggregate(golden_counts).items()}
    melodies, steps = GOLDEN_TOKENS.shape[0], GOLDEN_TOKENS.size
    sums = {name: golden_stat(stat).sum() for name, stat in STAT_OF_COUNT.items()}
    expected = {name: total / steps for name, total in sums.items() if name.startswith("notes")}
    for name in ("starting_with_tonic", "unique_highest", "unique_lowest"):
        expected[name] = sums[name] / melodies
    expected["leaps_resolved"] = sums["leaps_resolved"] / (
        sums["leaps_resolved"] + sums["leaps_doubled"]
    )
    for lag in (1, 2, 3):
        expected[f"autocorrelation_lag{lag}"] = np.nanmean(golden_stat(f"autocorrelation{lag}"))
    assert values == pytest.approx(expected)
    assert list(values) == NAMES


def test_counts_of_mixed_lengths_are_those_of_each_melody_alone() -> None:
    mixed = [GOLDEN_TOKENS[i, : 1 + i % 32].tolist() for i in range(60)] + [[14] * 40, [9]]
    together = count_melodies(mixed)
    alone = join_counts([count_melodies([melody]) for melody in mixed])
    np.testing.assert_array_equal(together.steps, [len(melody) for melody in mixed])
    np.testing.assert_array_equal(together.notes_in_motif, alone.notes_in_motif)
    np.testing.assert_array_equal(together.unique_highest, alone.unique_highest)
    np.testing.assert_allclose(together.autocorrelation, alone.autocorrelation)


def test_counts_do_not_depend_on_batches() -> None:
    tokens = random_melodies(seed=0, count=8192 + 5, length=32)
    whole = count_melodies(tokens)
    assert len(whole) == len(tokens)
    np.testing.assert_array_equal(
        whole[8000:].leaps_resolved, count_melodies(tokens[8000:]).leaps_resolved
    )


def test_standard_errors_are_the_spread_of_repeated_samples() -> None:
    tokens = random_melodies(seed=1, count=200 * 100, length=32)
    counts = count_melodies(tokens)
    samples = [aggregate(counts[start : start + 100]) for start in range(0, len(counts), 100)]
    for name in NAMES:
        values = np.array([metrics[name].value for metrics in samples])
        if not values.any():
            continue
        errors = np.array([metrics[name].standard_error for metrics in samples])
        # A standard deviation from 200 samples is itself known to about 5 %.
        assert np.mean(errors) == pytest.approx(values.std(ddof=1), rel=0.25), name


def test_undefined_metrics_are_nan() -> None:
    metrics = aggregate(count_melodies([[14] * 8] * 3))
    assert math.isnan(metrics["leaps_resolved"].value)
    assert math.isnan(metrics["autocorrelation_lag1"].value)
    assert metrics["starting_with_tonic"].value == 1


def test_interval_over_melodies_of_a_proportion(golden_counts: MelodyCounts) -> None:
    seen = int(golden_counts.unique_highest.sum())
    exact = stats.binomtest(seen, len(golden_counts)).proportion_ci(0.95, "exact")
    found = interval_of(aggregate(golden_counts)["unique_highest"])
    assert found == pytest.approx((seen / len(golden_counts), exact.low, exact.high))


def test_an_event_that_no_melody_has_has_an_interval_all_the_same() -> None:
    none = aggregate(count_melodies([[14, 16, 18, 19] * 8] * 10))
    for name in ("notes_not_in_key", "notes_excessively_repeated"):
        found = interval_of(none[name])
        assert (found.value, found.low) == (0, 0)
        assert found.high == pytest.approx(1 - 0.025**0.1)


def test_better_follows_the_direction_of_the_row() -> None:
    rows = {row.name: row for row in TABLE_1}
    assert rows["notes_in_motif"].improves(0.76, PUBLISHED.columns["Q"]["notes_in_motif"])
    assert not rows["notes_excessively_repeated"].improves(0.0, 0.0)
    assert rows["notes_not_in_key"].improves(0.005, PUBLISHED.columns["Ψ"]["notes_not_in_key"])
    assert rows["autocorrelation_lag1"].improves(0.05, -0.10)
    assert not rows["autocorrelation_lag2"].improves(-0.03, 0.03)


def test_every_column_of_the_paper_has_every_row() -> None:
    assert len(set(NAMES)) == 11
    assert all(list(column) == NAMES for column in PUBLISHED.columns.values())
    assert set(PUBLISHED.beside.values()) == set(PUBLISHED.columns)


def test_the_best_of_the_papers_is_passed_by_none_of_their_columns() -> None:
    best = PUBLISHED.best(TABLE_1)
    assert list(best) == NAMES
    for row in TABLE_1:
        figures = [column[row.name] for column in PUBLISHED.columns.values()]
        assert best[row.name] in figures
        assert not any(row.improves(other, best[row.name]) for other in figures)
