"""What a listener is asked next, and the answers; the server decides all of it.

A trial is stored when it is first asked and is the only one that the session can answer. An answer
is stored in one transaction before it is acknowledged; sent again, it changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from seqtutor.study.database import Database
from seqtutor.study.plan import Comparison, Plan
from seqtutor.study.sessions import Session, State, end, find, locked
from seqtutor.study.tables import answers, sessions, trials
from seqtutor.study.votes import Answer

SCREEN = "screen"
"""The kind of a trial of the headphone screen."""
LOOKING = 1.0
"""Seconds that a comparison without sound is looked at."""
_SLACK = 0.5
"""Seconds by which clocks and players may differ."""
_ATTEMPTS = 5


@dataclass(frozen=True)
class Trial:
    """A question as it was asked; of the screen, `left` is the file and `expected` the interval."""

    id: str
    place: int
    kind: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    expected: int
    is_instructed: bool
    issued_at: float


class Outcome(Enum):
    """What became of an answer."""

    STORED = "stored"
    UNKNOWN = "no such question"
    CONFLICT = "answered otherwise already"
    ENDED = "the session has ended"
    EARLY = "not heard yet"
    INVALID = "no such rating"


Chooser = Callable[[Connection, Session], Comparison]
"""Chooses a comparison that the plan leaves open."""


def is_possible(plan: Plan, row: Any) -> bool:
    """Whether a row of the database, with its answer if any, can be of a comparison of the plan."""
    known = bool(row.left and row.right) and all(n in plan.clip for n in (*row.left, *row.right))
    return known and row.rating in (None, *range(-2, 3))


def trial_count(plan: Plan, session: Session) -> int:
    """Questions of a session, those of the screen included."""
    return len(plan.screen) + len(plan.sheets[session.sheet])


def next_trial(
    database: Database,
    plan: Plan,
    session: Session,
    now: float,
    choose: Chooser | None = None,
) -> Trial | None:
    """The question that a session has to answer; `None` after the last one.

    Args:
        database: of the study.
        plan: of the study.
        session: an active one.
        now: seconds since 1970.
        choose: the comparison where the plan leaves it open.
    """
    for _ in range(_ATTEMPTS):
        with database.reading() as connection:
            last = _last(connection, session)
        if last is not None and not last.is_answered:
            return _trial(last)
        place = 0 if last is None else last.place + 1
        if place >= trial_count(plan, session):
            return None
        try:
            with database.writing() as connection:
                if locked(connection, session).state is not State.ACTIVE:
                    return None
                row = _row(connection, plan, session, place, choose) | {"issued_at": now}
                connection.execute(trials.insert().values(row))
        except IntegrityError:
            continue  # The same session asked twice at once; one of them was first.
        return Trial(**_without_session(row))
    return None


def _last(connection: Connection, session: Session) -> Any:
    return connection.execute(
        select(trials, answers.c.trial.is_not(None).label("is_answered"))
        .outerjoin(answers)
        .where(trials.c.session == session.id)
        .order_by(trials.c.place.desc())
        .limit(1)
    ).first()


def _trial(row: Any) -> Trial:
    found = _without_session(row._mapping)
    found.pop("is_answered", None)
    return Trial(**found)


def _without_session(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "session"}


def _row(
    connection: Connection, plan: Plan, session: Session, place: int, choose: Chooser | None
) -> dict[str, Any]:
    """What is stored of the question at a place."""
    row = {"id": secrets.token_hex(16), "session": session.id, "place": place}
    if place < len(plan.screen):
        stimulus = plan.screen[place]
        own = {"left": (stimulus.media.file,), "right": (), "expected": stimulus.answer}
        return row | own | {"kind": SCREEN, "is_instructed": False}
    asked = plan.sheets[session.sheet][place - len(plan.screen)]
    if not asked.left:
        assert choose is not None
        asked = choose(connection, session)
    return row | vars(asked)


def least_seconds(plan: Plan, trial: Trial) -> float:
    """Seconds from question to answer within which nobody can have heard what has to be heard."""
    if trial.kind == SCREEN:
        stimulus = next(one for one in plan.screen if one.media.file == trial.left[0])
        return stimulus.seconds - _SLACK
    clips = [plan.clip[name] for name in (*trial.left, *trial.right)]
    if not any(clip.sound for clip in clips):
        return LOOKING - _SLACK
    return max(0.0, plan.rules.heard * sum(clip.seconds for clip in clips) - _SLACK)


def store(
    database: Database, plan: Plan, token: str, trial_id: str, answer: Answer, now: float
) -> Outcome:
    """Store the answer of a session to its trial; durable once this returns `STORED`.

    Args:
        database: of the study.
        plan: of the study.
        token: of the session.
        trial_id: of the question.
        answer: to be stored.
        now: seconds since 1970.

    Raises:
        UnavailableError: if it could not be stored.
    """
    for attempt in range(_ATTEMPTS):
        try:
            with database.writing() as connection:
                return _stored(connection, plan, token, trial_id, answer, now)
        except IntegrityError:
            # The same answer came twice at once.
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _stored(
    connection: Connection, plan: Plan, token: str, trial_id: str, answer: Answer, now: float
) -> Outcome:
    session = find(connection, token, is_locked=True)
    row = connection.execute(select(trials).where(trials.c.id == trial_id)).first()
    if session is None or row is None or row.session != session.id:
        return Outcome.UNKNOWN
    trial = _trial(row)
    known = connection.execute(select(answers).where(answers.c.trial == trial_id)).first()
    if known is not None:
        is_same = (known.rating, known.comment) == (answer.rating, answer.comment)
        return Outcome.STORED if is_same else Outcome.CONFLICT
    if session.state is not State.ACTIVE:
        return Outcome.ENDED
    if answer.rating not in (range(1, 4) if trial.kind == SCREEN else range(-2, 3)):
        return Outcome.INVALID
    values = {"trial": trial_id, "answered_at": now, **vars(answer)}
    # Time below 0 where the clock was set back: then it is not known how much has passed.
    if (elapsed := now - trial.issued_at) >= 0 and not session.is_simulated:
        since_heard = elapsed - least_seconds(plan, trial)
        if since_heard < 0:
            return Outcome.EARLY
        # Who says to have thought for longer than that has not.
        values["seconds"] = min(answer.seconds, since_heard)
    connection.execute(answers.insert().values(values))
    if trial.place == len(plan.screen) - 1 and not _passes(connection, plan, session):
        end(connection, session, State.SCREENED_OUT, now)
    elif trial.place == trial_count(plan, session) - 1:
        end(connection, session, State.COMPLETE, now)
    return Outcome.STORED


def _passes(connection: Connection, plan: Plan, session: Session) -> bool:
    """Whether a session has heard the pitch of the headphone screen often enough."""
    right = connection.execute(
        select(trials.c.id)
        .join(answers)
        .where(
            trials.c.session == session.id,
            trials.c.kind == SCREEN,
            trials.c.expected == answers.c.rating,
        )
    ).all()
    return len(right) >= plan.rules.screen_passes


def may_see(connection: Connection, session: Session, wanted: Collection[str]) -> bool:
    """Whether a question of the session has one of these clips or files."""
    rows = connection.execute(
        select(trials.c.left, trials.c.right)
        .join(sessions)
        .where(trials.c.session == session.id, sessions.c.state == State.ACTIVE)
        .order_by(trials.c.place.desc())
    )
    return any(name in wanted for row in rows for name in (*row.left, *row.right))
