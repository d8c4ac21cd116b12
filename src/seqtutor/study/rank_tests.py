"""The tests of Jaques et al. (2017): Kruskal–Wallis, and Mann–Whitney with Holm's correction.

Each comparison gives a rating to both of its models, of opposite sign. The tests take ratings for
independent, which they are not: what one model of a comparison gains the other one loses, so that
under the null H is too large by M/(M − 1) for M models in balanced pairs (Durbin 1951), and the
ratings of one listener are alike. Therefore each p stands beside another one from permutations of
the models' names within each listener's votes, all votes of a listener alike: where models do not
differ, a listener's taste is as likely to favour one as another, and names are exchangeable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Float

from seqtutor.study.votes import Vote

PERMUTATIONS = 2000
_MOST_MODELS = 6
"""Beyond it, permutations of names are drawn instead of listed."""


@dataclass(frozen=True)
class KruskalWallis:
    """H of scipy with its p, and p over listeners.

    Attributes:
        H: corrected for ties; 0 if all ratings are equal.
        df: degrees of freedom.
        p: of the χ² law, as the paper gives it.
        p_listeners: from permutations within listeners.
        effect: ε² = H / (N − 1), the share of the variance of ranks between models.
    """

    H: float
    df: int
    p: float
    p_listeners: float
    effect: float


@dataclass(frozen=True)
class MannWhitney:
    """U of scipy for two models with its p.

    Attributes:
        first, second: the models.
        U: of the first.
        p: as the paper gives it, of the normal law with the correction for ties.
        p_holm: p after Holm's correction for all pairs.
        p_listeners: from permutations within listeners, after Holm's correction.
        effect: the rank-biserial correlation 2 U / (n m) − 1: 1 if every rating of the first is
            above every one of the second.
    """

    first: str
    second: str
    U: float
    p: float
    p_holm: float
    p_listeners: float
    effect: float


def ratings_of(votes: Sequence[Vote], models: Sequence[str]) -> list[Float[np.ndarray, " rating"]]:
    """The ratings of each model, from its own side: 2 is "this one is much better"."""
    found: dict[str, list[int]] = {model: [] for model in models}
    for vote in _compared(votes):
        found[vote.left].append(-vote.rating)
        found[vote.right].append(vote.rating)
    return [np.array(found[model], float) for model in models]


def kruskal_wallis(
    votes: Sequence[Vote], models: Sequence[str], generator: np.random.Generator
) -> KruskalWallis:
    """Test whether any model is rated otherwise than the others."""
    from scipy.stats import kruskal

    ratings = ratings_of(votes, models)
    together = np.concatenate(ratings)
    if min(map(len, ratings)) == 0 or np.ptp(together) == 0:
        return KruskalWallis(0.0, len(models) - 1, 1.0, _p_of_equals(votes), 0.0)
    found = kruskal(*ratings)
    ranks, counts = _rank_sums(votes, models, models)
    p_listeners = _permuted_p(ranks, counts, generator)
    statistic = float(found.statistic)
    effect = statistic / (len(together) - 1)
    return KruskalWallis(statistic, len(models) - 1, float(found.pvalue), p_listeners, effect)


def mann_whitney(
    votes: Sequence[Vote],
    models: Sequence[str],
    generator: np.random.Generator,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> list[MannWhitney]:
    """Test each pair of models, on all of their ratings, also those beside a third model.

    Args:
        votes: of the study.
        models: that it compares.
        generator: of permutations.
        pairs: which ones are tested, and corrected for; all unless given.
    """
    from scipy.stats import mannwhitneyu

    ratings = dict(zip(models, ratings_of(votes, models), strict=True))
    pairs = list(combinations(models, 2)) if pairs is None else pairs
    found = []
    for first, second in pairs:
        one, other = ratings[first], ratings[second]
        if min(len(one), len(other)) == 0 or np.ptp(np.concatenate([one, other])) == 0:
            found.append((len(one) * len(other) / 2, 1.0, _p_of_equals(votes), 0.0))
            continue
        tested = mannwhitneyu(one, other, method="asymptotic")
        ranks, counts = _rank_sums(votes, models, (first, second))
        effect = 2 * float(tested.statistic) / (len(one) * len(other)) - 1
        p_listeners = _permuted_p(ranks, counts, generator)
        found.append((float(tested.statistic), float(tested.pvalue), p_listeners, effect))
    holm_p, holm_listeners = (holm([one[place] for one in found]) for place in (1, 2))
    return [
        MannWhitney(*pair, U, p, holm_p[place], holm_listeners[place], effect)
        for place, (pair, (U, p, _, effect)) in enumerate(zip(pairs, found, strict=True))
    ]


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down correction: the k-th smallest of m times m − k + 1, in order."""
    order = np.argsort(p)
    raised = np.asarray(p, float)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(raised))
    return corrected.tolist()


