"""What a researcher sees of a running study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, permutations

from sqlalchemy import Connection

from seqtutor.files import json_number
from seqtutor.study.agreement import agreement
from seqtutor.study.plan import Plan
from seqtutor.study.planned import progress_of
from seqtutor.study.sessions import State, counts, is_open
from seqtutor.study.stored import Collected, collect
from seqtutor.study.tally import Tally, tally
from seqtutor.study.votes import Vote
from seqtutor.study.warnings import study_warnings


@dataclass(frozen=True)
class Overview:
    """The state of a study.

    Attributes:
        collected: the votes, and who is left out.
        is_open: whether new listeners are taken.
        sessions: how many are in each state.
        pairs: of each pair of models, how often the first was preferred, neither, and the second.
        votes: that count.
        progress: how many listeners count of those who were planned, in sentences.
        agreement: of listeners, Krippendorff's α; `None` if it is not known yet.
        warnings: defects that the votes show, in sentences.
    """

    collected: Collected
    is_open: bool
    sessions: Mapping[State, int]
    pairs: Mapping[tuple[str, str], list[int]]
    votes: int
    progress: str
    agreement: float | None
    warnings: Sequence[str]

    @property
    def comments(self) -> list[tuple[str, str]]:
        """Of listeners, the latest first."""
        own = [(one.vote.listener, one.comment) for one in self.collected.votes if one.comment]
        return own[::-1][:_MOST_COMMENTS]


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
        collected,
        is_open(connection),
        counts(connection, simulated=collected.is_simulated),
        _pairs(tally(counted, plan.model_names)),
        len(counted),
        str(progress_of(plan, len({vote.listener for vote in counted}), len(counted))),
        json_number(alpha),
        [*collected.remarks, *warnings],
    )


def _pairs(counted: Tally) -> dict[tuple[str, str], list[int]]:
    """The outcomes of each pair of models, whichever side they stood on."""
    numbers = dict(zip(permutations(counted.models, 2), counted.total.astype(int), strict=True))
    return {
        (one, other): (numbers[one, other] + numbers[other, one][::-1]).tolist()
        for one, other in combinations(counted.models, 2)
    }


# Both take a moment, and are kept until another vote comes.


@lru_cache(maxsize=2)
def _agreement(votes: tuple[Vote, ...]) -> float:
    return agreement(votes).alpha.estimate if votes else math.nan


@lru_cache(maxsize=2)
def _warnings(
    votes: tuple[Vote, ...], models: tuple[str, ...], files: tuple[str, ...], is_adaptive: bool
) -> tuple[str, ...]:
    return tuple(map(str, study_warnings(votes, models, files, is_adaptive)))
