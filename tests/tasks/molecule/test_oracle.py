"""The record of an oracle against PMO's definition, counted out call by call."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.tasks.molecule.goals import BUDGET, CELECOXIB, GOALS, ISOMER
from seqtutor.tasks.molecule.oracle import (
    Oracle,
    area_under_best,
    best_so_far,
    curve_points,
    mean_of_best,
)
from seqtutor.tasks.molecule.presets import PRESETS
from seqtutor.tasks.molecule.reward_settings import (
    IsomerTerm,
    MoleculeRewardSettings,
    ScaledTerm,
    SimilarityTerm,
)
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.settings import MoleculeSettings
from seqtutor.tasks.molecule.task import require_elements
from seqtutor.tasks.molecule.terms import measurer_for
from seqtutor.tasks.molecule.tokens import elements_of
from seqtutor.vocabulary import Vocabulary

NUMBERS = st.floats(-10, 10)
MOLECULES = st.lists(st.tuples(st.sampled_from(["C", "CC", "N", "O", None]), NUMBERS), max_size=6)


def directly(values, budget, number):
    """PMO's area, as the sum over single calls of the height of the line above each."""
    values = list(values)[:budget]
    points = {0: 0.0}
    for calls in range(1, len(values) + 1):
        if calls % 100 == 0 or calls == len(values):
            best = sorted(values[:calls], reverse=True)[:number]
            points[calls] = sum(best) / len(best)
    ends = sorted(points)
    area = 0.0
    for left, right in itertools.pairwise(ends):
        for call in range(left, right):
            share = (call + 0.5 - left) / (right - left)
            area += points[left] + share * (points[right] - points[left])
    for _ in range(len(values), budget):
        area += points[ends[-1]]
    return area / budget


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 470),
    st.integers(1, 500),
    st.sampled_from([1, 10, 100]),
    st.integers(0, 9),
)
def test_the_area_is_that_of_the_benchmark(calls, budget, number, seed):
    values = np.random.default_rng(seed).normal(size=calls)
    expected = directly(values, budget, number)
    assert area_under_best(values, budget, number) == pytest.approx(expected)


def test_the_area_by_hand():
    assert area_under_best(np.full(100, 0.8), 100) == pytest.approx(0.4), "it begins at zero"
    assert area_under_best(np.full(100, 0.8), 400) == pytest.approx((40 + 3 * 80) / 400)
    late = np.concatenate([np.zeros(300), np.ones(100)])
    assert area_under_best(late, 400) == pytest.approx(50 / 400)
    assert np.isnan(area_under_best(np.zeros(0), 100))


@pytest.mark.parametrize("number", [1, 10, 100])
@pytest.mark.parametrize("calls", [1, 7, 99, 100, 101, 350])
def test_a_curve_does_not_fall_and_ends_at_the_mean_of_the_best(calls, number):
    values = np.random.default_rng(calls).normal(size=calls)
    found = best_so_far(values, number)
    assert found[-1] == pytest.approx(np.mean(sorted(values, reverse=True)[:number]))
    points = curve_points(calls)
    assert len(points) == len(found)
    assert points[-1] == calls
    assert np.all(np.diff(found) >= 0)
    assert mean_of_best(values, 1) == max(values)


@settings(deadline=None)
@given(st.lists(MOLECULES, max_size=6), st.none() | st.integers(1, 5))
def test_a_call_is_a_new_molecule_as_long_as_there_is_budget(batches, budget):
    oracle, expected = Oracle(budget), {}
    for batch in batches:
        oracle.ask([smiles for smiles, _ in batch], [value for _, value in batch])
        for smiles, value in batch:
            is_left = budget is None or len(expected) < budget
            if smiles is not None and smiles not in expected and is_left:
                expected[smiles] = value
    assert oracle.smiles == list(expected)
    assert oracle.values.tolist() == list(expected.values())
    assert oracle.is_spent == (len(expected) == budget)
    again = Oracle(budget)
    again.ask(["F"], [1.0])
    again.restore(json.loads(json.dumps(oracle.state())))
    assert again.state() == oracle.state()


def test_the_file_holds_every_bit(tmp_path):
    oracle = Oracle()
    oracle.ask(["CC", "c1ccccc1", 'C"'], [0.1 + 0.2, -1e-17, 3.0])
    path = oracle.write(tmp_path / "goal.csv")
    assert path.read_text().splitlines()[:2] == ["call,smiles,value", "1,CC,0.30000000000000004"]
    assert Oracle.read(path).state() == oracle.state()
    path.write_text("call,smiles\n1,CC\n")
    with pytest.raises(UserError, match="cannot read the calls"):
        Oracle.read(path)


