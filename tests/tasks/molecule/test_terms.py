from __future__ import annotations

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from molecules import real_molecules

from seqtutor.errors import UserError
from seqtutor.rewards import Reward
from seqtutor.tasks.molecule.encoding import TokenisedText, vocabulary_of
from seqtutor.tasks.molecule.properties import parse
from seqtutor.tasks.molecule.reward import MoleculeReward
from seqtutor.tasks.molecule.reward_settings import (
    CarbonsTerm,
    CustomTerm,
    DiversityTerm,
    IsomerTerm,
    MoleculeRewardSettings,
    ScaledTerm,
    ShortTerm,
    SimilarityTerm,
    SubstructureTerm,
    Term,
    TrainingExtremes,
    ValidTerm,
    Windows,
    WindowTerm,
)
from seqtutor.tasks.molecule.scaffold_memory import ScaffoldMemory
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.terms import (
    in_window,
    longest_carbon_run,
    measurer_for,
    terms_of,
    training_extremes,
)
from seqtutor.tasks.molecule.tokens import tokenise

STRINGS = ["CC(=O)Oc1ccccc1C(=O)O", "C1CC", "CCCCCCCCC", "C1CCCCCCCCC1", "", "O"]
VALID = np.array([True, False, True, True, False, True])


def terms(settings, strings=STRINGS):
    own = settings.own_scorers
    with MoleculeScorer.with_workers(measurer_for(settings), 0, scorers=own) as scorer:
        return terms_of(settings, scorer.score(strings))


def test_the_defaults_are_the_papers_terms():
    extremes = TrainingExtremes(shortest=5, most_carbons=6)
    found = terms(MoleculeRewardSettings().with_extremes(extremes))
    assert list(found) == ["valid", "logp", "sa", "qed", "ring", "short", "carbons"]
    molecules = [parse(smiles) for smiles in STRINGS]
    for index, molecule in enumerate(molecules):
        own = {name: term[index] for name, term in found.items()}
        if molecule is None:
            assert own == dict.fromkeys(found, 0.0) | {"valid": -10.0}
        else:
            assert own["valid"] == 0
            assert own["logp"] == molecule.logp
            assert own["sa"] == -molecule.sa
            assert own["qed"] == molecule.qed
            assert own["ring"] == -molecule.excess_ring_atoms
    assert found["ring"].tolist() == [0, 0, 0, -4, 0, 0]
    assert found["short"].tolist() == [0, 0, 0, 0, 0, -4]
    assert found["carbons"].tolist() == [0, 0, -3, -3, 0, 0]


def test_terms_without_weight_or_bounds_are_neither_given_nor_measured():
    settings = MoleculeRewardSettings(sa=ScaledTerm(0.0), qed=ScaledTerm(0.0), ring=ScaledTerm(0.0))
    assert list(settings.weights) == ["valid", "logp"]
    assert measurer_for(settings).columns == ("logp",)
    assert list(terms(settings)) == ["valid", "logp"]
    with pytest.raises(UserError, match="no term of the reward has a weight"):
        dataclasses.replace(settings, valid=ValidTerm(0.0), logp=ScaledTerm(0.0))


def test_terms_are_centred_and_scaled_but_an_invalid_molecule_earns_its_penalty_alone():
    plain = terms(MoleculeRewardSettings())
    settings = MoleculeRewardSettings(
        valid=ValidTerm(reward=2.0, penalty=-7.0),
        logp=ScaledTerm(3.0, centre=2.5, scale=0.5),
        sa=ScaledTerm(centre=-3.0, scale=2.0),
    )
    found = terms(settings)
    np.testing.assert_array_equal(found["valid"], np.where(VALID, 2.0, -7.0))
    np.testing.assert_array_equal(found["logp"], np.where(VALID, (plain["logp"] - 2.5) / 0.5, 0))
    np.testing.assert_array_equal(found["sa"], np.where(VALID, (plain["sa"] + 3) / 2, 0))
    assert settings.weights["logp"] == 3.0, "weights are the caller's to apply"


