"""The results of a listening study: as the paper of 2017 gives them, and as is right today."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from seqtutor.errors import UserError
from seqtutor.files import json_number
from seqtutor.measures.intervals import Interval, share_interval
from seqtutor.study.agreement import Agreement, Heterogeneity, agreement, heterogeneity
from seqtutor.study.inference import Bounded, FTest, Inference, infer
from seqtutor.study.rank_tests import (
    KruskalWallis,
    MannWhitney,
    holm,
    kruskal_wallis,
    mann_whitney,
)
from seqtutor.study.tally import tally
from seqtutor.study.votes import Vote


@dataclass(frozen=True)
class Wins:
    """How a model fared.

    Attributes:
        comparisons: that it was in.
        wins: of these it was preferred.
        ties: of these had no preference.
        share: wins among its comparisons with a preference, with the interval of Clopper and
            Pearson, which takes votes for independent.
    """

    comparisons: int
    wins: int
    ties: int
    share: Interval

    @property
    def deviation(self) -> float:
        """The standard deviation of the wins by the binomial law, figure 3's error bar."""
        chance = self.wins / max(1, self.comparisons)
        return math.sqrt(self.comparisons * chance * (1 - chance))


@dataclass(frozen=True)
class Difference:
    """Log-odds of one model over another, among listeners who have a preference.

    Attributes:
        first, second: the models.
        value: θ of the first minus that of the second, with its 95 % interval.
        p: two-sided, by Student's t over listeners.
        p_holm: after Holm's correction for all pairs.
    """

    first: str
    second: str
    value: Bounded
    p: float
    p_holm: float


@dataclass(frozen=True)
class Results:
    """All figures of a study; `to_json` names them.

    Attributes:
        models: in the order given; the first is what the others are compared with.
        votes: how many count.
        listeners: how many gave them.
        excluded: listeners whose votes do not count, each with the reason.
        wins: of each model.
        strengths: log-odds of each model against the first.
        differences: of every pair of models.
        position: log-odds of the left side between equal models.
        ties: ν of equation (1) of `bradley_terry`.
        any_difference: Hotelling's test over listeners; `None` with too few of them.
    """

    models: tuple[str, ...]
    votes: int
    listeners: int
    excluded: Mapping[str, str]
    wins: Mapping[str, Wins]
    kruskal_wallis: KruskalWallis
    mann_whitney: Sequence[MannWhitney]
    strengths: Mapping[str, Bounded]
    differences: Sequence[Difference]
    position: Bounded
    position_p: float
    ties: Bounded
    any_difference: FTest | None
    agreement: Agreement
    heterogeneity: Heterogeneity

    def to_json(self) -> dict[str, Any]:
        """Plain values: numbers, texts, lists and mappings.

        An end is null where votes set no bound; so is all that takes two listeners, where there is
        one.
        """
        wins = self.wins
        return {
            "models": list(self.models),
            "votes": self.votes,
            "listeners": self.listeners,
            "excluded": dict(self.excluded),
            "wins": {model: own.wins for model, own in wins.items()},
            "ties": {model: own.ties for model, own in wins.items()},
            "comparisons": {model: own.comparisons for model, own in wins.items()},
            "shares": {
                model: {
                    "share": json_number(own.share.value),
                    "low": json_number(own.share.low),
                    "high": json_number(own.share.high),
                }
                for model, own in wins.items()
            },
            "kruskal_wallis": _plain(self.kruskal_wallis),
            "mann_whitney": [_plain(one) for one in self.mann_whitney],
            "bradley_terry": {model: _bounded(one) for model, one in self.strengths.items()},
            "differences": [
                {
                    "first": one.first,
                    "second": one.second,
                    **_bounded(one.value),
                    "p": json_number(one.p),
                    "p_holm": json_number(one.p_holm),
                }
                for one in self.differences
            ],
            "position": {**_bounded(self.position), "p": json_number(self.position_p)},
            "ties_term": _bounded(self.ties),
            "any_difference": None if self.any_difference is None else _plain(self.any_difference),
            "agreement": {
                **_bounded(self.agreement.alpha),
                "unit": self.agreement.unit,
                "units": self.agreement.units,
            },
            "heterogeneity": {
                "spread": json_number(self.heterogeneity.spread),
                "p": json_number(self.heterogeneity.p),
                "design_effect": json_number(self.heterogeneity.design_effect),
            },
        }


def results_of(
    votes: Sequence[Vote],
    models: Sequence[str],
    excluded: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Results:
    """Analyse the votes of a study.

    Args:
        votes: all of them; practice and catch trials do not count.
        models: what was compared; the first is what the others are compared with.
        excluded: listeners whose votes do not count, each with the reason.
        seed: of permutations.

    Raises:
        UserError: if no vote counts, or a vote is on a model that is not there.
    """
    excluded = excluded or {}
    kept = [vote for vote in votes if vote.listener not in excluded]
    counted = tally(kept, models)
    if not counted.listeners:
        raise UserError("no vote of this study counts yet: there is nothing to analyse")
    generator = np.random.default_rng(seed)
    inference = infer(counted)
    names = np.eye(len(models) + 1)
    differences = _differences(inference)
    against_first = {one.second: one.value for one in differences if one.first == models[0]}
    wins = zip(
        models,
        counted.comparisons.sum(axis=0),
        counted.wins.sum(axis=0),
        counted.ties.sum(axis=0),
        strict=True,
    )
    return Results(
        tuple(models),
        int(counted.total.sum()),
        len(counted.listeners),
        dict(excluded),
        {model: _wins(int(heard), int(won), int(tied)) for model, heard, won, tied in wins},
        kruskal_wallis(kept, models, generator),
        mann_whitney(kept, models, generator),
        {
            model: against_first[model].opposite if place else Bounded(0.0, 0.0, 0.0)
            for place, model in enumerate(models)
        },
        differences,
        inference.interval(names[-2]),
        inference.test(names[-2]),
        inference.interval(names[-1]),
        inference.no_difference(),
        agreement(kept),
        heterogeneity(inference, generator),
    )


def _wins(comparisons: int, wins: int, ties: int) -> Wins:
    decided = comparisons - ties
    if decided == 0:
        return Wins(comparisons, wins, ties, Interval(math.nan, math.nan, math.nan))
    return Wins(comparisons, wins, ties, share_interval(wins / decided, decided))


def _differences(inference: Inference) -> list[Difference]:
    models = inference.tally.models
    pairs = list(combinations(range(len(models)), 2))
    contrasts = [inference.contrast(*pair) for pair in pairs]
    p = [inference.test(contrast) for contrast in contrasts]
    corrected = holm(p)
    return [
        Difference(
            models[pair[0]],
            models[pair[1]],
            inference.interval(contrasts[place]),
            p[place],
            corrected[place],
        )
        for place, pair in enumerate(pairs)
    ]


def _bounded(one: Bounded) -> dict[str, float | None]:
    return {key: json_number(getattr(one, key)) for key in ("estimate", "low", "high")}


def _plain(record: object) -> dict[str, Any]:
    return {
        key: value if isinstance(value, str | int) else json_number(value)
        for key, value in vars(record).items()
    }
