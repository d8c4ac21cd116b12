from __future__ import annotations

import pytest
from seqtutor.tasks.molecule.model import load_molecule_model
from seqtutor.tasks.molecule.table import molecule_table
from tiny_molecules import LENGTH, VOCABULARY, tiny_prior

from seqtutor.errors import UserError
from seqtutor.measures.intervals import interval_of
from seqtutor.measures.policy import evaluate as evaluate_any
from seqtutor.report.evaluation_table import PolicyColumn
from seqtutor.report.tables import Verdict, verdicts
from seqtutor.tasks.molecule import evaluation
from seqtutor.tasks.molecule.evaluation import evaluate_policy, molecule_table
from seqtutor.tasks.molecule.metrics import METRICS_MEASURER, molecule_metrics
from seqtutor.tasks.molecule.references import load_reference, resolve_reference
from seqtutor.tasks.molecule.scoring import MoleculeScorer

NUMBER = evaluation.BATCH + 476
SCORER = MoleculeScorer(METRICS_MEASURER)


def evaluate(policy=1, prior=0, **others):
    return evaluate_policy(
        tiny_prior(policy).model,
        tiny_prior(prior).model,
        VOCABULARY,
        SCORER,
        **{"number": NUMBER, "length": LENGTH, **others},
    )


@pytest.fixture(scope="module")
def evaluated():
    return evaluate()


def test_the_policys_measures_are_those_of_any_task(evaluated):
    """Of the same strings: batches of another size, the same streams in the first."""
    models = (tiny_prior(1).model, tiny_prior(0).model)
    some = evaluate_any(*models, VOCABULARY, number=evaluation.BATCH, length=LENGTH)
    first = evaluated.samples[: evaluation.BATCH]
    assert (some.samples.tokens == first.tokens).all()
    for name in ("kl", "entropy", "log_prior"):
        error = some.estimates[name].standard_error
        assert evaluated.estimates[name].value == pytest.approx(
            some.estimates[name].value, abs=4 * error
        )


def test_the_metrics_are_those_of_all_its_strings(evaluated):
    assert evaluated.number == NUMBER
    strings = evaluated.scores.strings
    expected = molecule_metrics(SCORER.score(strings))
    assert set(expected) < set(evaluated.estimates)
    assert evaluated.estimates["valid"] == expected["valid"]
    assert evaluated.estimates["logp"] == expected["logp"]
    assert evaluated.estimates["distinct"].value == len(set(strings)) / NUMBER


def test_a_prior_is_no_distance_from_itself_and_a_seed_gives_the_same_strings():
    told = []
    one = evaluate(policy=0, number=1500, on_molecules=told.append)
    assert one.estimates["kl"].value == pytest.approx(0, abs=1e-7)
    assert told == [1024, 1500]
    assert one.scores.strings == evaluate(policy=0, number=1500).scores.strings
    assert one.scores.strings != evaluate(policy=0, number=1500, seed=1).scores.strings
    # Low temperatures repeat themselves.
    cold = evaluate(policy=0, number=1500, temperature=0.2)
    assert cold.estimates["distinct"].value < one.estimates["distinct"].value
    assert cold.estimates["entropy"].value < one.estimates["entropy"].value


def test_a_file_is_a_training_set_and_a_test_set(tmp_path):
    chains = [n * "C" + tail for n in range(1, 15) for tail in ("O", "N", "Cl")]
    (tmp_path / "known.smi").write_text("".join(chain + "\n" for chain in chains))
    found = load_reference(str(tmp_path / "known.smi"), SCORER)
    assert found is not None
    assert len(found.test) == len(found.reference.fingerprints) == 4
    assert not found.reference.training & set(found.test)
    # One more tenth is for validation.
    assert len(found.reference.training) == len(chains) - 8
    scores = SCORER.score([*found.test, "C1CCCCCCC1"])
    metrics = molecule_metrics(scores, found.reference)
    assert metrics["novelty"].value == 1
    assert metrics["nearest_similarity"].value < 1
    known = molecule_metrics(SCORER.score(sorted(found.reference.training)), found.reference)
    assert known["novelty"].value == 0


def test_moses_is_the_reference_where_it_is_here_and_the_prior_is_made_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTUTOR_CACHE", str(tmp_path))
    shipped = load_molecule_model()
    assert resolve_reference("auto", shipped) == "none"
    assert load_reference("none", SCORER) is None
    assert resolve_reference("nci", shipped) == "nci"
    with pytest.raises(UserError, match="seqtutor data moses"):
        load_reference("moses", SCORER)
    (tmp_path / "molsets-0.3.1-py3-none-any.whl").write_bytes(b"here")
    assert resolve_reference("auto", shipped) == "moses"
    assert resolve_reference("auto", tiny_prior()) == "none"


def test_the_table_has_the_papers_columns_and_intervals_over_seeds(evaluated):
    prior = evaluate(policy=0)
    seeds = [one.estimates for one in (evaluated, evaluate(seed=1), evaluate(seed=2))]
    columns = [
        PolicyColumn("prior", [prior.estimates]),
        PolicyColumn("psi", seeds),
        PolicyColumn("my-model", seeds[:1]),
    ]
    table = molecule_table(columns, NUMBER)
    assert [column.reference_title for column in table.columns] == [
        "paper's LSTM",
        "paper's Ψ",
        None,
    ]
    rows = {row.label: row for row in table.rows}
    assert [cell.reference for cell in rows["Valid"].cells] == [0.303, 0.358, None]
    assert "Novel" not in rows, "there is nothing to compare with"
    half = interval_of(prior.estimates["logp"]).half_width
    assert rows["Mean logP"].cells[0].half_width == pytest.approx(half)
    values = [one["logp"].value for one in seeds]
    assert rows["Mean logP"].cells[1].value == pytest.approx(sum(values) / 3)
    assert rows["KL from the prior, nats a step"].cells[0].value == pytest.approx(0, abs=1e-7)
    assert verdicts(table, 1)["Mean logP"] is Verdict.WORSE, "tiny molecules are not greasy"
    assert "interval over 3 seeds" in table.note
