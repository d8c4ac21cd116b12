from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from molecules import real_molecules
from rdkit import Chem, DataStructs
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from seqtutor.errors import UserError
from seqtutor.measures.estimates import mean_estimate
from seqtutor.measures.intervals import interval_of
from seqtutor.tasks.molecule import frechet
from seqtutor.tasks.molecule.frechet import ChemNetStatistics, frechet_distance
from seqtutor.tasks.molecule.metrics import (
    METRICS_MEASURER,
    molecule_metrics,
    reference_of,
    scaffolds,
)
from seqtutor.tasks.molecule.properties import parse
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.similarity import (
    _BITS_OF_PAIR,
    count_bits,
    internal_similarity,
    nearest_similarity,
)
from seqtutor.tasks.molecule.table_2 import MOSES, PUBLISHED, TABLE_2

GENERATED = [
    *real_molecules()[:150],
    *real_molecules()[:30],
    "C1CC",
    "((",
    *real_molecules()[200:230],
]
OTHERS = list(real_molecules()[100:260])


@pytest.fixture(scope="module")
def measured():
    scorer = MoleculeScorer(METRICS_MEASURER)
    return scorer.score(GENERATED), scorer.score(OTHERS)


@pytest.fixture(scope="module")
def metrics(measured):
    generated, others = measured
    training = [smiles for smiles in others.smiles if smiles is not None]
    return molecule_metrics(generated, reference_of(training, others), compared=100)


def molecules(strings):
    return [molecule for molecule in map(parse, strings) if molecule is not None]


def rdkit_similarities(strings, others):
    generator = GetMorganGenerator(radius=2, fpSize=1024)
    one, other = (
        [generator.GetFingerprint(Chem.MolFromSmiles(m.smiles)) for m in molecules(some)]
        for some in (strings, others)
    )
    return np.array([DataStructs.BulkTanimotoSimilarity(own, other) for own in one])


def test_table_2_is_made_of_means_over_valid_molecules(metrics):
    valid = molecules(GENERATED)
    assert metrics["valid"].value == len(valid) / len(GENERATED)
    for name, values in {
        "logp": [m.logp for m in valid],
        "qed": [m.qed for m in valid],
        "sa_penalty": [-m.sa for m in valid],
        "ring_penalty": [-m.excess_ring_atoms for m in valid],
    }.items():
        assert metrics[name].value == pytest.approx(np.mean(values), rel=1e-12)
        spread = np.std(values, ddof=1) if len(set(values)) > 1 else math.nan
        assert metrics[name].standard_error == pytest.approx(
            spread / math.sqrt(len(valid)), rel=1e-9, nan_ok=True
        )


def test_similarities_are_those_of_rdkit(metrics):
    hundred = molecules(GENERATED)[:100]
    strings = [molecule.smiles for molecule in hundred]
    own = rdkit_similarities(strings, strings)
    assert metrics["internal_diversity"].value == pytest.approx(1 - own.mean(), rel=1e-12)
    root = np.sqrt((own**2).mean(axis=1)).mean()
    assert metrics["internal_diversity_2"].value == pytest.approx(1 - root, rel=1e-12)
    nearest = rdkit_similarities(strings, OTHERS).max(axis=1)
    assert metrics["nearest_similarity"].value == pytest.approx(nearest.mean(), rel=1e-12)


def test_novelty_counts_each_molecule_once(metrics):
    different = {molecule.smiles for molecule in molecules(GENERATED)}
    known = {molecule.smiles for molecule in molecules(OTHERS)}
    assert metrics["novelty"].value == pytest.approx(len(different - known) / len(different))


def test_scaffolds_of_one_ring_do_not_count(measured, metrics):
    generated, others = measured
    expected = [m.scaffold for m in molecules(GENERATED) if m.rings >= 2]
    assert scaffolds(generated) == expected
    one, other = Counter(expected), Counter(scaffolds(others))
    names = sorted(one.keys() | other.keys())
    u, v = (np.array([counts[name] for name in names], float) for counts in (one, other))
    cosine = u @ v / np.linalg.norm(u) / np.linalg.norm(v)
    assert metrics["scaffold_similarity"].value == pytest.approx(cosine, rel=1e-12)
    assert metrics["novel_scaffolds"].value == len(one.keys() - other.keys()) / len(one)
    hundred = expected[:100]
    assert metrics["distinct_scaffolds"].value == len(set(hundred)) / len(hundred)


def test_uniqueness_is_of_the_first_valid_molecules():
    strings = ["C", "(", "CC"] + ["CCC"] * 998
    scores = MoleculeScorer(METRICS_MEASURER).score([*strings, "CCCC"])
    found = molecule_metrics(scores)
    assert found["unique@1000"].value == 3 / 1000
    assert math.isnan(found["unique@10000"].value), "there are not so many"
    for name in ("novelty", "nearest_similarity", "scaffold_similarity", "novel_scaffolds"):
        assert math.isnan(found[name].value), "there is nothing to compare with"


