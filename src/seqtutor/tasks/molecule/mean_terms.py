"""The terms of a reward over sets of strings, as tables show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.terms import measurer_for, terms_of

Key = TypeVar("Key")


@dataclass(frozen=True)
class MeanTerms:
    """Means over strings, invalid ones included.

    Attributes:
        terms: by name, not weighted; without `known` and `diversity`, which are a prior's and a
            run's.
        reward: the weighted sum of these.
    """

    terms: Mapping[str, float]
    reward: float


def mean_terms(
    settings: MoleculeRewardSettings,
    strings: Mapping[Key, Sequence[str]],
    workers: int | None = None,
) -> dict[Key, MeanTerms]:
    """What each set of strings would earn, scored by so many processes.

    Raises:
        UserError: if a pattern, a molecule, the formula or the function in the settings is none.
    """
    with MoleculeScorer.with_workers(measurer_for(settings), workers) as scorer:
        return {key: _means(settings, scorer, own) for key, own in strings.items()}


def _means(
    settings: MoleculeRewardSettings, scorer: MoleculeScorer, strings: Sequence[str]
) -> MeanTerms:
    terms = terms_of(settings, scorer.score(strings))
    means = {name: float(values.mean()) for name, values in terms.items()}
    return MeanTerms(means, sum(settings.weights[name] * mean for name, mean in means.items()))
