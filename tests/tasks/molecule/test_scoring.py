from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from molecules import HARD_AND_INVALID, real_molecules
from rdkit import Chem

from counting_pool import CountingPool
from seqtutor.errors import UserError
from seqtutor.tasks.molecule.measurer import Measured, Measurer
from seqtutor.tasks.molecule.properties import parse
from seqtutor.tasks.molecule.scoring import MoleculeScorer

MEASURER = Measurer(("logp", "qed"), wants_scaffold=True, wants_fingerprint=True)
STRINGS = [*real_molecules()[:60], "", "C1CC", *real_molecules()[20:40]]


@pytest.fixture(scope="module")
def workers():
    with MoleculeScorer.with_workers(MEASURER, 2) as scorer:
        yield scorer


def assert_same(one, other):
    assert (one.smiles, one.scaffolds, one.reasons) == (
        other.smiles,
        other.scaffolds,
        other.reasons,
    )
    assert one.columns.keys() == other.columns.keys()
    for name in one.columns:
        np.testing.assert_array_equal(one.columns[name], other.columns[name])
    np.testing.assert_array_equal(one.fingerprints, other.fingerprints)


def test_scores_are_those_of_each_molecule_by_itself_wherever_they_are_computed(workers):
    scores = workers.score(STRINGS)
    molecules = [parse(smiles) for smiles in STRINGS]
    assert scores.is_valid.tolist() == [molecule is not None for molecule in molecules]
    assert scores.smiles == [None if m is None else m.smiles for m in molecules]
    valid = [molecule for molecule in molecules if molecule is not None]
    assert len(scores.fingerprints) == len(valid)
    for own, molecule in zip(scores.fingerprints, valid, strict=True):
        np.testing.assert_array_equal(own, molecule.fingerprint)
    assert np.isnan(scores.columns["qed"]).tolist() == [m is None for m in molecules]
    # The strings' own order of atoms differs from RDKit's: only the last digits may.
    np.testing.assert_allclose(
        scores.columns["logp"][scores.is_valid], [m.logp for m in valid], atol=1e-12
    )
    assert_same(MoleculeScorer(MEASURER).score(STRINGS), scores)


def test_all_strings_of_a_molecule_have_the_values_of_its_canonical_string():
    pool = CountingPool(MEASURER)
    scorer = MoleculeScorer(MEASURER, pool)
    molecule = Chem.MolFromSmiles("CC(C)Cc1ccc(cc1)[CH](C)C(=O)Nc1ncc(Br)s1")
    strings = [Chem.MolToSmiles(molecule, doRandom=True) for _ in range(20)]
    canonical = Chem.MolToSmiles(molecule)
    scores = scorer.score(strings)
    assert set(scores.smiles) == {canonical}
    known = parse(canonical)
    assert set(scores.columns["logp"]) == {known.logp}
    assert set(scores.columns["qed"]) == {known.qed}
    before = len(pool.items)
    scorer.score([canonical])
    assert len(pool.items) == before


def test_as_written_a_string_has_rdkits_values_for_that_string():
    measurer = Measurer(("logp",), as_written=True)
    strings = real_molecules()[:200]
    scores = MoleculeScorer(measurer).score(strings)
    for smiles, value in zip(strings, scores.columns["logp"], strict=True):
        molecule = parse(smiles)
        assert molecule is None or value == molecule.logp


def test_several_threads_may_score(workers):
    batches = [list(real_molecules()[start : start + 30]) for start in range(0, 90, 10)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(workers.score, batches))
    alone = MoleculeScorer(MEASURER)
    for scores, batch in zip(found, batches, strict=True):
        assert_same(scores, alone.score(batch))
    assert threading.active_count() < 20


def test_invalid_strings_are_explained_if_wanted(workers):
    explaining = Measurer(("logp",), explains=True)
    strings = list(HARD_AND_INVALID)
    scores = MoleculeScorer(explaining).score(strings)
    assert not scores.is_valid.any()
    assert list(scores.reasons.values()) == list(HARD_AND_INVALID.values())
    silent = workers.score(strings)
    assert not silent.is_valid.any()
    assert silent.reasons == {}


def test_a_molecule_that_rdkit_cannot_read_back_is_not_valid():
    scorer = MoleculeScorer(MEASURER)
    scores = scorer.score(["C", "O=C1OC(=CC2=CC=CC=C2)C3=C1o=CC=C3"])
    assert scores.is_valid.tolist() == [True, False]
    assert "RDKit writes" in scores.reasons[1]
    assert scorer.counts.failed == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"required": ("c1cc",)}, "'c1cc' is not a SMARTS pattern"),
        ({"forbidden": ("",)}, "'' is not a SMARTS pattern"),
        ({"similar_to": ("C1CC",)}, "'C1CC' is not a molecule to be similar to: ring bond 1"),
        ({"formula": "C9H10 N2"}, "'C9H10 N2' is not a molecular formula"),
        ({"formula": "C9Hx"}, "'C9Hx' is not a molecular formula"),
        ({"formula": "C9Xx2"}, "'C9Xx2' is not a molecular formula: Xx is not an element"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_starts(settings, message):
    with pytest.raises(UserError, match=message):
        MoleculeScorer.with_workers(Measurer((), **settings), 2)


def test_further_columns_measure_what_they_say():
    aspirin = "CC(=O)Oc1ccccc1C(=O)O"
    measurer = Measurer(
        (),
        required=("c1ccccc1", "C#N"),
        forbidden=("C(=O)O", "[OH]", "C#N"),
        similar_to=("CCCC", aspirin),
        formula="C9H8O4",
    )
    assert measurer.columns == ("required", "forbidden", "similarity", "isomer")
    result = measurer(aspirin)
    assert isinstance(result, Measured)
    assert result.values == (0.5, 2.0, 1.0, 1.0)
    folded = Measurer((), similar_to=(aspirin,), counted=False)
    assert folded(aspirin).values == (1.0,)
    assert 0 < folded("CC(=O)Oc1ccccc1C(=O)N").values[0] < 1


def test_nearness_to_a_formula_is_the_geometric_mean_of_guacamol():
    """Gaussians of the element counts (σ = 1) and of the number of atoms (σ = 2)."""
    near = Measurer((), formula="C2H6O")("CCN").values[0]
    parts = [np.exp(-0.5 * (2 - 2) ** 2), np.exp(-0.5 * (7 - 6) ** 2), np.exp(-0.5 * (0 - 1) ** 2)]
    parts.append(np.exp(-0.5 * ((10 - 9) / 2) ** 2))
    assert near == pytest.approx(np.prod(parts) ** (1 / 4))
