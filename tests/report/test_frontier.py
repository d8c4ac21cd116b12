"""The frontier is read off where it is drawn."""

import ast
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparisons import control, controls, policy, runs
from hypothesis import given
from hypothesis import strategies as st

import seqtutor
from seqtutor.measure import Estimate
from seqtutor.measures.intervals import mean_interval
from seqtutor.report.frontier import (
    BEST_OF_N,
    PRIOR,
    common_kls,
    frontiers_of,
    points_of,
    position,
)


def frontier(policies, name):
    return next(one for one in frontiers_of(points_of(policies)) if one.name == name)


def test_policies_that_differ_in_the_seed_alone_are_one_point():
    points = points_of([*runs("psi", 1.0), *runs("q", 0.5), *controls()])
    tuned = [(point.name, point.setting, point.seeds) for point in points[:6]]
    assert tuned == [(name, c, 3) for name in ("psi", "q") for c in (0.5, 1.0, 2.0)]
    assert [(p.name, p.setting) for p in points[6:]] == [
        (PRIOR, 1.0),
        ("temperature", 0.5),
        ("temperature", 2.0),
        (BEST_OF_N, 4),
        (BEST_OF_N, 64),
    ]


def test_a_point_has_the_interval_over_its_seeds():
    own = [policy("psi", seed, 1.0, 5.0, reward) for seed, reward in enumerate((1.0, 2.0, 4.5))]
    (point,) = points_of(own)
    mean, half = mean_interval([1.0, 2.0, 4.5])
    assert point.interval("reward") == pytest.approx((mean, mean - half, mean + half))
    assert math.isnan(point.interval("reward_per_step").value)


def test_between_points_it_follows_the_straight_line_of_the_figure():
    own = [policy("psi", 0, c, kl, reward) for c, kl, reward in ((1.0, 10.0, 5.0), (2.0, 2.0, 1.0))]
    middle = float(np.sinh((np.arcsinh(10.0) + np.arcsinh(2.0)) / 2))
    found = frontier(own, "psi").at_kl(middle)
    assert found.reward.value == pytest.approx(3.0)
    assert found.intervals["seconds"].value == pytest.approx(10.0)
    assert found.reward.low < 3.0 < found.reward.high
    # Nobody knows how another seed would have come out, nor these measures' standard errors.
    assert math.isnan(found.intervals["distinct"].low)


@given(st.floats(0.01, 200.0))
def test_at_a_point_it_has_the_values_of_the_point_and_beyond_the_ends_none(kl):
    own = frontier(runs("psi", 1.0), "psi")
    low, high = own.range
    assert (own.at_kl(kl) is None) == (not low <= kl <= high)
    for point in own.points:
        at = own.at_kl(point.kl)
        assert at.reward.value == pytest.approx(point.interval("reward").value)


def test_at_a_point_the_bootstrap_is_the_interval_over_seeds():
    own = frontier(runs("psi", 1.0, seeds=5), "psi")
    middle = own.points[1]
    at = own.at_kl(middle.kl).reward
    assert at.half_width == pytest.approx(middle.interval("reward").half_width, rel=0.1)


def test_noise_of_the_divergence_widens_the_interval_where_the_frontier_is_steep():
    steady = [policy("g", seed, c, kl, kl) for seed in range(5) for c, kl in ((1, 8.0), (2, 2.0))]
    generator = np.random.default_rng(0)
    shaky = []
    for one in steady:
        kl = Estimate(one.estimates["kl"].value + generator.normal(), 0.001)
        shaky.append(replace(one, estimates={**one.estimates, "kl": kl}))
    widths = [frontier(own, "g").at_kl(5.0).reward.half_width for own in (steady, shaky)]
    assert widths[1] > 10 * widths[0]


def test_points_out_of_order_in_c_are_taken_in_the_order_of_their_divergence():
    settings = ((0.5, 6.0, 3.0), (1.0, 9.0, 4.0), (2.0, 2.0, 1.0))
    own = frontier([policy("q", 0, *one) for one in settings], "q")
    assert [point.kl for point in own.points] == [2.0, 6.0, 9.0]
    assert own.at_kl(6.0).reward.value == pytest.approx(3.0)


def test_a_single_point_is_reached_only_where_it_stands():
    own = frontier([policy("q", seed, 1.0, 4.0, 2.0 + seed) for seed in range(2)], "q")
    assert own.at_kl(4.0).reward.value == pytest.approx(2.5)
    assert own.at_kl(4.1) is None
    assert common_kls([own, own]) == []


def test_controls_begin_at_the_prior():
    found = {one.name: one for one in frontiers_of(points_of(controls()))}
    assert set(found) == {"cooler prior", "hotter prior", BEST_OF_N}
    for one in found.values():
        assert one.is_control
        assert one.range[0] == 0.0
        assert one.at_kl(0.0).reward.value == 0.0
    assert 0 < found[BEST_OF_N].at_kl(0.3).reward.value < 3.0
    assert math.isnan(found[BEST_OF_N].at_kl(1.0).intervals["entropy"].value)
    assert found["cooler prior"].at_kl(3.0).reward.value == pytest.approx(-90.0)


def test_common_divergences_lie_where_methods_overlap():
    def method(name, low, high):
        return [policy(name, 0, 1.0, high, 1.0), policy(name, 0, 2.0, low, 0.0)]

    def kls(*ranges):
        policies = [p for i, (a, b) in enumerate(ranges) for p in method(f"m{i}", a, b)]
        return common_kls(frontiers_of(points_of([*policies, *controls()])))

    both = kls((1.0, 20.0), (5.0, 100.0))
    assert len(both) == 4
    assert all(5 <= kl <= 20 for kl in both)
    np.testing.assert_allclose(np.diff(position(np.array(both))), np.log(4) / 4, atol=0.06)
    assert kls((1.0, 2.0), (5.0, 9.0)) == []
    assert kls((1.0, 2.0)) == []
    # Two islands of overlap: none of the values lies in the gap between them.
    assert all(not 2 < kl < 40 for kl in kls((1, 2), (1, 2), (40, 80), (40, 80)))


def test_the_bootstrap_is_the_same_in_every_call_and_another_for_every_method():
    def resampled(name):
        policies = [replace(one, name=name) for one in runs("psi", 1.0)]
        return frontier(policies, name).at_kl(5.0).reward

    assert resampled("psi") == resampled("psi")
    assert resampled("psi").value == resampled("q").value
    assert resampled("psi").low != resampled("q").low


def test_a_control_that_earns_nothing_known_does_not_break_the_rest():
    policies = [*runs("psi", 1.0), control(PRIOR, None, 0.0, 0.0)]
    assert [one.name for one in frontiers_of(points_of(policies))] == ["psi"]


@pytest.mark.parametrize("name", ["frontier", "frontier_figures", "comparison", "reading"])
def test_the_comparison_knows_no_task(name):
    source = Path(seqtutor.__file__).parent / "report" / f"{name}.py"
    modules = {
        node.module
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    own = {module.split(".")[1] for module in modules if module.startswith("seqtutor.")}
    assert own <= {"report", "measures", "measure", "methods", "errors", "files"}
