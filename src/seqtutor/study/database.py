"""The database of a study: SQLite in its folder, or any that SQLAlchemy knows.

What is written in a transaction is on the disk when the transaction has ended: SQLite runs with a
write-ahead log and `synchronous=FULL`. Several server processes may share one database.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from seqtutor.errors import UserError, in_one_line
from seqtutor.study.tables import metadata, studies

FILE = "votes.sqlite3"
_WAIT = 30
"""Seconds that a transaction waits for others."""
_MOMENT = 100
"""Milliseconds that the emptying of the log waits for others."""
_DRIVERS = {"postgresql": "psycopg", "postgres": "psycopg"}
"""Drivers of URLs that name none; the package is called the same."""


class UnavailableError(Exception):
    """The database cannot write or read at the moment; nothing of the transaction was stored."""


class Database:
    """A study's tables.

    Attributes:
        engine: of SQLAlchemy; a file of SQLite is there already.
        has_to_forget: whether erased rows still stand in the log of SQLite.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.has_to_forget = False
        self._is_sqlite = engine.dialect.name == "sqlite"
        # SQLite writes one transaction at a time, and its waiting is not fair.
        self._writing = threading.RLock()
        self._files = _files_of(engine.url)
        # As long as one connection is open, the log of SQLite stays the same file.
        self._keeper = engine.raw_connection() if self._files else None
        if self._keeper is not None:
            self._keeper.cursor().execute("SELECT count(*) FROM sqlite_master").fetchall()
        self._identities = [_identity_of(file) for file in self._files]

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction; its writes are durable once the context has ended.

        Raises:
            UnavailableError: if it could not be committed, or not into the files at the path.
        """
        turn = self._writing if self._is_sqlite else contextlib.nullcontext()
        with turn:
            with self._transaction(is_writing=True) as connection:
                yield connection
            self._require_same_files()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads.

        Raises:
            UnavailableError: if the database does not answer.
        """
        with self._transaction(is_writing=False) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, *, is_writing: bool) -> Iterator[Connection]:
        self._require_same_files()
        try:
            with self.engine.connect() as connection:
                connection = connection.execution_options(is_writing=is_writing)
                with connection.begin():
                    yield connection
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise UnavailableError(in_one_line(error.orig or error)) from error

    def _require_same_files(self) -> None:
        """Refuse once the file of SQLite, its log or the index of that was deleted or replaced.

        Open connections would still write to the old files, which nobody can read any more.
        """
        for file, identity in zip(self._files, self._identities, strict=True):
            if _identity_of(file) != identity:
                self._save_log()
                mend = "put it back" if file == self._files[0] else "start the server again"
                raise UnavailableError(f"{file} was deleted or replaced; {mend}")

    def _save_log(self) -> None:
        """Copy what stands in the log alone into the database, by a connection that has it open.

        The connection reads a log that was deleted all the same, so that what was acknowledged
        before is not lost with it. No thread of this process writes meanwhile.
        """
        assert self._keeper is not None
        with self._writing, contextlib.suppress(sqlite3.Error):
            self._keeper.cursor().execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    def lock(self, connection: Connection) -> Any:
        """The row of the study, locked until the transaction ends: one holder at a time."""
        return connection.execute(select(studies).with_for_update()).one()

    def forget(self) -> None:
        """Empty the write-ahead log of SQLite, in which erased rows may still stand.

        That is not possible while somebody, such as another program, reads what was there before.
        `has_to_forget` is true then, and this is to be called again.

        Raises:
            UnavailableError: if the database is not the same files any more.
        """
        if self._keeper is None:
            return
        self.has_to_forget = True
        self._require_same_files()
        # Not within a transaction, in which SQLAlchemy's own connections always are.
        with self._writing, contextlib.suppress(sqlite3.Error):
            cursor = self._keeper.cursor()
            # Nobody can vote meanwhile.
            cursor.execute(f"PRAGMA busy_timeout={_MOMENT}")
            is_busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={_WAIT * 1000}")
            self.has_to_forget = bool(is_busy)

    def close(self) -> None:
        """End all connections."""
        if self.has_to_forget:
            with contextlib.suppress(UnavailableError):
                self.forget()
        if self._keeper is not None:
            self._keeper.close()
        self.engine.dispose()


