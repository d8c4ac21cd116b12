"""The mean reward of sets of strings and its terms, as tables show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from seqtutor.measure import Estimate
from seqtutor.measures.estimates import mean_estimate
from seqtutor.tasks.molecule.reward_settings import MoleculeRewardSettings
from seqtutor.tasks.molecule.scoring import MoleculeScorer
from seqtutor.tasks.molecule.terms import measurer_for, terms_of

Key = TypeVar("Key")


def mean_terms(
    settings: MoleculeRewardSettings,
    strings: Mapping[Key, Sequence[str]],
    workers: int | None = None,
) -> dict[Key, dict[str, Estimate]]:
    """Means over each set of strings, invalid ones included.

    Args:
        settings: the terms and their weights.
        strings: the sets.
        workers: processes that score; one for each core if left out.

    Returns:
        For each set the estimates `term_NAME`, not weighted, and `reward`, the weighted sum. The
        terms `known` and `diversity`, which depend on a prior and on a run, are left out.

    Raises:
        UserError: if a pattern, a molecule, the formula or the function in the settings is none.
    """
    with MoleculeScorer.with_workers(measurer_for(settings), workers) as scorer:
        return {key: _estimates(settings, scorer, own) for key, own in strings.items()}


def _estimates(
    settings: MoleculeRewardSettings, scorer: MoleculeScorer, strings: Sequence[str]
) -> dict[str, Estimate]:
    terms = terms_of(settings, scorer.score(strings))
    rewards = sum(
        (settings.weights[name] * values for name, values in terms.items()), np.zeros(len(strings))
    )
    means = {f"term_{name}": mean_estimate(values) for name, values in terms.items()}
    return {"reward": mean_estimate(rewards), **means}
