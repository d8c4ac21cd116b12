"""The filter of the molecules that a prior was trained on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtutor.errors import UserError
from seqtutor.models.files import SavedModel, load_model
from seqtutor.tasks.molecule.known import FILE, KnownMolecules, known_in
from seqtutor.tasks.molecule.reward import MoleculeReward
from seqtutor.tasks.molecule.reward_settings import KnownTerm, MoleculeRewardSettings
from seqtutor.tasks.molecule.settings import MoleculeSettings
from seqtutor.tasks.molecule.task import SHIPPED_PRIOR, completed


@given(st.lists(st.text(max_size=12), max_size=200))
def test_what_is_in_the_filter_is_always_found(strings):
    assert KnownMolecules.of(strings).contains(strings).all()


def test_it_takes_one_in_fifty_others_for_known():
    known = KnownMolecules.of([f"C{i}" for i in range(20_000)])
    others = known.contains([f"N{i}" for i in range(50_000)])
    expected = (1 - np.exp(-6 / 8)) ** 6
    assert others.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / 50_000))


def test_nothing_and_no_molecule_are_never_known():
    assert not KnownMolecules.of([]).contains(["C", "", None]).any()
    assert not KnownMolecules.of(["", "C"]).contains([None]).any()


def test_the_shipped_prior_knows_what_it_was_trained_on():
    known = known_in(SHIPPED_PRIOR)
    # The first of MOSES's training set, and one whose elements it leaves out.
    there = known.contains(["CCCS(=O)c1ccc2[nH]c(=NC(=O)OC)[nH]c2c1", "[Na]I"])
    np.testing.assert_array_equal(there, [True, False])


def test_a_known_molecule_costs_what_the_term_weighs():
    saved = load_model(SHIPPED_PRIOR)
    settings = MoleculeRewardSettings(known=KnownTerm(3.0))
    smiles = ["CCO", "OCC", "CCN", "C1CC"]
    reward = MoleculeReward(settings, saved.vocabulary, known=KnownMolecules.of(["CCO"]))
    found = reward.start_strings(smiles).collect()
    np.testing.assert_array_equal(found["known"], [-1.0, -1.0, 0.0, 0.0])
    assert settings.weights["known"] == 3.0
    assert list(found) == list(settings.weights)


def test_it_comes_back_from_the_disk_as_it_was(tmp_path):
    known = KnownMolecules.of(["CCO", "CCN"])
    known.save(tmp_path)
    again = known_in(tmp_path)
    np.testing.assert_array_equal(again.table, known.table)


@pytest.mark.parametrize("content", [b"", b"no array"])
def test_a_damaged_filter_is_refused(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read"):
        known_in(tmp_path)


def test_without_a_filter_the_term_is_left_out(tmp_path):
    saved = load_model(SHIPPED_PRIOR)
    settings = MoleculeSettings(MoleculeRewardSettings(known=KnownTerm(1.0)))
    assert completed(settings, saved).reward.weights["known"] == 1.0
    silent = SavedModel(saved.model, saved.vocabulary, saved.origin, tmp_path)
    assert known_in(silent.folder) is None
    assert "known" not in completed(settings, silent).reward.weights


def test_an_array_of_another_kind_is_refused(tmp_path):
    np.save(tmp_path / FILE, np.zeros(3))
    with pytest.raises(UserError, match="cannot be read"):
        known_in(tmp_path)
    assert known_in(SHIPPED_PRIOR).table.dtype == np.uint8