def open_database(
    folder: Path, url: str | None, plan_sha256: str, *, must_exist: bool = False
) -> Database:
    """Open the database of a study; its tables are made where they are missing.

    Args:
        folder: of the study, for the default.
        url: of SQLAlchemy; `None` for SQLite in the folder.
        plan_sha256: of the plan; the database of another plan is refused.
        must_exist: whether a database that is not there is refused instead of made.

    Raises:
        UserError: if the URL or its driver cannot be used, the database does not answer, it
            belongs to another study, or there is none.
    """
    address = _address(folder, url)
    file = _file_of(address)
    # SQLite would write to where a link leads; the folder may be a stranger's.
    for own in _files_of(address) if url is None else []:
        if os.path.lexists(own) and not stat.S_ISREG(os.lstat(own).st_mode):
            raise UserError(f"{own} is not a file itself; remove it, or name a --database")
    if must_exist and file is not None and not file.exists():
        raise UserError(f"this study has no votes yet: there is no {file}")
    engine = _engine(address, keeps_log=not must_exist)
    shown = address.render_as_string(hide_password=True)
    try:
        if not must_exist:
            with contextlib.suppress(IntegrityError, DBAPIError):
                # Another server may make them at the same moment.
                metadata.create_all(engine)
            metadata.create_all(engine)
        database = Database(engine)
        if not must_exist:
            _claim(database, plan_sha256)
        with database.reading() as connection:
            found = connection.execute(select(studies.c.plan_sha256)).scalar()
    except (DBAPIError, sqlite3.Error, UnavailableError) as error:
        reason = error.orig if isinstance(error, DBAPIError) and error.orig else error
        raise UserError(f"cannot use the database {shown}: {in_one_line(reason)}") from None
    if found != plan_sha256:
        raise UserError(f"the database {shown} belongs to another study; name another --database")
    return database


def _claim(database: Database, plan_sha256: str) -> None:
    """Make the database that of a plan, unless it is one's already."""
    with contextlib.suppress(IntegrityError), database.writing() as connection:
        if connection.execute(select(studies)).first() is None:
            row = {"id": 1, "plan_sha256": plan_sha256, "is_open": True}
            connection.execute(studies.insert().values(row))


def _files_of(url: URL) -> list[Path]:
    """The file of SQLite with its write-ahead log and the index of that; none of others."""
    file = _file_of(url)
    return [] if file is None else [Path(f"{file}{ending}") for ending in ("", "-wal", "-shm")]


def _file_of(url: URL) -> Path | None:
    """The file of SQLite; `None` for other databases, and for those in memory."""
    name = url.database or ""
    if url.get_backend_name() != "sqlite" or name in ("", ":memory:") or name.startswith("file:"):
        return None
    return Path(name).absolute()


def _identity_of(file: Path) -> tuple[int, int] | None:
    """Device and inode of a file; `None` if it is not there."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _address(folder: Path, url: str | None) -> URL:
    if url is None:
        return URL.create("sqlite", database=str((folder / FILE).absolute()))
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise UserError(
            "--database must be a URL such as postgresql://user:password@host/name"
        ) from None
    driver = _DRIVERS.get(found.drivername)
    return found.set(drivername=f"postgresql+{driver}") if driver else found


def _engine(url: URL, *, keeps_log: bool) -> Engine:
    """`keeps_log` tells SQLite to write its log; a file that is only read stays as it is."""
    is_sqlite = url.get_backend_name() == "sqlite"
    options = {"timeout": _WAIT, "check_same_thread": False} if is_sqlite else {}
    try:
        engine = create_engine(
            url, connect_args=options, pool_size=10, max_overflow=30, pool_timeout=_WAIT
        )
    except ModuleNotFoundError as error:
        raise UserError(
            f"the database {url.drivername} needs another package: pip install {error.name}"
        ) from None
    except (NoSuchModuleError, ArgumentError, TypeError) as error:
        raise UserError(f"--database cannot be used: {in_one_line(error)}") from None
    if is_sqlite:
        if keeps_log:
            event.listen(engine, "connect", _keep_log)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _keep_log(connection: Any, record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL").close()


def _prepare_sqlite(connection: Any, record: object) -> None:
    # Python's module would begin transactions by itself, and not those that only read.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={_WAIT * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that writes takes the lock first: one that began by reading could not wait.
    is_writing = connection.get_execution_options().get("is_writing", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
