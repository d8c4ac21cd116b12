"""The tables of a study's database.

Whom a recruiting service sent is in a table of its own, apart from what was answered; `sessions`
and `answers` hold nothing that identifies a person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

metadata = MetaData()


class _Clips(TypeDecorator[Sequence[str]]):
    """Identifiers of clips as a JSON list; none where the database holds anything else there."""

    impl = JSON
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Sequence[str]]:
        """Reads a value."""
        read = super().result_processor(dialect, coltype)

        def checked(value: Any) -> Sequence[str]:
            try:
                found: Any = value if read is None else read(value)
            except (ValueError, TypeError, RecursionError):
                return ()
            if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
                return ()
            return tuple(found)

        return checked


studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plan_sha256", String(64), nullable=False),
    Column("is_open", Boolean, nullable=False),
)
"""One row: the plan that the database belongs to. Its lock orders what may not happen at once."""

researchers = Table(
    "researchers",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("made_at", Float, nullable=False),
)
"""Hashes of the tokens that open the researcher's page."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("token_sha256", String(64), unique=True),
    Column("resume_sha256", String(64), unique=True),
    Column("sheet", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("consent_version", String(16), nullable=False),
    Column("is_simulated", Boolean, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
)
"""Listeners; of one who withdrew only the number and the state stay."""

recruits = Table(
    "recruits",
    metadata,
    Column("session", ForeignKey("sessions.id"), primary_key=True),
    Column("participant", String(200), nullable=False, unique=True),
    Column("study", String(200), nullable=False),
    Column("submission", String(200), nullable=False),
    Column("made_at", Float, nullable=False, index=True),
)
"""Whom a recruiting service sent; erased when the time of retention is over."""

trials = Table(
    "trials",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("session", ForeignKey("sessions.id"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("left", _Clips, nullable=False),
    Column("right", _Clips, nullable=False),
    Column("expected", Integer, nullable=False),
    Column("is_instructed", Boolean, nullable=False),
    Column("issued_at", Float, nullable=False),
    UniqueConstraint("session", "place"),
)
"""What was asked: written when it is first shown, so that it is the same after a reload."""

answers = Table(
    "answers",
    metadata,
    Column("trial", ForeignKey("trials.id"), primary_key=True),
    Column("rating", Integer, nullable=False),
    Column("comment", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("left_plays", Integer, nullable=False),
    Column("right_plays", Integer, nullable=False),
    Column("answered_at", Float, nullable=False),
)
"""What was answered; a trial has one answer at most."""
