"""Measures of molecules: Table 2, those of MOSES, and what shows that a policy has collapsed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from seqtutor.measure import Published
from seqtutor.measures.policy import (
    Evaluation,
    policy_estimates,
    policy_measures,
    reward_measures,
)
from seqtutor.measures.sampling import Samples, draw_batches, join_samples
from seqtutor.models.base import SequenceModel
from seqtutor.report.evaluation_table import PolicyColumn, evaluation_table, interval_note
from seqtutor.report.tables import Table
from seqtutor.tasks.molecule.encoding import decode
from seqtutor.tasks.molecule.metrics import Reference, molecule_metrics
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.table_2 import FRECHET, MOSES, PUBLISHED, TABLE_2
from seqtutor.tasks.molecule.terms import Scores
from seqtutor.vocabulary import Vocabulary
from seqtutor.workers.cache import Pending

BATCH = 1024
"""Strings sampled at a time."""

ROWS = (*TABLE_2, *MOSES, FRECHET, *policy_measures("strings"))
"""The rows of a table of molecules, those of a reward left out."""

REWARD_NOTE = (
    "Terms are means over all strings before their weights, 0 of an invalid one but for its "
    "penalty; the mean reward is their weighted sum. The terms known and diversity, if the reward "
    "has them, are left out: they depend on what a run has generated before."
)


@dataclass(frozen=True)
class MoleculeEvaluation(Evaluation):
    """Strings of a policy, their scores, and what was measured of them."""

    scores: Scores = field(repr=False)


def evaluate_policy(
    policy: SequenceModel,
    prior: SequenceModel,
    vocabulary: Vocabulary,
    scorer: MoleculeScorer,
    *,
    number: int,
    length: int,
    seed: int = 0,
    temperature: float = 1.0,
    reference: Reference | None = None,
    on_molecules: Callable[[int], None] = lambda done: None,
) -> MoleculeEvaluation:
    """Sample strings from a policy and measure them.

    Args:
        policy: generates the strings.
        prior: the reference of KL and log p(a|s).
        vocabulary: of both.
        scorer: with the `METRICS_MEASURER`; it scores while the next strings are sampled.
        number: of strings.
        length: tokens of the longest string, the end token included.
        seed: of the sampling.
        temperature: of the sampling.
        reference: what novelty and similarities refer to.
        on_molecules: called with the number of strings scored so far.
    """
    parts: list[Samples] = []
    pending: list[Pending[Scores]] = []
    batches = draw_batches(
        policy,
        prior,
        number=number,
        length=length,
        end=vocabulary.end,
        seed=seed,
        temperature=temperature,
        batch=BATCH,
    )
    for samples in batches:
        parts.append(samples)
        pending.append(scorer.start(decode(samples.tokens, vocabulary)))
    strings: list[str] = []
    for one in pending:
        one.collect()
        strings += one.strings
        on_molecules(len(strings))
    scores = scorer.score(strings)
    samples = join_samples(parts)
    estimates = {**molecule_metrics(scores, reference), **policy_estimates(samples)}
    return MoleculeEvaluation(samples, estimates, scores)


def molecule_table(
    columns: Sequence[PolicyColumn],
    number: int,
    title: str = "Molecules",
    *,
    published: Published | None = PUBLISHED,
    reference: str | None = None,
    temperature: float = 1.0,
) -> Table:
    """The table of policies that were measured on `number` strings each.

    Args:
        columns: the policies.
        number: strings of each seed.
        title: of the table.
        published: figures to set beside them; none where another reward was asked for.
        reference: what novelty and similarities refer to, by name.
        temperature: of the sampling.
    """
    terms = reward_terms(columns)
    note = interval_note(columns, number, "strings", temperature)
    if reference is not None:
        note += f" Novelty and similarities refer to {reference}."
    if terms:
        note += f" {REWARD_NOTE}"
    rows = (*ROWS, *reward_measures(terms, "string"))
    return evaluation_table(columns, rows, published, title=title, note=note)


def reward_terms(columns: Sequence[PolicyColumn]) -> list[str]:
    """The terms of the reward that the columns have estimates of, in order."""
    names = dict.fromkeys(name for column in columns for one in column.seeds for name in one)
    return [name.removeprefix("term_") for name in names if name.startswith("term_")]