def test_every_further_term():
    off = ScaledTerm(0.0)
    settings = MoleculeRewardSettings(
        logp=off,
        sa=off,
        qed=off,
        ring=off,
        window=Windows(
            largest_ring=WindowTerm(1.0, low=5, high=8, falloff=2.0),
            molecular_weight=WindowTerm(2.0, high=150.0),
        ),
        required=SubstructureTerm(smarts=("c1ccccc1", "[CH3]")),
        forbidden=SubstructureTerm(smarts=("C(=O)O", "[OH]")),
        similarity=SimilarityTerm(to=("CCCCCCCCC",)),
        isomer=IsomerTerm(formula="H2O"),
        alerts=Term(1.0),
        custom=CustomTerm(function="ill_behaved:by_size", scale=2.0, centre=1.0),
    )
    strings = ["CC(=O)Oc1ccccc1C(=O)O", "C1CC", "O"]
    found = terms(settings, strings)
    assert list(found) == list(settings.weights)
    expected = {
        "valid": [0, -10, 0],
        "window_molecular_weight": [
            np.exp(-0.5 * (parse(strings[0]).molecular_weight - 150) ** 2),
            0,
            1,
        ],
        "window_largest_ring": [1, 0, np.exp(-0.5 * 2.5**2)],
        "required": [1, 0, 0],
        "forbidden": [-2, 0, 0],
        "isomer": [None, 0, 1],
        "alerts": [-2, 0, 0],
        "custom": [6, 0, 0],
    }
    for name, values in expected.items():
        for value, wanted in zip(found[name], values, strict=True):
            assert wanted is None or value == pytest.approx(wanted, abs=1e-12), name
    assert found["similarity"][0] < 1
    assert found["similarity"][2] == 0


@given(st.floats(-50, 50), st.floats(-10, 0), st.floats(0, 10), st.floats(0.1, 5))
def test_a_window_is_flat_within_and_falls_like_a_gaussian_beyond(value, low, high, falloff):
    window = WindowTerm(1.0, low=low, high=high, falloff=falloff)
    term = in_window(np.array([value, low - falloff, high + falloff]), window)
    assert (term[0] == 1) == (low <= value <= high) or term[0] > 1 - 1e-12
    np.testing.assert_allclose(term[1:], np.exp(-0.5))
    open_above = in_window(np.array([value]), WindowTerm(1.0, low=low, falloff=falloff))
    assert open_above[0] == (1 if value >= low else term[0])


@pytest.mark.parametrize(
    ("smiles", "run"),
    [
        ("CCCCl", 3),
        ("CCC(CCCC)C", 4),
        ("c1ccccc1", 0),
        ("CC1CCC1", 3),
        ("[CH2]CC[Co]", 2),
        ("CC=CCC", 3),
        ("ClCCCBr", 3),
        ("", 0),
        ("C[C@H](C)N", 1),
    ],
)
def test_runs_of_carbons(smiles, run):
    assert longest_carbon_run(smiles) == run


def test_no_training_string_is_penalised_by_the_extremes_of_its_set():
    strings = [smiles for smiles in real_molecules()[:400] if parse(smiles)]
    extremes = training_extremes(strings)
    assert extremes.shortest == min(map(len, strings))
    assert extremes.most_carbons == max(map(longest_carbon_run, strings))
    found = terms(MoleculeRewardSettings(qed=ScaledTerm(0.0)).with_extremes(extremes), strings)
    assert not found["short"].any()
    assert not found["carbons"].any()
    given_by_hand = MoleculeRewardSettings(
        short=ShortTerm(shortest=99), carbons=CarbonsTerm(most=1)
    )
    assert given_by_hand.with_extremes(extremes) == given_by_hand
    with pytest.raises(UserError, match="without strings"):
        training_extremes([])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScaledTerm(scale=0.0), "scale must be above 0"),
        (lambda: ScaledTerm(float("nan")), "weight must be a finite number"),
        (lambda: WindowTerm(1.0), "a window needs a low or a high end"),
        (lambda: WindowTerm(1.0, low=2.0, high=1.0), "cannot reach from 2.0 to 1.0"),
        (lambda: WindowTerm(1.0, low=2.0, falloff=0.0), "falloff must be above 0"),
        (lambda: Windows(tpsa=WindowTerm(high=90.0)), "tpsa has no weight"),
        (lambda: DiversityTerm(allowed=0), "allowed must be above 0"),
        (lambda: DiversityTerm(allowed=5, remembered=5), "remembered must be above allowed"),
        (lambda: CustomTerm(function="no_colon"), "module:name, not 'no_colon'"),
        (lambda: SimilarityTerm(radius=-1), "radius must be at least 0"),
    ],
)
def test_settings_out_of_their_range_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