def _compared(votes: Sequence[Vote]) -> list[Vote]:
    return [vote for vote in votes if vote.kind == "comparison" and vote.left != vote.right]


def _rank_sums(
    votes: Sequence[Vote], models: Sequence[str], among: Sequence[str]
) -> tuple[Float[np.ndarray, "listener model"], Float[np.ndarray, "listener model"]]:
    """The sums of ranks of each listener's ratings of some models, and how many there are."""
    from scipy.stats import rankdata

    number = {model: place for place, model in enumerate(among)}
    rows, columns, ratings = [], [], []
    listeners: dict[str, int] = {}
    for vote in _compared(votes):
        row = listeners.setdefault(vote.listener, len(listeners))
        for model, rating in ((vote.left, -vote.rating), (vote.right, vote.rating)):
            if model in number:
                rows.append(row)
                columns.append(number[model])
                ratings.append(rating)
    ranks = np.zeros((len(listeners), len(among)))
    counts = np.zeros_like(ranks)
    np.add.at(ranks, (rows, columns), rankdata(ratings))
    np.add.at(counts, (rows, columns), 1)
    return ranks, counts


def _p_of_equals(votes: Sequence[Vote]) -> float:
    """The p over listeners where all ratings are equal; NaN for a single listener."""
    return 1.0 if len({vote.listener for vote in _compared(votes)}) > 1 else math.nan


def _permuted_p(
    ranks: Float[np.ndarray, "listener model"],
    counts: Float[np.ndarray, "listener model"],
    generator: np.random.Generator,
) -> float:
    """How often permuted names give as large a sum Σ n (R/n − mean)², the observed one included.

    Neither Kruskal–Wallis' H nor |U − nm/2| of balanced ratings depends on anything else that a
    permutation changes. NaN for a single listener, who stands for no others.
    """
    listeners, models = ranks.shape
    if listeners < 2:
        return math.nan
    if models <= _MOST_MODELS:
        orders = np.array(list(permutations(range(models))))
        drawn = orders[generator.integers(len(orders), size=(PERMUTATIONS, listeners))]
    else:
        drawn = generator.random((PERMUTATIONS, listeners, models)).argsort(axis=-1)
    rows = np.arange(listeners)[None, :, None]
    mean = ranks.sum() / counts.sum()

    def size(summed: np.ndarray, number: np.ndarray) -> np.ndarray:
        away = (summed / np.maximum(number, 1) - mean) ** 2
        return (number * away).sum(axis=-1)

    observed = size(ranks.sum(axis=0), counts.sum(axis=0))
    permuted = size(ranks[rows, drawn].sum(axis=1), counts[rows, drawn].sum(axis=1))
    as_large = int((permuted >= observed * (1 - 1e-9)).sum())
    return (1 + as_large) / (1 + PERMUTATIONS)


def pairs_factor(models: int) -> float:
    """By how much H of balanced pairs is too large if models do not differ: M / (M − 1)."""
    return models / (models - 1) if models > 1 else math.nan
