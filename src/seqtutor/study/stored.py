"""The votes that a database holds, and which listeners' are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import Connection, func, select

from seqtutor.errors import UserError
from seqtutor.study.database import open_database
from seqtutor.study.plan import Plan, Rules, Study
from seqtutor.study.sessions import State
from seqtutor.study.tables import answers, sessions, trials
from seqtutor.study.trials import SCREEN
from seqtutor.study.votes import Vote

_FEWEST = 5
"""Votes of a listener below which its habits are not judged."""
_MOST_NAMED = 5
"""Listeners whom an error names."""


@dataclass(frozen=True)
class StoredVote:
    """A vote with what the statistics do not need.

    Attributes:
        vote: as the statistics read it.
        state: of the session.
        comment: of the listener.
        is_instructed: whether the listener was told which side to choose.
        issued_at, answered_at: seconds since 1970, by the server's clock.
        catches: catch trials on the whole sheet of the listener.
    """

    vote: Vote
    state: State
    comment: str
    is_instructed: bool
    issued_at: float
    answered_at: float
    catches: int = 0


def listener_name(session: int) -> str:
    """What a listener is called in results."""
    return f"L{session:04d}"


def stored_votes(
    connection: Connection, plan: Plan, *, simulated: bool = False
) -> list[StoredVote]:
    """All votes on clips, by listener in order; those of people, or the simulated ones."""
    rows = connection.execute(
        select(trials, answers, sessions.c.state, sessions.c.sheet)
        .join(answers, answers.c.trial == trials.c.id)
        .join(sessions, sessions.c.id == trials.c.session)
        .where(sessions.c.is_simulated == simulated, trials.c.kind != SCREEN)
        .order_by(trials.c.session, trials.c.place)
    )
    catches = [sum(one.kind == "catch" for one in sheet) for sheet in plan.sheets]
    return [_stored(row, plan, catches[row.sheet]) for row in rows]


def _stored(row: Any, plan: Plan, catches: int) -> StoredVote:
    left, right = tuple(row.left), tuple(row.right)
    vote = Vote(
        listener=listener_name(row.session),
        left=plan.model_of(left),
        right=plan.model_of(right),
        left_clips=left,
        right_clips=right,
        rating=row.rating,
        order=row.place,
        seconds=row.seconds,
        left_plays=row.left_plays,
        right_plays=row.right_plays,
        kind=row.kind,
        expected=row.expected,
    )
    own = (row.comment, bool(row.is_instructed), row.issued_at, row.answered_at)
    return StoredVote(vote, State(row.state), *own, catches)


def exclusions(votes: Sequence[StoredVote], rules: Rules) -> Mapping[str, list[str]]:
    """By listener, why the votes are left out; listeners whose votes count are not named."""
    own: dict[str, list[StoredVote]] = {}
    for one in votes:
        own.setdefault(one.vote.listener, []).append(one)
    found = {name: _reasons(each, rules) for name, each in own.items()}
    return {name: reasons for name, reasons in found.items() if reasons}


def _reasons(votes: Sequence[StoredVote], rules: Rules) -> list[str]:
    reasons = []
    if rules.partial == "drop" and votes[0].state is not State.COMPLETE:
        reasons.append("did not finish")
    caught = [one.vote for one in votes if one.vote.kind == "catch"]
    failed = sum(vote.rating * vote.expected <= 0 for vote in caught)
    # Those still to come count too: a first failure of several does not yet decide.
    if failed >= max(1, min(rules.catch_failures, votes[0].catches)):
        reasons.append(f"failed {failed} of {len(caught)} catch trials")
    counted = [one.vote for one in votes if one.vote.kind == "comparison"]
    if len(counted) >= _FEWEST:
        reasons += _habits(counted, rules)
    return reasons


def _habits(votes: Sequence[Vote], rules: Rules) -> list[str]:
    """What tells that the ratings do not depend on what was heard."""
    reasons = []
    typical = median(vote.seconds for vote in votes)
    if typical < rules.fastest:
        reasons.append(f"too fast: a median of {typical:.2f} seconds")
    ratings = [vote.rating for vote in votes]
    shares = {
        "always A": sum(rating < 0 for rating in ratings) / len(ratings),
        "always B": sum(rating > 0 for rating in ratings) / len(ratings),
        "always no preference": ratings.count(0) / len(ratings),
    }
    reasons += [name for name, share in shares.items() if share > rules.one_side]
    return reasons


@dataclass(frozen=True)
class Collected:
    """The votes of a study.

    Attributes:
        votes: all of them, practice and catch trials included.
        excluded: by listener, why the votes are left out.
        is_simulated: whether no person answered.
        set_aside: simulated votes that are not among them, as a person has answered.
    """

    votes: Sequence[StoredVote]
    excluded: Mapping[str, list[str]]
    is_simulated: bool
    set_aside: int = 0

    @property
    def counted(self) -> list[Vote]:
        """Those of listeners who are not left out, of any kind."""
        return [one.vote for one in self.votes if one.vote.listener not in self.excluded]

    def require_counted(self) -> None:
        """Raise a `UserError` that says why no vote counts, if none does."""
        if any(vote.kind == "comparison" for vote in self.counted):
            return
        left_out = [f"{name} ({'; '.join(why)})" for name, why in self.excluded.items()]
        reasons = []
        if left_out:
            more = len(left_out) - _MOST_NAMED
            rest = f" and {more:,} more" if more > 0 else ""
            reasons.append(f"left out {', '.join(left_out[:_MOST_NAMED])}{rest}")
        if self.counted:
            reasons.append("the other answers are to practice and catch trials")
        if self.set_aside:
            reasons.append(
                f"{self.set_aside:,} simulated votes are set aside since a person has answered"
            )
        told = ": " + "; ".join(reasons) if reasons else ""
        raise UserError(f"no vote of this study counts yet{told}")


def collect_votes(study: Study, url: str | None = None) -> Collected:
    """The votes of a study from its database, or from the one of that URL.

    Raises:
        UserError: if there is no database yet, it cannot be opened, or is that of another study.
    """
    database = open_database(study.folder, url, study.sha256, must_exist=True)
    try:
        with database.reading() as connection:
            return collect(connection, study.plan)
    finally:
        database.close()


def collect(connection: Connection, plan: Plan) -> Collected:
    """The votes of people; if there are none, the simulated ones."""
    if votes := stored_votes(connection, plan):
        set_aside = connection.execute(
            select(func.count())
            .select_from(trials.join(answers).join(sessions))
            .where(sessions.c.is_simulated, trials.c.kind != SCREEN)
        ).scalar_one()
        return Collected(votes, exclusions(votes, plan.rules), False, set_aside)
    votes = stored_votes(connection, plan, simulated=True)
    return Collected(votes, exclusions(votes, plan.rules), bool(votes))
