"""The database: SQLite in WAL mode by default, or PostgreSQL by its URL."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from retia.leaderboard.migrate import migrate
from retia.shards.errors import InputError

BUSY_MS = 30_000
PRAGMAS = (
    f"busy_timeout={BUSY_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
)


class Database:
    """Sessions for readers and for writers.

    A writer on SQLite begins with `BEGIN IMMEDIATE`, so that what it reads is still true when it
    writes; on PostgreSQL the statements lock the rows they depend on.
    """

    def __init__(self, url: str) -> None:
        known = _known(url)
        if known.get_backend_name() == "sqlite":
            engine = create_engine(known)
            _speak_sqlite(engine)
            self._reader: Engine = engine
            self._writer: Engine = engine.execution_options(begin="BEGIN IMMEDIATE")
        else:
            engine = create_engine(known, pool_pre_ping=True)
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ")
            self._writer = engine

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to the newest revision, from empty or from any earlier one."""
        migrate(self._writer, revision)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database."""
        with Session(self._reader) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end of the block, or leaves everything as it was."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections."""
        self._reader.dispose()


def _known(url: str) -> URL:
    """The URL, with the driver that Retia uses; raises `InputError` for other databases."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError as error:
        raise InputError(
            "the database URL is not readable; write sqlite:///PATH or "
            "postgresql://USER:PASSWORD@HOST:PORT/NAME"
        ) from error
    if backend not in ("sqlite", "postgresql"):
        raise InputError(f"the database URL is of {backend!r}; use sqlite or postgresql")
    return parsed.set(drivername="postgresql+psycopg") if backend == "postgresql" else parsed


def _set(connection: Any, pragma: str) -> None:
    """Set a pragma; SQLite does not wait by itself while another process turns on WAL."""
    end = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


def _speak_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            _set(connection, pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
