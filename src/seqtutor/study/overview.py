"""What a researcher sees of a running study."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from sqlalchemy import Connection

from seqtutor.study.agreement import agreement
from seqtutor.study.plan import Plan
from seqtutor.study.planned import progress_of
from seqtutor.study.sessions import State, counts, is_open
from seqtutor.study.stored import Collected, collect
from seqtutor.study.votes import Vote
from seqtutor.study.warnings import study_warnings


@dataclass(frozen=True)
class PairCount:
    """Votes on two models, whichever side they stood on."""

    first: str
    second: str
    first_wins: int
    ties: int
    second_wins: int

    @property
    def votes(self) -> int:
        """All of them."""
        return self.first_wins + self.ties + self.second_wins


@dataclass(frozen=True)
class Overview:
    """The state of a study.

    Attributes:
        is_open: whether new listeners are taken.
        is_simulated: whether the votes are those of simulated listeners.
        set_aside: simulated votes that do not count, as a person has answered.
        sessions: how many are in each state.
        pairs: votes on each pair of models.
        votes: that count.
        progress: how many listeners count of those who were planned, in sentences.
        agreement: of listeners, Krippendorff's α; `None` if it is not known yet.
        excluded: by listener, why the votes are left out.
        warnings: defects that the votes show, in sentences.
        comments: of listeners, the latest first.
    """

    is_open: bool
    is_simulated: bool
    set_aside: int
    sessions: Mapping[State, int]
    pairs: Sequence[PairCount]
    votes: int
    progress: str
    agreement: float | None
    excluded: Mapping[str, list[str]]
    warnings: Sequence[str]
    comments: Sequence[tuple[str, str]]


_MOST_COMMENTS = 50


def overview(connection: Connection, plan: Plan) -> Overview:
    """The state of a study as the database has it now."""
    collected = collect(connection, plan)
    counted = [vote for vote in collected.counted if vote.kind == "comparison"]
    alpha = _agreement(tuple(counted))
    warnings = _warnings(
        tuple(collected.counted), plan.model_names, tuple(plan.media), plan.is_adaptive
    )
    return Overview(
        is_open(connection),
        collected.is_simulated,
        collected.set_aside,
        counts(connection, simulated=collected.is_simulated),
        pair_counts(counted, plan.model_names),
        len(counted),
        str(progress_of(plan, len({vote.listener for vote in counted}), len(counted))),
        alpha if math.isfinite(alpha) else None,
        collected.excluded,
        [*collected.remarks, *warnings],
        _comments(collected),
    )


def pair_counts(votes: Sequence[Vote], models: Sequence[str]) -> list[PairCount]:
    """For each pair of models how often either was preferred, and how often neither."""
    found: Counter[tuple[str, str, int]] = Counter()
    for vote in votes:
        sign = (vote.rating > 0) - (vote.rating < 0)
        found[vote.left, vote.right, sign] += 1
    return [
        PairCount(
            first,
            second,
            found[first, second, -1] + found[second, first, 1],
            found[first, second, 0] + found[second, first, 0],
            found[first, second, 1] + found[second, first, -1],
        )
        for first, second in combinations(models, 2)
    ]


# Both take a moment, and are kept until another vote comes.


@lru_cache(maxsize=2)
def _agreement(votes: tuple[Vote, ...]) -> float:
    return agreement(votes).alpha.estimate if votes else math.nan


@lru_cache(maxsize=2)
def _warnings(
    votes: tuple[Vote, ...], models: tuple[str, ...], files: tuple[str, ...], is_adaptive: bool
) -> tuple[str, ...]:
    return tuple(map(str, study_warnings(votes, models, files, is_adaptive)))


def _comments(collected: Collected) -> list[tuple[str, str]]:
    own = [(one.vote.listener, one.comment) for one in collected.votes if one.comment]
    return own[::-1][:_MOST_COMMENTS]
