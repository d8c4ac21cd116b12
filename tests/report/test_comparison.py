"""The report says what the numbers say, and the figures show them."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
from comparisons import control, controls, policy, runs
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqtutor.measures.intervals import Interval, difference
from seqtutor.report import reading
from seqtutor.report.comparison import Comparison, _objectives, write_comparison
from seqtutor.report.frontier import BEST_OF_N, PRIOR, TEMPERATURE, frontiers_of, points_of
from seqtutor.report.frontier_figures import diversity_figure, frontier_figure, learning_curves


def compared(*policies):
    points = points_of(policies)
    return points, frontiers_of(points)


def history(final, seconds):
    step = np.arange(1, 11) * 100
    reward = final * (1 - np.exp(-step / 300))
    return {"step": step, "seconds": seconds * step / 1000, "reward": reward}


HISTORIES = {
    c: {m: [history(c, 10.0 + seed) for seed in range(3)] for m in ("psi", "q")} for c in (0.5, 1.0)
}
POLICIES = (*runs("psi", 1.0), *runs("q", 0.5), *controls())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("comparison")
    write_comparison(
        Comparison("Two methods", ["A remark."], POLICIES, HISTORIES, 500, (), "word", "words"),
        path,
    )
    return path


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_results_have_a_row_for_each_policy_and_seed(folder):
    found = rows(folder / "results.csv")
    assert len(found) == len(POLICIES)
    for row, one in zip(found, POLICIES, strict=True):
        assert (row["policy"], int(row["seed"])) == (one.name, one.seed)
        assert row["c"] == ("" if one.c is None else str(one.c))
        assert row["parameter"] == ("" if one.parameter is None else str(one.parameter))
        assert float(row["reward"]) == one.estimates["reward"].value
        assert row["seconds"] == ("" if one.c is None else str(one.estimates["seconds"].value))
    assert {row["entropy"] for row in found if row["policy"] == BEST_OF_N} == {""}


def test_the_summary_has_the_intervals_of_the_points(folder):
    found = rows(folder / "summary.csv")
    points = points_of(POLICIES)
    assert len(found) == len(points)
    for row, point in zip(found, points, strict=True):
        interval = point.interval("kl")
        shown = [float(row[name]) for name in ("kl", "kl_low", "kl_high")]
        assert shown == pytest.approx(list(interval))


def test_the_best_temperature_is_that_of_the_prior_itself_where_no_other_is_better():
    """At c = 1 the objective of the hotter prior is −1.5, and that of the prior 0."""
    found = _objectives(points_of((*runs("psi", 1.0), *controls())))[1.0]
    assert found[reading.BEST_TEMPERATURE].value == found[PRIOR].value == 0


def test_the_tables_at_equal_kl_are_kept_as_numbers(folder):
    found = rows(folder / "equal_kl.csv")
    kls = sorted({float(row["kl"]) for row in found})
    assert len(kls) == 4
    psi = next(one for one in frontiers_of(points_of(POLICIES)) if one.name == "psi")
    for row in found:
        if row["policy"] == "psi" and row["measure"] == "reward":
            assert float(row["value"]) == psi.at_kl(float(row["kl"])).reward.value


def test_the_report_leads_through_everything(folder):
    report = (folder / "report.md").read_text(encoding="utf-8")
    for name in ("frontier", "diversity", "learning"):
        assert f"({name}.png)" in report
        assert (folder / f"{name}.png").stat().st_size > 10_000
        assert (folder / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert "A remark." in report
    assert "500 words" in report
    assert "Not reached by" in report


def test_a_clear_winner_is_named_with_its_lead():
    points, frontiers = compared(*runs("psi", 1.0), *runs("q", 0.5))
    (sentence,) = reading.winners([5.0], frontiers)
    assert "Ψ earns most" in sentence
    assert "ahead of Q" in sentence
    assert "Not settled" not in sentence
    (other,) = reading.winners([5.0], compared(*runs("psi", 0.5), *runs("q", 1.0))[1])
    assert "Q earns most" in other
    assert "ahead of Ψ" in other
    assert len(points) == 6


def test_a_lead_within_the_interval_is_not_settled():
    _, frontiers = compared(*runs("psi", 1.0, spread=1.0), *runs("q", 0.9, spread=1.0))
    (sentence,) = reading.winners([5.0], frontiers)
    assert "Not settled" in sentence
    assert "ahead of" not in sentence


def test_a_control_that_wins_is_said_to_take_no_training():
    best = control(BEST_OF_N, 64, 6.0, 50.0)
    prior = control(PRIOR, None, 0.0, 0.0)
    points, frontiers = compared(*runs("psi", 1.0), prior, best)
    (sentence,) = reading.winners([5.0], frontiers)
    assert "best of n, without any training, earns most" in sentence
    (told,) = reading.dominated(points)
    assert told.startswith("Ψ: the best of 64 earns 50.000 ± 0.039 at 6 nats, more than Ψ at c = 0")
    assert "and at c = 1 (8 nats; by 4" in told
    assert "at c = 2" not in told
    assert told.endswith(", beyond the interval.")
    (nobody,) = reading.winners([90.0], frontiers)
    assert "not reached by any" in nobody


def test_an_older_method_ahead_of_a_newer_one_is_told():
    def sentences(height):
        policies = (*runs("reinforce", 1.0), *runs("merl", height), *runs("rl-only", 0.1))
        return reading.older_beats_newer([4.0, 9.0], compared(*policies)[1])

    (told,) = sentences(0.2)
    assert told.startswith("REINFORCE (1992) earns more than MERL (2020) by up to 0.8")
    assert "at 4 and 9 nats" in told
    assert "RL only" not in told
    (nothing,) = sentences(1.8)
    assert nothing.startswith("Nowhere")
    (nothing, *by_the_mean) = sentences(0.999)
    assert nothing.startswith("Nowhere")
    assert all("By the mean, within the interval, REINFORCE" in one for one in by_the_mean)
    (alone,) = reading.older_beats_newer([], compared(*runs("psi", 1.0), *runs("q", 0.5))[1])
    assert alone.startswith("No older and newer method were compared")


def reward_policies(c=10.0, **methods):
    """Policies of each method at 1.8 nats, with the given rewards of its seeds."""
    return [
        policy(name, seed, c, 1.8, reward)
        for name, rewards in methods.items()
        for seed, reward in enumerate(rewards)
    ]


CONTROL_REWARD = 47.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(30, 60), min_size=2, max_size=4),
    st.sampled_from([0.6, 1.8, 2.5]),
)
def test_what_is_said_of_a_control_follows_from_the_intervals(rewards, control_kl):
    best = control(BEST_OF_N, 4, control_kl, CONTROL_REWARD)
    points = points_of([*reward_policies(psi=rewards), best])
    lead = CONTROL_REWARD - np.mean(rewards)
    half = np.hypot(points[0].interval("reward").half_width, 1.96 * 0.02)
    assume(abs(abs(lead) - half) > 1e-3)
    (told,) = reading.dominated(points)
    if lead > 0 and control_kl < 1.8:
        assert told.startswith("Ψ: the best of 4 earns 47.000 ± 0.039 at 0.6 nats, more than Ψ")
        assert reading.shown(Interval(lead, lead - half, lead + half)) in told
        assert ("beyond the interval" in told) == (lead > half)
        assert ("within the interval" in told) == (lead < half)
    else:
        assert told.startswith("No control earns more")
        assert "not even by the mean" in told


def test_a_control_nearer_by_the_mean_alone_is_told_as_such():
    far = [policy("psi", seed, 1.0, kl, 10.0) for seed, kl in enumerate((1.0, 9.0))]
    (told,) = reading.dominated(points_of([*far, control(BEST_OF_N, 4, 0.6, 47.0)]))
    assert "beyond the interval, at a KL divergence that is smaller by the mean alone" in told
    assert reading.dominated(points_of(far)) == ["No control was measured."]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["psi", "q", PRIOR, BEST_OF_N]),
        st.tuples(st.floats(-9, 9), st.floats(0.01, 5)),
        min_size=2,
    )
)
def test_no_method_is_called_the_highest_where_a_control_has_more(table):
    values = {name: Interval(v, v - half, v + half) for name, (v, half) in table.items()}
    methods = [name for name in values if name in ("psi", "q")]
    told = reading.objective_winners({5.0: values})
    if not methods:
        assert told == []
        return
    best = max(values, key=lambda name: values[name].value)
    method = max(methods, key=lambda name: values[name].value)
    controls = [name for name in values if name not in methods]
    assert told[0].startswith(f"**c = 5**: {reading.title_of(best)}")
    assert told[0].count("without any training") == (best in controls)
    if not controls:
        assert "interval" not in told[0] or "Within the interval" in told[0]
        return
    control_name = max(controls, key=lambda name: values[name].value)
    higher, lower = sorted([method, control_name], key=lambda n: -values[n].value)
    gain = difference(values[higher], values[lower])
    doubt = "beyond" if gain.excludes_zero else "within"
    assert f"lower by {reading.shown(gain)}, {doubt} the interval." in told[0]


def test_methods_that_do_not_overlap_are_said_to(tmp_path):
    policies = [*reward_policies(5.0, psi=[47, 49]), *reward_policies(10.0, psi=[41, 42])]
    policies += [policy("rloo", seed, 5.0, 7.0 + seed, 60.0) for seed in range(2)]
    histories = {c: {m: [history(1, 2)] for m in ("psi", "rloo")} for c in (5.0, 10.0)}
    (tmp_path / "equal_kl.csv").write_text("of an earlier call", encoding="utf-8")
    for kls in ((), (500.0,)):
        page = write_comparison(Comparison("T", [], policies, histories, 10, kls), tmp_path)
        report = page.read_text(encoding="utf-8")
        assert "reach, in nats a sequence: Ψ 1.8 and RLOO 7.5." in report
        assert "equal_kl.csv" not in report
        assert not (tmp_path / "equal_kl.csv").exists()
        assert "| Reward a sequence |" not in report
    assert "**At 500 nats a sequence**: not reached by any." in report


def test_collapsed_policies_are_counted():
    healthy = runs("psi", 1.0)
    ill = [replace(p, is_collapsed=p.c == 0.5 and p.seed > 0) for p in runs("q", 0.5)]
    assert reading.collapsed(points_of([*healthy, *ill])) == ["Q at c = 0.5 (2 of 3 seeds)."]
    assert reading.collapsed(points_of(healthy)) == ["No policy has collapsed."]


def test_the_objective_is_compared_at_each_c(tmp_path):
    policies = [
        *(policy("psi", seed, 2.0, 3.0, 20.0 + seed / 100) for seed in range(3)),
        *(policy("q", seed, 2.0, 3.0, 10.0 + seed / 100) for seed in range(3)),
        *controls(),
        control(BEST_OF_N, 8, 1.0, 30.0),
        control(TEMPERATURE, 1.5, 1.0, 6.0),
    ]
    histories = {2.0: {"psi": [history(1, 2)], "q": [history(1, 2)]}}
    page = write_comparison(Comparison("One c", [], policies, histories, 10), tmp_path)
    report = page.read_text(encoding="utf-8")
    assert "No two of these lines have a KL divergence in common" in report
    assert "**c = 2**: best of n, without any training, has the highest, 14.000" in report
    assert "The highest of a method is Ψ's, 7.005" in report
    assert "lower by 6.995" in report
    for name, value in ((BEST_OF_N, "14.000"), ("prior at its best temperature", "2.000")):
        assert any(
            line.startswith(f"| {reading.title_of(name)} | {value} ±")
            for line in report.splitlines()
        ), name


def test_lines_and_marks_stand_where_the_points_are():
    points, frontiers = compared(*POLICIES)
    for figure, measure in (
        (frontier_figure(points, frontiers), "reward"),
        (diversity_figure(points, frontiers), "distinct"),
    ):
        lines = figure.axes[0].lines
        for method in ("psi", "q"):
            own = next(one for one in frontiers if one.name == method).points
            expected = [(p.kl, p.interval(measure).value) for p in own]
            assert any(
                len(line.get_xdata()) == 3 and np.allclose(line.get_xydata(), expected)
                for line in lines
            ), method
    low, high = frontier_figure(points, frontiers).axes[0].get_ylim()
    assert -90 < low < 0, "the cooler prior leaves the figure"
    assert high > max(point.interval("reward").value for point in points)


def test_bars_are_the_intervals_in_both_directions():
    own = [policy("psi", s, 1.0, 9.0 + s, 4.0 + 2 * s) for s in range(3)]
    points, frontiers = compared(*own)
    panel = frontier_figure(points, frontiers).axes[0]
    segments = [path.vertices for bar in panel.collections for path in bar.get_paths()]
    across, up = points[0].interval("kl"), points[0].interval("reward")
    assert any(np.allclose(v, [[across.low, 6.0], [across.high, 6.0]]) for v in segments)
    assert any(np.allclose(v, [[10.0, up.low], [10.0, up.high]]) for v in segments)


def test_what_is_not_known_is_not_drawn():
    points, frontiers = compared(*POLICIES)
    entropy = diversity_figure(points, frontiers).axes[1]
    drawn = np.concatenate([line.get_ydata() for line in entropy.lines])
    assert not np.isnan(np.asarray(drawn, float)).any()


def test_learning_is_shown_over_steps_and_over_their_mean_seconds():
    figure = learning_curves(HISTORIES)
    assert len(figure.axes) == 4
    assert [panel.get_title(loc="left") for panel in figure.axes[:2]] == ["c = 0.5", "c = 1"]
    steps, seconds = figure.axes[0].lines[0], figure.axes[2].lines[0]
    np.testing.assert_array_equal(steps.get_xdata(), np.arange(1, 11) * 100)
    np.testing.assert_allclose(seconds.get_xdata(), 11.0 * np.arange(1, 11) / 10)
    np.testing.assert_array_equal(seconds.get_ydata(), steps.get_ydata())


def test_one_run_and_no_controls_are_enough(tmp_path):
    one = Comparison(
        "One run", [], [policy("psi", 0, 1.0, 5.0, 2.0)], {1.0: {"psi": [history(1, 2)]}}, 10
    )
    write_comparison(one, tmp_path)
    (row,) = rows(tmp_path / "results.csv")
    assert float(row["kl"]) == 5.0
    assert not (tmp_path / "equal_kl.csv").exists()
    summary = rows(tmp_path / "summary.csv")[0]
    assert float(summary["reward_high"]) == pytest.approx(2.0 + 1.96 * 0.02, abs=1e-4)
    assert summary["distinct_low"] == ""
    assert math.isclose(float(summary["distinct"]), 0.9)