def encoded(strings, length=40):
    vocabulary = vocabulary_of(
        token for smiles in real_molecules()[:99] for token in tokenise(smiles)
    )
    molecules = TokenisedText(strings).encode(np.ones(len(strings), bool), vocabulary, length)
    return vocabulary, molecules


def test_as_a_reward_it_is_paid_weighted_at_the_end_token():
    strings = ["CC(", *(smiles for smiles in real_molecules()[:40] if len(tokenise(smiles)) < 30)]
    vocabulary, molecules = encoded(strings)
    settings = MoleculeRewardSettings(logp=ScaledTerm(2.0), qed=ScaledTerm(0.5))
    reward = MoleculeReward(settings, vocabulary)
    tokens, mask = jnp.asarray(molecules.tokens, jnp.int32), jnp.asarray(molecules.mask)
    earned = Reward(reward, settings.weights)(tokens, mask)
    found = terms(settings, strings)
    total = sum(weight * found[name] for name, weight in settings.weights.items())
    expected = np.zeros(molecules.tokens.shape)
    expected[np.arange(len(strings)), molecules.mask.sum(1) - 1] = total
    np.testing.assert_allclose(earned.total, expected, rtol=1e-5, atol=1e-5)
    assert list(earned.terms) == list(settings.weights)


def test_batches_may_be_started_before_earlier_ones_are_collected():
    strings = list(real_molecules()[:60])
    settings = MoleculeRewardSettings(diversity=DiversityTerm(1.0, allowed=1))
    one, other = (MoleculeReward(settings, encoded([])[0]) for _ in range(2))
    batches = [strings[start : start + 20] for start in (0, 20, 40)]
    in_turn = [one.start_strings(batch).collect() for batch in batches]
    together = [pending.collect() for pending in [other.start_strings(b) for b in batches]]
    for first, second in zip(in_turn, together, strict=True):
        assert list(first) == list(settings.weights)
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])
    assert any(terms["diversity"].any() for terms in in_turn), "benzene is there more than once"


SCAFFOLDS = st.lists(st.sampled_from(["a", "b", "c", None]), max_size=8)
MEMORY = DiversityTerm(1.0, allowed=2, remembered=10)


@given(st.lists(SCAFFOLDS, max_size=8))
def test_a_scaffold_costs_by_how_often_it_is_among_the_latest(batches):
    memory, seen = ScaffoldMemory(MEMORY), []
    previous = None
    for batch in batches:
        found = memory.term(batch)
        if batch != previous:
            seen += [scaffold for scaffold in batch if scaffold is not None]
        counts = [seen.count(scaffold) if scaffold is not None else 0 for scaffold in batch]
        if batch != previous:
            expected = [-min(1.0, max(0.0, (count - 2) / 2)) for count in counts]
            np.testing.assert_array_equal(found, expected)
        seen = seen[-10:]
        previous = batch
        assert memory.state()["scaffolds"] == seen
        np.testing.assert_array_equal(memory.term(batch), found)
        assert memory.state()["scaffolds"] == seen, "asked twice, it remembers once"


@given(SCAFFOLDS.flatmap(lambda batch: st.tuples(st.just(batch), st.permutations(batch))))
def test_the_order_within_a_batch_does_not_matter(batches):
    one, other = (dict(zip(b, ScaffoldMemory(MEMORY).term(b), strict=True)) for b in batches)
    assert one == other


@settings(deadline=None)
@given(st.lists(SCAFFOLDS, max_size=5), st.lists(SCAFFOLDS, max_size=5))
def test_a_restored_memory_goes_on_as_the_first_would_have(before, after):
    first, second = ScaffoldMemory(MEMORY), ScaffoldMemory(MEMORY)
    for batch in before:
        first.term(batch)
    second.restore(json.loads(json.dumps(first.state())))
    # The first batch may be the last one of before, which is not remembered again.
    for batch in [*before[-1:], *after]:
        np.testing.assert_array_equal(first.term(batch), second.term(batch))
