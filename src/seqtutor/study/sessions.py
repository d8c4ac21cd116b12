"""Sessions of listeners: begun with consent, continued by a secret, ended, or erased."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from seqtutor.study.database import Database
from seqtutor.study.tables import answers, recruits, sessions, studies, trials

MOST_SESSIONS = 100_000
"""Of a study, so that nobody fills the disk."""


class State(StrEnum):
    """Where a session stands."""

    ACTIVE = "active"
    COMPLETE = "complete"
    SCREENED_OUT = "screened_out"
    WITHDRAWN = "withdrawn"


class RefusedError(Exception):
    """A session cannot begin; the message is for the listener."""


@dataclass(frozen=True)
class Recruit:
    """What a recruiting service calls a listener, its study, and this submission."""

    participant: str
    study: str
    submission: str


@dataclass(frozen=True)
class Session:
    """A session as it is stored; `id` counts sessions from 1."""

    id: int
    sheet: int
    state: State
    is_simulated: bool


def hashed(token: str) -> str:
    """The SHA-256 of a secret of 256 bits, which is all that is stored of it."""
    return hashlib.sha256(token.encode()).hexdigest()


def begin(
    database: Database,
    sheets: int,
    consent_version: str,
    recruit: Recruit | None = None,
    *,
    now: float,
    is_simulated: bool = False,
) -> tuple[int, str]:
    """Begin a session, or go on with the one of the same submission.

    Args:
        database: of the study.
        sheets: of the plan; the one that is used least is taken.
        consent_version: what the listener agreed to.
        recruit: whom a recruiting service sent.
        now: seconds since 1970.
        is_simulated: whether no person answers.

    Returns:
        The number of the session, and its secret token.

    Raises:
        RefusedError: if the study is stopped, or the participant has taken part already.
    """
    token = secrets.token_urlsafe(32)
    with database.writing() as connection:
        study = database.lock(connection)
        if recruit is not None and (known := _known(connection, recruit)) is not None:
            connection.execute(_with_id(known).values(token_sha256=hashed(token)))
            return known, token
        if not study.is_open:
            raise RefusedError("The study is not taking new listeners at the moment.")
        used: Counter[int] = Counter()
        used.update(_sheets_in_use(connection, is_simulated))
        if used.total() >= MOST_SESSIONS:
            raise RefusedError("The study has all the listeners that it can take.")
        values = {
            "token_sha256": hashed(token),
            "sheet": min(range(sheets), key=lambda sheet: (used[sheet], sheet)),
            "state": State.ACTIVE,
            "consent_version": consent_version,
            "is_simulated": is_simulated,
            "started_at": now,
        }
        number = connection.execute(sessions.insert().values(values)).inserted_primary_key
        assert number is not None
        if recruit is not None:
            own = {"session": number[0], "made_at": now, **vars(recruit)}
            connection.execute(recruits.insert().values(own))
    return int(number[0]), token


def is_open(connection: Connection) -> bool:
    """Whether the study takes new listeners."""
    return bool(connection.execute(select(studies.c.is_open)).scalar_one())


def has_begun(connection: Connection, participant: str) -> bool:
    """Whether a participant of a recruiting service has a session, and may go on with it."""
    chosen = select(recruits.c.session).where(recruits.c.participant == participant)
    return connection.execute(chosen).first() is not None


def _known(connection: Connection, recruit: Recruit) -> int | None:
    """The session of the same participant, who may only go on with the same submission."""
    found = connection.execute(
        select(recruits, sessions.c.state)
        .join(sessions)
        .where(recruits.c.participant == recruit.participant)
    ).first()
    if found is None:
        return None
    if (found.study, found.submission) != (recruit.study, recruit.submission):
        raise RefusedError("You have taken part in this study already.")
    return int(found.session)


def _sheets_in_use(connection: Connection, is_simulated: bool) -> list[int]:
    """The sheet of every session whose votes may count."""
    counting = sessions.c.state.in_((State.ACTIVE, State.COMPLETE))
    own = sessions.c.is_simulated == is_simulated
    return list(connection.scalars(select(sessions.c.sheet).where(counting, own)))


def _with_id(number: int) -> Any:
    return update(sessions).where(sessions.c.id == number)


def find(connection: Connection, token: str | None, *, is_locked: bool = False) -> Session | None:
    """The session of a token.

    Args:
        connection: to the database.
        token: of the session, or what is given in its place.
        is_locked: whether nobody else may write to the session until the transaction ends.
    """
    if not token:
        return None
    chosen = select(sessions).where(sessions.c.token_sha256 == hashed(token))
    row = connection.execute(chosen.with_for_update() if is_locked else chosen).first()
    return None if row is None else _session(row)


def locked(connection: Connection, session: Session) -> Session:
    """A session as it is now, to which nobody else writes until the transaction ends."""
    chosen = select(sessions).where(sessions.c.id == session.id).with_for_update()
    return _session(connection.execute(chosen).one())


def _session(row: Row[Any]) -> Session:
    return Session(row.id, row.sheet, State(row.state), row.is_simulated)


def new_resume_token(database: Database, session: Session) -> str | None:
    """A secret by which the session can be continued elsewhere; an earlier one ends.

    `None` if the session has ended, or was withdrawn, in the meantime.
    """
    token = secrets.token_urlsafe(32)
    with database.writing() as connection:
        active = _with_id(session.id).where(sessions.c.state == State.ACTIVE)
        changed = connection.execute(active.values(resume_sha256=hashed(token)))
    return token if changed.rowcount == 1 else None


def resume(database: Database, token: str) -> str | None:
    """A new token of the session of a resume token, whose old one ends; `None` without one."""
    own = secrets.token_urlsafe(32)
    is_known = sessions.c.resume_sha256 == hashed(token)
    # Guesses do not wait for those who write, nor keep them waiting.
    with database.reading() as connection:
        if connection.execute(select(sessions.c.id).where(is_known)).first() is None:
            return None
    with database.writing() as connection:
        changed = connection.execute(
            update(sessions).where(is_known).values(token_sha256=hashed(own))
        )
        return own if changed.rowcount == 1 else None


def end(connection: Connection, session: Session, state: State, now: float) -> None:
    """Close a session, whose token still shows its last page."""
    connection.execute(_with_id(session.id).values(state=state, ended_at=now))


def withdraw(database: Database, session: Session) -> None:
    """Erase everything of a session but its number and that it was withdrawn.

    The log of SQLite may hold it for longer: see `Database.forget`.
    """
    with database.writing() as connection:
        locked(connection, session)
        own = select(trials.c.id).where(trials.c.session == session.id)
        connection.execute(delete(answers).where(answers.c.trial.in_(own)))
        connection.execute(delete(trials).where(trials.c.session == session.id))
        connection.execute(delete(recruits).where(recruits.c.session == session.id))
        connection.execute(
            _with_id(session.id).values(
                state=State.WITHDRAWN, token_sha256=None, resume_sha256=None, started_at=0.0
            )
        )
    database.forget()


def erase_simulated(database: Database) -> int:
    """Erase all simulated listeners with what they answered; gives how many."""
    with database.writing() as connection:
        own = select(sessions.c.id).where(sessions.c.is_simulated)
        asked = select(trials.c.id).where(trials.c.session.in_(own))
        connection.execute(delete(answers).where(answers.c.trial.in_(asked)))
        connection.execute(delete(trials).where(trials.c.session.in_(own)))
        gone = connection.execute(delete(sessions).where(sessions.c.is_simulated)).rowcount
    return int(gone)


def purge_recruits(database: Database, days: float, now: float | None = None) -> int:
    """Erase whom a recruiting service sent longer ago than some days; gives how many.

    Also erases what is left in the log of SQLite, as of a server that was killed.
    """
    oldest = (time.time() if now is None else now) - days * 86_400
    with database.writing() as connection:
        gone = connection.execute(delete(recruits).where(recruits.c.made_at <= oldest)).rowcount
    database.forget()
    return int(gone)


def counts(connection: Connection, *, simulated: bool) -> Mapping[State, int]:
    """How many sessions are in each state."""
    rows = connection.execute(
        select(sessions.c.state, func.count())
        .where(sessions.c.is_simulated == simulated)
        .group_by(sessions.c.state)
    )
    found = {state: int(number) for state, number in rows}
    return {state: found.get(state, 0) for state in State}
