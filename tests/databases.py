"""Databases for tests: a fixture that stands for SQLite and for PostgreSQL in turn."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from retia.leaderboard.database import Database

SERVER = "postgresql://postgres@127.0.0.1:5432"
BOTH = ("sqlite", "postgresql")


@contextmanager
def fresh_url(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database, gone after the block."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'retia.sqlite'}"
        return
    name = f"retia_test_{secrets.token_hex(6)}"
    try:
        connection = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        pytest.skip(f"PostgreSQL does not answer at {SERVER} ({str(error).splitlines()[0]})")
    with connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{SERVER}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    with fresh_url(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the newest tables, and nothing in them."""
    database = Database(database_url)
    database.migrate()
    yield database
    database.close()
