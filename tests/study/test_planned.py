"""What was planned beside what has come, and the facts by which a study can be repeated."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from small_study import QUICK, small_study

from seqtutor.cli.main import main
from seqtutor.study.analysis import page_section
from seqtutor.study.plan import Rules
from seqtutor.study.planned import facts_of, progress_of
from seqtutor.study.power import power_of


def test_fewer_listeners_than_planned_have_less_power(tmp_path):
    plan = small_study(tmp_path / "s", listeners=60, comparisons=6).plan
    early, done = progress_of(plan, 20, 120), progress_of(plan, 60, 360)
    assert early.power == power_of(20, 0.5, 6)
    assert early.planned_power == done.power
    assert early.power.power < done.power.power
    assert str(early).startswith("20 of the 60 planned listeners count.")
    assert "fixed beforehand" in str(early)
    assert str(done).startswith("60 listeners were planned.")
    assert "not in" not in str(done)
    assert "fixed beforehand" not in str(done)


def test_sessions_that_are_not_finished_count_for_less(tmp_path):
    plan = small_study(tmp_path / "s", listeners=60, comparisons=6).plan
    assert progress_of(plan, 20, 60).power == power_of(20, 0.5, 3)


def test_no_power_is_told_of_adaptive_pairs(tmp_path):
    plan = small_study(tmp_path / "s", adaptive=True).plan
    found = progress_of(plan, 2, 6)
    assert found.power is None
    assert "of such studies" not in str(found)
    assert set(found.to_json().values()) == {4, None}


@pytest.mark.parametrize("partial", ["keep", "drop"])
def test_facts_are_those_of_the_plan(tmp_path, partial):
    study = small_study(tmp_path / "s", temperature=0.8, rules=Rules(partial=partial))
    facts = facts_of(study)
    assert facts["Question"] == study.plan.words.question
    assert facts["Clips"].startswith("3 of each model, compared in pairs.")
    assert facts["Trials of each"] == "3 comparisons, 1 for practice, 1 catch trial"
    assert facts["Sampling"] == "temperature 0.8, seed 0"
    assert facts["Plan"] == f"SHA-256 {study.sha256}"
    assert ("not finished" in facts["Left out for"]) == (partial == "drop")
    assert "a side never started in over 50 % of comparisons" in facts["Left out for"]
    plan = replace(study.plan, rules=replace(study.plan.rules, unheard=1.0))
    assert "never started" not in facts_of(replace(study, plan=plan))["Left out for"]


def test_results_and_the_report_tell_what_was_planned(tmp_path, capsys):
    study = small_study(tmp_path / "s", rules=QUICK)
    folder = str(study.folder)
    assert main(["study", "simulate", folder, "--listeners", "3"]) == 0
    capsys.readouterr()
    assert main(["study", "results", folder]) == 0
    assert "3 of the 4 planned listeners count." in capsys.readouterr().out
    assert main(["study", "results", folder, "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)["planned"]
    assert planned["listeners"] == 4
    assert 0 < planned["power_reached"] < planned["power"] < 1
    html = page_section(study.folder, "tones", "Note RNN").html
    for name, fact in facts_of(study).items():
        assert name == "Models" or fact in html
    elsewhere = "elsewhere on this page"
    assert f"prior (Note RNN {elsewhere}), psi (Ψ {elsewhere})" in html
