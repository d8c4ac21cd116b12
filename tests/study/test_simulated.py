"""Simulated listeners answer as their parameters say."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from planted_defects import simulated_votes
from seqtutor.study.simulated import (
    Population,
    SimulatedListener,
    outcome_probabilities,
)

MODELS = ("prior", "q", "psi", "g")


@pytest.mark.parametrize("position", [0.0, 0.8])
def test_the_odds_of_a_side_are_those_of_the_models_and_the_position(position):
    listener = SimulatedListener({"psi": 1.0}, position=position, ties=-0.5, seed=3)
    sides = Counter()
    for _ in range(20_000):
        rating = listener.answer("psi", "q").rating
        sides[(rating > 0) - (rating < 0)] += 1
    expected = outcome_probabilities(1.0 + position, -0.5)
    for side, probability in zip((-1, 0, 1), expected, strict=True):
        assert sides[side] / 20_000 == pytest.approx(probability, abs=0.011)
    assert math.log(expected[0] / expected[2]) == pytest.approx(1.0 + position)


def test_a_listener_is_the_same_again():
    def ratings():
        listener = Population({"psi": 1.0}, spread=0.5).listener(4, MODELS, seed=9)
        return [listener.answer("psi", "q") for _ in range(20)]

    assert ratings() == ratings()


def test_catch_trials_tell_attentive_listeners_from_others():
    def right(habit):
        listener = SimulatedListener({}, habit=habit, seed=1)
        answers = [listener.answer("q", "g", kind="catch", expected=-1) for _ in range(2000)]
        return sum(answer.rating < 0 for answer in answers) / len(answers)

    assert right("attentive") > 0.95
    assert right("inattentive") == pytest.approx(0.4, abs=0.04)


def test_shares_of_a_population_hold_exactly():
    population = Population({"q": 1.0}, inattentive=0.1, other_strengths={"g": 1}, other_share=0.5)
    listeners = [population.listener(number, MODELS) for number in range(40)]
    assert sum(one.habit == "inattentive" for one in listeners) == 4
    assert sum(one.strengths["g"] == 1 for one in listeners) == 20


def test_a_clip_can_be_worse_than_its_model():
    listener = SimulatedListener({}, clips={"broken": -8.0}, seed=5)
    assert all(listener.answer("q", "g", ("broken",), ("fine",)).rating > 0 for _ in range(40))


def test_pairs_and_sides_of_a_simulated_study_are_balanced():
    listeners = [SimulatedListener({}, seed=number) for number in range(3)]
    votes = simulated_votes(listeners, MODELS, 24, catch=2)
    cells = Counter((vote.left, vote.right) for vote in votes if vote.kind == "comparison")
    assert set(cells.values()) == {6}
    assert len(cells) == 12
    assert Counter(vote.listener for vote in votes) == {"l0": 26, "l1": 26, "l2": 26}
