"""What a study's results say: figures, JSON, sentences, tables, the figure and the section."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from planted_defects import simulated_votes
from seqtutor.errors import UserError
from seqtutor.report.tables import render_markdown
from seqtutor.study.inference import Bounded
from seqtutor.study.presentation import (
    bounded_in_words,
    tables,
    verdict_lines,
    wins_figure,
)
from seqtutor.study.results import results_of
from seqtutor.study.section import ink_colors, section_html
from seqtutor.study.simulated import Population

MODELS = ("prior", "q", "psi")


def votes_of(population, listeners=12, comparisons=18, seed=0):
    drawn = [population.listener(number, MODELS, seed) for number in range(listeners)]
    return simulated_votes(drawn, MODELS, comparisons, catch=1, seed=seed)


@pytest.fixture(scope="module")
def votes():
    return votes_of(Population({"psi": 1.2}, position=0.8))


@pytest.fixture(scope="module")
def results(votes):
    return results_of(votes, MODELS, {"l3": "failed catch trials"})


def test_wins_are_those_of_the_votes_that_count(votes, results):
    kept = [vote for vote in votes if vote.kind == "comparison" and vote.listener != "l3"]
    assert results.votes == len(kept) == 11 * 18
    for model in MODELS:
        won = sum(vote.left == model and vote.rating < 0 for vote in kept)
        won += sum(vote.right == model and vote.rating > 0 for vote in kept)
        assert results.wins[model].wins == won
    total = sum(own.wins for own in results.wins.values())
    ties = sum(own.ties for own in results.wins.values())
    assert 2 * total + ties == sum(own.comparisons for own in results.wins.values())


def test_json_has_the_names_that_checks_use(results):
    found = json.loads(json.dumps(results.to_json(), allow_nan=False))
    assert found["bradley_terry"]["prior"] == {"estimate": 0.0, "low": 0.0, "high": 0.0}
    psi = found["bradley_terry"]["psi"]
    assert psi["low"] < 1.2 < psi["high"]
    assert psi["low"] < psi["estimate"] < psi["high"]
    assert found["position"]["low"] < 0.8 < found["position"]["high"]
    assert set(found["wins"]) == set(MODELS)
    assert {"H", "df", "p"} <= set(found["kruskal_wallis"])
    assert len(found["mann_whitney"]) == len(found["differences"]) == 3
    assert found["excluded"] == {"l3": "failed catch trials"}


def test_results_are_the_same_again(votes, results):
    assert results_of(votes, MODELS, {"l3": "failed catch trials"}).to_json() == results.to_json()


def test_sentences_follow_from_the_numbers(results):
    text = "\n".join(verdict_lines(results))
    assert "198 votes of 11 listeners count. Excluded: 1 (failed catch trials)." in text
    assert "psi is preferred most" in text
    assert "Not told apart: prior–q" in text or "Not told apart: q–prior" in text
    assert "A side is favoured" in text
    assert "1.50 times too large" in text


def test_a_model_that_wins_always_has_no_upper_end_and_a_word():
    results = results_of(votes_of(Population({"psi": 40.0})), MODELS)
    psi = results.to_json()["bradley_terry"]["psi"]
    assert psi["high"] is None
    assert 1 < psi["low"] < psi["estimate"]
    text = "\n".join([*verdict_lines(results), *(render_markdown(t) for t in tables(results))])
    assert "more than" in text
    assert "may be much larger" in text
    wins_figure(results.wins, strengths=results.strengths)


@pytest.mark.parametrize(
    ("bounded", "words"),
    [
        (Bounded(1.0, 0.5, 1.5), "1.00 ± 0.50"),
        (Bounded(9.0, 2.1, float("inf")), "more than 2.10"),
        (Bounded(-9.0, float("-inf"), -2.1), "less than −2.10"),
        (Bounded(0.0, float("-inf"), float("inf")), "not known"),
    ],
)
def test_open_ends_in_words(bounded, words):
    assert bounded_in_words(bounded) == words


def test_without_votes_or_with_an_unknown_model_there_is_one_line(votes):
    with pytest.raises(UserError, match="nothing to analyse"):
        results_of([], MODELS)
    with pytest.raises(UserError, match="'psi', which is not one of prior, q"):
        results_of(votes, MODELS[:2])
    with pytest.raises(UserError, match="at least two models"):
        results_of(votes, ("psi",))


def test_two_models_and_one_listener_are_enough(votes):
    few = [v for v in votes if v.listener == "l0" and {v.left, v.right} == {"prior", "psi"}]
    found = results_of(few, ("prior", "psi"))
    assert found.listeners == 1
    assert found.any_difference is None
    json.dumps(found.to_json(), allow_nan=False)
    assert verdict_lines(found)


def test_one_listener_tells_nothing_of_listeners(votes):
    few = [vote for vote in votes if vote.listener == "l0"]
    found = results_of(few, MODELS)
    text = "\n".join([*verdict_lines(found), *(render_markdown(t) for t in tables(found))])
    for claim in (
        "are over listeners",
        "over listeners p",
        "Krippendorff",
        "taste",
        "tell them apart",
        "nan",
    ):
        assert claim not in text, claim
    assert f"{len(few) - 1} votes of 1 listener count." in text
    assert "take at least two" in text
    told = found.to_json()
    assert told["bradley_terry"]["psi"]["estimate"] is not None
    assert told["bradley_terry"]["psi"]["low"] is told["position"]["high"] is None
    assert told["agreement"]["estimate"] is None
    tests = [told["kruskal_wallis"], *told["mann_whitney"]]
    assert [one["p_listeners"] for one in tests] == [None] * 4
    assert [one["p_holm"] for one in told["differences"]] == [None] * 3
    wins_figure(found.wins, strengths=found.strengths)
    section_html(found, verdict_lines(found))


def test_no_difference_is_not_called_a_finding():
    found = results_of(votes_of(Population(), seed=1), MODELS)
    assert found.heterogeneity.p > 0.05
    text = "\n".join(verdict_lines(found))
    assert "No difference in taste was shown over all models (p = 0" in text
    assert "Listeners do not differ" not in text


def test_what_a_warning_says_is_not_said_again(results):
    (position,) = set(verdict_lines(results)) - set(verdict_lines(results, ["position bias"]))
    assert position.startswith("A side is favoured")
    html = section_html(results, ["Found."], remarks=["First."], warnings=["Careful."])
    assert html.index("First.") < html.index("Found.") < html.index("Careful.")


def test_the_section_shows_names_as_text_and_has_no_style_of_its_own(votes):
    evil = "<img src=x onerror=alert(1)>"
    renamed = [
        replace(
            vote,
            left=evil if vote.left == "q" else vote.left,
            right=evil if vote.right == "q" else vote.right,
        )
        for vote in votes
    ]
    models = ("prior", evil, "psi")
    html = section_html(results_of(renamed, models), ["<b>Found</b>"], facts={"<b>": "<b>"})
    assert "<img" not in html
    assert "<b>" not in html
    assert "style=" not in html
    assert "<script" not in html
    assert html.count("<table>") == 3
    assert set(ink_colors(models)) == {"--ink-0", "--ink-1", "--ink-2"}


def test_the_figure_is_written_and_the_same_again(results, tmp_path):
    for name in ("a.svg", "b.svg"):
        wins_figure(results.wins, tmp_path / name, results.strengths)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    bars = wins_figure(results.wins).axes[0].patches
    assert [bar.get_height() for bar in bars] == [own.wins for own in results.wins.values()]


def test_the_figure_keeps_the_names_of_the_study_and_says_what_its_bars_are(results):
    wins, strengths = wins_figure(results.wins, strengths=results.strengths).axes
    for panel in (wins, strengths):
        assert tuple(label.get_text() for label in panel.get_xticklabels()) == MODELS
    assert "binomial standard deviation" in wins.get_xlabel()
    assert "95 % interval" in strengths.get_xlabel()
    assert strengths.get_ylabel() == "log-odds against prior"
