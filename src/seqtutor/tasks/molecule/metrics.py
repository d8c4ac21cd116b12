"""Measures of a set of generated molecules: Table 2 of the paper, and those of MOSES.

Names, definitions and defaults are those of Jaques et al. (2017) and of Polykovskiy et al. (2020),
"Molecular Sets (MOSES)". Molecules are distinguished by RDKit's canonical SMILES.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from seqtutor.measure import Estimate
from seqtutor.measures.estimates import UNKNOWN, mean_estimate, mean_share_estimate
from seqtutor.tasks.molecule.measurer import Measurer
from seqtutor.tasks.molecule.similarity import (
    FINGERPRINT_BYTES,
    Fingerprints,
    internal_similarity,
    nearest_similarity,
)
from seqtutor.tasks.molecule.terms import Scores

METRICS_MEASURER = Measurer(
    ("logp", "qed", "sa", "excess_ring_atoms", "rings"),
    wants_scaffold=True,
    wants_fingerprint=True,
)
"""Measures the quantities that the metrics are made of."""

FEWEST_SCAFFOLD_RINGS = 2
"""Scaffolds of fewer rings are left out, as in MOSES."""

UNIQUE_AMONG = (1_000, 10_000)
_RESAMPLES = 200


@dataclass(frozen=True, eq=False)
class Reference:
    """Molecules with which generated ones are compared; empty fields are not compared.

    Attributes:
        training: canonical SMILES of the training set, for novelty.
        fingerprints: of a set, for the similarity to the nearest neighbour.
        scaffolds: of a set, with how often each occurs, for the similarity of scaffolds.
    """

    training: frozenset[str] = frozenset()
    fingerprints: Fingerprints = field(
        default_factory=lambda: np.zeros((0, FINGERPRINT_BYTES), np.uint8)
    )
    scaffolds: Counter[str] = field(default_factory=Counter)


def reference_of(training: Iterable[str], neighbours: Scores) -> Reference:
    """A reference from a training set and another set, such as MOSES's test set.

    Args:
        training: canonical SMILES strings.
        neighbours: the scores of the other set by the `METRICS_MEASURER`.
    """
    return Reference(frozenset(training), neighbours.fingerprints, Counter(scaffolds(neighbours)))


def scaffolds(scores: Scores) -> list[str]:
    """The scaffolds of the valid molecules that have at least two rings."""
    return [
        scaffold
        for scaffold, rings in zip(scores.scaffolds, scores.columns["rings"], strict=True)
        if scaffold is not None and rings >= FEWEST_SCAFFOLD_RINGS
    ]


def molecule_metrics(
    scores: Scores, reference: Reference | None = None, compared: int = 10_000
) -> dict[str, Estimate]:
    """All measures by name.

    Args:
        scores: of generated strings by the `METRICS_MEASURER`, in the order of generation.
        reference: for novelty and similarities.
        compared: number of first valid molecules whose similarities are computed.

    Returns:
        Of the paper's Table 2, means over valid molecules:
            valid: share of valid molecules among all strings.
            logp: Crippen's logP.
            qed: drug-likeness.
            sa_penalty: minus the synthetic accessibility score.
            ring_penalty: minus the atoms by which the largest ring exceeds six.
        Of MOSES:
            unique@1000, unique@10000: share of different molecules among that many first valid
                ones; undefined with fewer.
            novelty: share of the different valid molecules that are not in the training set.
            internal_diversity: 1 − mean Tanimoto similarity over all pairs.
            internal_diversity_2: 1 − mean over molecules of the root of their mean square
                similarity to all.
            nearest_similarity: mean similarity to the nearest molecule of the reference.
            scaffold_similarity: cosine of the counts of scaffolds of two rings or more in the set
                and in the reference.
        Further:
            distinct_scaffolds: share of different ones among the scaffolds of the first valid
                molecules.
            novel_scaffolds: share of the different scaffolds that the reference lacks.
    """
    reference = reference or Reference()
    valid = [smiles for smiles in scores.smiles if smiles is not None]
    fingerprints = scores.fingerprints[:compared]
    own_scaffolds = scaffolds(scores)
    return {
        **_of_properties(scores),
        **{f"unique@{k}": _distinct(valid, k) for k in UNIQUE_AMONG},
        "novelty": _novelty(valid, reference.training),
        "internal_diversity": _diversity(fingerprints, 1),
        "internal_diversity_2": _diversity(fingerprints, 2),
        "nearest_similarity": _nearest(fingerprints, reference.fingerprints),
        "scaffold_similarity": _cosine(Counter(own_scaffolds), reference.scaffolds),
        "distinct_scaffolds": _distinct(own_scaffolds, min(compared, len(own_scaffolds))),
        "novel_scaffolds": _novelty(own_scaffolds, frozenset(reference.scaffolds)),
    }


def _of_properties(scores: Scores) -> dict[str, Estimate]:
    columns = {name: values[scores.is_valid] for name, values in scores.columns.items()}
    return {
        "valid": mean_share_estimate(scores.is_valid),
        "logp": mean_estimate(columns["logp"]),
        "qed": mean_estimate(columns["qed"]),
        "sa_penalty": mean_estimate(-columns["sa"]),
        "ring_penalty": mean_estimate(-columns["excess_ring_atoms"]),
    }


def _distinct(names: Sequence[str], number: int) -> Estimate:
    """The share of different ones among the first; its error is the jackknife's.

    Leaving out a name that occurs once reduces the number of different ones, others do not.
    """
    if len(names) < number or number < 2:
        return UNKNOWN
    counts = Counter(names[:number])
    once = sum(count == 1 for count in counts.values()) / number
    error = math.sqrt(once * (1 - once) / (number - 1))
    return Estimate(len(counts) / number, error, number)


def _novelty(names: Sequence[str], known: frozenset[str]) -> Estimate:
    if not known:
        return UNKNOWN
    return mean_share_estimate([name not in known for name in dict.fromkeys(names)])


def _diversity(fingerprints: Fingerprints, power: int) -> Estimate:
    """One minus the mean similarity; its error is twice that of the molecules' own means.

    A mean over pairs is a U-statistic, with each molecule in two roles (Hoeffding 1948).
    """
    if not len(fingerprints):
        return UNKNOWN
    found = mean_estimate(internal_similarity(fingerprints, power) ** (1 / power))
    return Estimate(1 - found.value, 2 * found.standard_error, found.count)


def _nearest(fingerprints: Fingerprints, reference: Fingerprints) -> Estimate:
    if not len(reference):
        return UNKNOWN
    return mean_estimate(nearest_similarity(fingerprints, reference))


def _cosine(own: Counter[str], reference: Counter[str]) -> Estimate:
    """The cosine of two tables of counts; its error is the bootstrap's over our molecules."""
    if not own or not reference:
        return UNKNOWN
    counts = np.array(list(own.values()), np.float64)
    theirs = np.array([reference[name] for name in own], np.float64)
    length = math.sqrt(sum(count**2 for count in reference.values()))

    def cosine(ours: Float[np.ndarray, "*resample name"]) -> Float[np.ndarray, "*resample"]:
        return ours @ theirs / (np.linalg.norm(ours, axis=-1) * length)

    total = int(counts.sum())
    resampled = np.random.default_rng(0).multinomial(total, counts / total, size=_RESAMPLES)
    return Estimate(float(cosine(counts)), float(cosine(resampled).std(ddof=1)), total)