def value_of(name, strings, reward=None):
    goal = GOALS[name]
    reward = reward or PRESETS[name].settings("psi").reward
    return goal.value(MoleculeScorer(measurer_for(reward, goal)).score(strings).columns)


def test_values_are_in_natural_units():
    from rdkit import Chem
    from rdkit.Chem import QED, Crippen

    strings = [CELECOXIB, "CCCCCCCC", "C1CCCCCCC1", "NC(=O)c1ccccc1PF", "C("]
    molecules = [Chem.MolFromSmiles(Chem.CanonSmiles(one)) for one in strings[:4]]
    qed = value_of("qed", strings)
    np.testing.assert_allclose(qed[:4], [QED.qed(one) for one in molecules])
    assert np.isnan(qed[4])
    similarity = value_of("celecoxib", strings)
    assert similarity[0] == 1
    assert np.all(similarity[1:4] < 0.3)
    penalised = value_of("penalized-logp", strings)
    sa = MoleculeScorer(measurer_for(MoleculeRewardSettings())).score(strings).columns["sa"]
    logp = [Crippen.MolLogP(one) for one in molecules]
    excess = np.array([0, 0, 2, 0])
    expected = (np.array(logp) - 2.4571) / 1.4343 + (3.0526 - sa[:4]) / 0.8335
    np.testing.assert_allclose(penalised[:4], expected + (0.0486 - excess) / 0.2860)


def test_an_isomer_is_worth_one_and_a_neighbour_less():
    isomer, without_phosphorus = "NCC(=O)Nc1cc(F)c(PF)cc1COCl", "NCC(=O)Nc1cc(F)c(NF)cc1COCl"
    values = value_of("isomers", [isomer, without_phosphorus])
    # One phosphorus too few and one nitrogen too many, among seven elements and the sum.
    np.testing.assert_allclose(values, [1, np.exp(-0.5 * 2 / 8)])


@pytest.mark.parametrize("name", GOALS)
def test_no_weight_changes_a_goal(name):
    strings = [CELECOXIB, "CCO", "c1ccccc1", "CC1CCCCCCC1"]
    other = MoleculeRewardSettings(logp=ScaledTerm(7.0, centre=3.0), sa=ScaledTerm(0.0))
    np.testing.assert_array_equal(value_of(name, strings), value_of(name, strings, other))


def test_presets_of_a_goals_name_have_it_and_the_budget():
    for name in PRESETS:
        settings = PRESETS[name].settings("psi")
        has_goal = name in GOALS
        assert (settings.goal, settings.calls) == ((name, BUDGET) if has_goal else (None, None))


def test_what_a_goal_cannot_have_is_refused():
    similar = MoleculeRewardSettings(similarity=SimilarityTerm(1.0, to=("CCO",)))
    with pytest.raises(UserError, match="the goal is similarity to celecoxib"):
        measurer_for(similar, GOALS["celecoxib"])
    isomer = MoleculeRewardSettings(isomer=IsomerTerm(1.0, formula="C2H6"))
    with pytest.raises(UserError, match="the reward's formula C2H6"):
        measurer_for(isomer, GOALS["isomers"])
    assert measurer_for(similar, GOALS["isomers"]).columns[-2:] == ("similarity", "isomer")
    with pytest.raises(UserError, match="no goal 'gold'"):
        MoleculeSettings(goal="gold")
    with pytest.raises(UserError, match="name a goal"):
        MoleculeSettings(calls=5)


def test_elements_are_those_of_the_tokens():
    tokens = ["<end>", "C", "Cl", "n", "[nH]", "[CH]", "[13CH3]", "[Se]", "[P+]", "=", "1"]
    assert elements_of(tokens) == {"C", "Cl", "N", "Se", "P"}
    assert elements_of(["[H]", "Br", "b", "(", "%10"]) == {"H", "Br", "B"}
    moses = Vocabulary(("<end>", *"CNOF1c", "Cl"), "<end>")
    isomers = PRESETS["isomers"].settings("psi")
    with pytest.raises(UserError, match=f"cannot write P, which {ISOMER} has; .* --data nci"):
        require_elements(isomers, moses)
    with pytest.raises(UserError, match="cannot write P"):
        require_elements(replace(isomers, goal=None, calls=None), moses)
    require_elements(isomers, Vocabulary((*moses.tokens, "[PH]"), "<end>"))
    require_elements(PRESETS["qed"].settings("psi"), Vocabulary(("<end>", "C"), "<end>"))
