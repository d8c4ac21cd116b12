"""The votes that a database holds, and which listeners' are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any, get_args

from sqlalchemy import Connection, func, select

from seqtutor.errors import UserError
from seqtutor.study.database import UnavailableError, open_database
from seqtutor.study.plan import Plan, Rules, Study
from seqtutor.study.sessions import State
from seqtutor.study.tables import answers, sessions, trials
from seqtutor.study.trials import SCREEN, is_possible
from seqtutor.study.votes import Kind, Vote

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
) -> tuple[list[StoredVote], int]:
    """All votes on clips, by listener in order; those of people, or the simulated ones.

    Returns:
        The votes, and how many answers are damaged, so that they are none of the plan.
    """
    rows = connection.execute(
        select(trials, answers, sessions.c.state, sessions.c.sheet)
        .join(answers, answers.c.trial == trials.c.id)
        .join(sessions, sessions.c.id == trials.c.session)
        .where(sessions.c.is_simulated == simulated, trials.c.kind != SCREEN)
        .order_by(trials.c.session, trials.c.place)
    )
    catches = [sum(one.kind == "catch" for one in sheet) for sheet in plan.sheets]
    found, damaged = [], 0
    for row in rows:
        try:
            found.append(_stored(row, plan, catches))
        except (ValueError, TypeError, LookupError, OverflowError, OSError):
            damaged += 1
    return found, damaged


def _stored(row: Any, plan: Plan, catches: Sequence[int]) -> StoredVote:
    """The vote of a row.

    Raises:
        ValueError, TypeError, LookupError, OverflowError, OSError: if somebody has written into the
            database what no server does.
    """
    if not is_possible(plan, row) or row.kind not in get_args(Kind):
        raise ValueError
    vote = Vote(
        listener=listener_name(row.session),
        left=plan.model_of(row.left),
        right=plan.model_of(row.right),
        left_clips=tuple(row.left),
        right_clips=tuple(row.right),
        rating=row.rating,
        order=int(row.place),
        seconds=float(row.seconds),
        left_plays=int(row.left_plays),
        right_plays=int(row.right_plays),
        kind=row.kind,
        expected=int(row.expected),
    )
    issued_at, answered_at = float(row.issued_at), float(row.answered_at)
    for moment in (issued_at, answered_at):
        datetime.fromtimestamp(moment, UTC)
    own = (str(row.comment), bool(row.is_instructed), issued_at, answered_at)
    return StoredVote(vote, State(row.state), *own, catches[row.sheet])


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
    unheard = sum(not (vote.left_plays and vote.right_plays) for vote in votes)
    if unheard > rules.unheard * len(votes):
        reasons.append(f"did not start both sides of {unheard} of {len(votes)} comparisons")
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
        damaged: answers that are not among them, as the database was written to by hand.
    """

    votes: Sequence[StoredVote]
    excluded: Mapping[str, list[str]]
    is_simulated: bool
    set_aside: int = 0
    damaged: int = 0

    @property
    def remarks(self) -> list[str]:
        """What a reader of the results should know of the database."""
        if not self.damaged:
            return []
        return [
            f"{self.damaged:,} stored answers are damaged, and left out: they are none that the "
            "server can have written. Look who else writes to the database."
        ]

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
    except UnavailableError as error:
        raise UserError(f"cannot read the votes of {study.folder}: {error}") from None
    finally:
        database.close()


def collect(connection: Connection, plan: Plan) -> Collected:
    """The votes of people; if there are none, the simulated ones."""
    votes, damaged = stored_votes(connection, plan)
    if votes or damaged:
        set_aside = connection.execute(
            select(func.count())
            .select_from(trials.join(answers).join(sessions))
            .where(sessions.c.is_simulated, trials.c.kind != SCREEN)
        ).scalar_one()
        return Collected(votes, exclusions(votes, plan.rules), False, set_aside, damaged)
    votes, damaged = stored_votes(connection, plan, simulated=True)
    return Collected(votes, exclusions(votes, plan.rules), bool(votes), 0, damaged)
