"""Measures of the strings of policies, and the sets with which they are compared."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_molecules import LENGTH, VOCABULARY, tiny_prior

from seqtutor.errors import UserError
from seqtutor.measure import rows_of
from seqtutor.measures.policy import evaluate
from seqtutor.models.files import load_model
from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.evaluation import molecule_measures
from seqtutor.tasks.molecule.metrics import METRICS_MEASURER, molecule_metrics
from seqtutor.tasks.molecule.references import load_reference, resolve_reference, training_strings
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.table_2 import MOSES, TABLE_2
from seqtutor.tasks.molecule.task import SHIPPED_PRIOR

SCORER = MoleculeScorer(METRICS_MEASURER)


def test_the_measures_are_the_metrics_of_all_strings_of_a_policy():
    measures = molecule_measures(SCORER)
    assert rows_of(measures) == (*TABLE_2, *MOSES)
    policy, prior = tiny_prior(1).model, tiny_prior(0).model
    found = evaluate(policy, prior, VOCABULARY, measures, number=700, length=LENGTH)
    strings = decode(found.samples.tokens, VOCABULARY)
    expected = molecule_metrics(SCORER.score(strings))
    np.testing.assert_equal({name: found.estimates[name] for name in expected}, expected)
    assert found.estimates["distinct"].value == len(set(strings)) / 700


@pytest.fixture
def chains(tmp_path):
    strings = [n * "C" + tail for n in range(1, 15) for tail in ("O", "N", "Cl")]
    path = tmp_path / "known.smi"
    path.write_text("".join(chain + "\n" for chain in strings))
    return str(path), strings


def test_a_file_is_a_training_set_and_a_test_set(chains):
    path, strings = chains
    found = load_reference(path, SCORER)
    assert found is not None
    assert len(found.test) == len(found.reference.fingerprints) == 4
    assert not found.reference.training & set(found.test)
    # One more tenth is for validation.
    assert len(found.reference.training) == len(strings) - 8
    scores = SCORER.score([*found.test, "C1CCCCCCC1"])
    metrics = molecule_metrics(scores, found.reference)
    assert metrics["novelty"].value == 1
    assert metrics["nearest_similarity"].value < 1
    known = molecule_metrics(SCORER.score(sorted(found.reference.training)), found.reference)
    assert known["novelty"].value == 0
    assert path in molecule_measures(SCORER, found)[0].note


def test_some_training_strings_are_evenly_spaced_ones(chains):
    path, _ = chains
    reference = load_reference(path, SCORER)
    everything = training_strings(path, 1000)
    assert set(everything) == reference.reference.training
    assert training_strings(path, 10) == everything[::3][:10]
    assert training_strings("none", 10) == []


def test_moses_is_the_reference_where_it_is_here_and_the_prior_is_made_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path))
    shipped = load_model(SHIPPED_PRIOR)
    assert resolve_reference("auto", shipped) == "none"
    assert load_reference("none", SCORER) is None
    assert resolve_reference("nci", shipped) == "nci"
    with pytest.raises(UserError, match="seqtutor data moses"):
        load_reference("moses", SCORER)
    (tmp_path / "molsets-0.3.1-py3-none-any.whl").write_bytes(b"here")
    assert resolve_reference("auto", shipped) == "moses"
    assert resolve_reference("auto", tiny_prior()) == "none"
    assert resolve_reference("auto", None) == "none"
