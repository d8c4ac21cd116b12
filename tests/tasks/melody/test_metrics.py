from __future__ import annotations

import math

import numpy as np
import pytest
from golden_melodies import GOLDEN, GOLDEN_TOKENS, random_melodies

from seqtutor.tasks.melody.metrics import (
    MelodyCounts,
    aggregate,
    count_melodies,
    join_counts,
)
from seqtutor.tasks.melody.table_1 import (
    METRIC_NAMES,
    PAPER_TABLE_1,
    TABLE_1_ROWS,
    best_of_papers,
    is_better,
)

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
    values = aggregate(golden_counts).values
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
    assert tuple(values) == METRIC_NAMES


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
    for name in METRIC_NAMES:
        values = np.array([metrics.values[name] for metrics in samples])
        if not values.any():
            continue
        errors = np.array([metrics.standard_errors[name] for metrics in samples])
        # A standard deviation from 200 samples is itself known to about 5 %.
        assert np.mean(errors) == pytest.approx(values.std(ddof=1), rel=0.25), name


def test_undefined_metrics_are_nan() -> None:
    metrics = aggregate(count_melodies([[14] * 8] * 3))
    assert math.isnan(metrics.values["leaps_resolved"])
    assert math.isnan(metrics.values["autocorrelation_lag1"])
    assert metrics.values["starting_with_tonic"] == 1


def test_interval_over_melodies_of_a_proportion(golden_counts: MelodyCounts) -> None:
    metrics = aggregate(golden_counts)
    estimate = metrics.interval("unique_highest")
    p = metrics.values["unique_highest"]
    assert estimate.high - p == pytest.approx(1.972 * math.sqrt(p * (1 - p) / 199), rel=1e-3)


def test_better_follows_the_direction_of_the_row() -> None:
    assert is_better("notes_in_motif", 0.76, PAPER_TABLE_1["Q"]["notes_in_motif"])
    assert not is_better("notes_excessively_repeated", 0.0, 0.0)
    assert is_better("notes_not_in_key", 0.005, PAPER_TABLE_1["Ψ"]["notes_not_in_key"])
    assert is_better("autocorrelation_lag1", 0.05, -0.10)
    assert not is_better("autocorrelation_lag2", -0.03, 0.03)
    assert not is_better("leaps_resolved", math.nan, 0.5)
    with pytest.raises(KeyError):
        is_better("no_such_metric", 1.0, 0.0)


def test_every_column_of_the_paper_has_every_row() -> None:
    names = [row.metric for row in TABLE_1_ROWS]
    assert len(names) == len(set(names)) == 11
    assert all(list(column) == names for column in PAPER_TABLE_1.values())


def test_the_best_of_the_papers_is_passed_by_none_of_their_columns():
    best = best_of_papers()
    assert tuple(best) == METRIC_NAMES
    for metric, value in best.items():
        column_values = [column[metric] for column in PAPER_TABLE_1.values()]
        assert value in column_values
        assert not any(is_better(metric, other, value) for other in column_values)
