"""Each planted defect is flagged, and a clean study is told nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulated_studies import benchmark

from seqtutor.study.clip_checks import named_files
from seqtutor.study.listener_checks import duplicates, robots
from seqtutor.study.warnings import study_warnings

planted = benchmark("planted_defects")
MODELS, PLAN = planted.MODELS, planted.Plan()


@pytest.mark.parametrize("defect", planted.PLANTED)
def test_a_planted_defect_is_flagged_with_what_to_do(defect):
    votes, files = planted.PLANTED[defect](1, PLAN)
    found = {one.defect: one for one in study_warnings(votes, MODELS, files)}
    assert defect in found
    assert found[defect].sentence.endswith(".")
    assert found[defect].remedy.endswith(".")


@pytest.mark.parametrize("seed", range(8))
def test_a_clean_study_is_told_nothing(seed):
    votes, files = planted.clean(seed, PLAN)
    assert study_warnings(votes, MODELS, files) == []


def test_whom_and_what_a_warning_concerns():
    found = {}
    for defect in ("inattentive listeners", "robot", "one-sided listener", "broken clip"):
        votes, files = planted.PLANTED[defect](1, PLAN)
        warnings = {one.defect: one for one in study_warnings(votes, MODELS, files)}
        found[defect] = warnings[defect].concerns
    # One of the three may pass for attentive.
    assert {"l9", "l19"} <= set(found["inattentive listeners"]) <= {"l9", "l19", "l29"}
    assert found["robot"] == found["one-sided listener"] == ("l2",)
    assert found["broken clip"] == (planted.BROKEN_CLIP,)


def test_three_listeners_are_too_few_to_call_one_inattentive():
    votes, _ = planted.PLANTED["inattentive listeners"](1, PLAN)
    few = [vote for vote in votes if vote.listener in ("l1", "l9", "l19")]
    assert "inattentive listeners" not in {one.defect for one in study_warnings(few, MODELS)}


def test_the_same_person_under_two_names_is_the_pair():
    votes, _ = planted.duplicates(1, PLAN)
    assert [one.listener for one in duplicates(votes, MODELS, 0.004)] == ["l1\ncopy"]
    votes, _ = planted.clean(1, PLAN)
    renamed = [
        replace(vote, listener="copy", rating=-vote.rating, order=1000 - vote.order)
        for vote in votes
        if vote.listener == "l1"
    ]
    (found,) = duplicates([*votes, *renamed], MODELS, 0.004)
    assert "the same time" in found.why


@pytest.mark.parametrize("pattern", [(1, 1, 1), (2, -2), (-2, -1, 0, 1, 2), (1, 0, -1, 0)])
def test_patterns_of_answers_are_those_of_a_robot(pattern):
    votes, _ = planted.clean(2, PLAN)
    turned = [
        replace(vote, rating=pattern[vote.order % len(pattern)]) if vote.listener == "l4" else vote
        for vote in votes
    ]
    assert [one.listener for one in robots(turned, MODELS, 0.004)] == ["l4"]


def test_a_clip_that_was_not_started_is_broken():
    votes, _ = planted.clean(3, PLAN)
    silent = [
        replace(vote, left_plays=0) if vote.left_clips == ("q/1",) else vote
        for vote in votes
        if vote.right_clips != ("q/1",)
    ]
    (found,) = study_warnings(silent, MODELS)
    assert (found.defect, found.concerns) == ("broken clip", ("q/1",))


def test_adaptive_pairs_need_no_balance():
    votes, _ = planted.unbalanced(1, PLAN)
    assert [one.defect for one in study_warnings(votes, MODELS)] == ["unbalanced pairs"]
    assert study_warnings(votes, MODELS, adaptive=True) == []


def test_a_study_without_votes_only_looks_at_names():
    assert study_warnings([], MODELS) == []
    assert [one.defect for one in study_warnings([], MODELS, ["psi.ogg"])] == ["named file"]


@pytest.mark.parametrize(
    ("file", "model"),
    [
        ("psi_07.ogg", "psi"),
        ("clips/Q-1.wav", "q"),
        ("psi/3.ogg", "psi"),
        ("myPrior3.ogg", "prior"),
        ("run/g.flac", "g"),
        ("a7q3.ogg", None),
        ("epsilon.ogg", None),
        ("0f1e2d3c.ogg", None),
        ("c.ogg", None),
    ],
)
def test_names_of_models_in_names_of_files(file, model):
    found = named_files([file], MODELS)
    assert [name for _, name in found] == ([model] if model else [])