def test_the_jackknife_error_of_uniqueness_is_that_of_leaving_out_one():
    names = ["a", "b", "b", "c", "d", "d", "d", "e"]
    strings = {"a": "C", "b": "CC", "c": "CCC", "d": "CCCC", "e": "CCCCC"}
    from seqtutor.tasks.molecule.metrics import _distinct

    size = len(names)
    without = [len({*names[:i], *names[i + 1 :]}) / (size - 1) for i in range(size)]
    jackknife = math.sqrt((size - 1) / size * np.square(without - np.mean(without)).sum())
    found = _distinct([strings[name] for name in names], size)
    assert found.value == 5 / 8
    assert found.standard_error == pytest.approx(jackknife)


def test_the_error_of_internal_diversity_is_what_repeated_samples_vary_by():
    pool = np.stack([m.fingerprint for m in molecules(real_molecules()[:1500])])
    generator = np.random.default_rng(0)
    samples = [pool[generator.choice(len(pool), 100)] for _ in range(60)]
    means = [internal_similarity(sample) for sample in samples]
    spread = np.std([one.mean() for one in means], ddof=1)
    claimed = np.mean([2 * mean_estimate(one).standard_error for one in means])
    assert claimed == pytest.approx(spread, rel=0.3)


def test_an_interval_covers_the_mean_as_often_as_it_says():
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(1000):
        interval = interval_of(mean_estimate(generator.normal(3.0, 2.0, 8)))
        covered += interval.low <= 3.0 <= interval.high
    assert 930 <= covered <= 970


def test_an_empty_or_invalid_set_has_no_measures():
    found = molecule_metrics(MoleculeScorer(METRICS_MEASURER).score(["(", "C1CC"]))
    assert found.pop("valid").value == 0
    assert all(math.isnan(estimate.value) for estimate in found.values())


def test_every_row_of_the_tables_is_a_measure(metrics):
    assert {row.name for row in (*TABLE_2, *MOSES)} == set(metrics)
    for column in PUBLISHED.columns.values():
        assert list(column) == [row.name for row in TABLE_2]


BYTES = arrays(np.uint8, st.tuples(st.integers(1, 7), st.just(128)))


@given(BYTES, BYTES)
def test_similarities_are_shared_bits_over_all_bits(one, other):
    bits = [np.unpackbits(some, axis=1).astype(int) for some in (one, other)]
    expected = np.array(
        [
            [(a & b).sum() / (a | b).sum() if (a | b).any() else 1.0 for b in bits[1]]
            for a in bits[0]
        ]
    )
    np.testing.assert_allclose(nearest_similarity(one, other), expected.max(axis=1), rtol=1e-14)


def test_sets_of_any_size_are_compared_whole():
    generator = np.random.default_rng(2)
    one, other = (generator.integers(0, 256, (size, 128), np.uint8) for size in (130, 17_000))
    both = np.concatenate([other, one[7:8]])
    nearest = nearest_similarity(one, both)
    assert nearest[7] == 1
    assert (np.delete(nearest, 7) < 1).all()
    parts = [internal_similarity(one[:65]) * 65, internal_similarity(one[65:]) * 65]
    cross = internal_similarity(one) * 130
    assert (cross[:65] > parts[0]).all()
    assert (cross[65:] > parts[1]).all()


def test_counting_bits_without_numpy_2_gives_the_same(monkeypatch):
    words = np.random.default_rng(3).integers(0, 2**63, (5, 7), np.int64).view(np.uint64)
    expected = [[int(word).bit_count() for word in row] for row in words]
    np.testing.assert_array_equal(count_bits(words), expected)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    np.testing.assert_array_equal(count_bits(words), expected)
    assert len(_BITS_OF_PAIR) == 1 << 16


def normal(generator, size=6):
    root = generator.normal(size=(size, size))
    return ChemNetStatistics(generator.normal(size=size), root @ root.T)


def test_the_frechet_distance_is_that_of_normal_distributions():
    generator = np.random.default_rng(4)
    one, other = normal(generator), normal(generator)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))
    from scipy.linalg import sqrtm

    root = sqrtm(one.covariance @ other.covariance).real
    expected = np.square(one.mean - other.mean).sum() + np.trace(
        one.covariance + other.covariance - 2 * root
    )
    assert frechet_distance(one, other) == pytest.approx(expected)
    spreads = np.array([1.0, 2.0]), np.array([3.0, 0.5])
    narrow, wide = (ChemNetStatistics(np.zeros(2), np.diag(s**2)) for s in spreads)
    assert frechet_distance(narrow, wide) == pytest.approx(4 + 2.25)


def test_a_covariance_of_few_molecules_does_no_harm():
    generator = np.random.default_rng(5)
    for one, other in itertools.pairwise(generator.normal(size=(4, 3, 6))):
        statistics = [ChemNetStatistics(x.mean(axis=0), np.cov(x.T)) for x in (one, other)]
        assert np.isfinite(frechet_distance(*statistics))


def test_without_its_package_chemnet_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(frechet.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'seqtutor\[fcd\]'"):
        frechet.chemnet_statistics(["C", "CC"])
