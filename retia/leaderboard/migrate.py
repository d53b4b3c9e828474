"""Bring a database to the newest schema, from empty or from any earlier revision."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect

from retia.shards.errors import ServiceError

FOLDER = Path(__file__).parent / "migrations"
FIRST = "0001"
LOCK = 0x72657469  # of PostgreSQL's advisory locks: one process migrates, the others wait


def migrate(engine: Engine, revision: str = "head") -> None:
    """Apply the revisions that the database lacks, all of them or none.

    Raises `ServiceError` where the database is of a newer Retia.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            _foreign_keys(connection, on=False)  # a table may be made anew, and the old one dropped
        try:
            with connection.begin():
                _upgrade(connection, revision)
        finally:
            if connection.dialect.name == "sqlite":
                _foreign_keys(connection, on=True)


def current_revision(connection: Connection) -> str | None:
    """The revision of a database; none where it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def revisions() -> list[str]:
    """All revisions, the first one first."""
    walk = ScriptDirectory.from_config(_config()).walk_revisions()
    return [script.revision for script in walk][::-1]


def _upgrade(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    current = current_revision(connection)
    if current == revision or (revision == "head" and current == revisions()[-1]):
        return
    config = _config()
    config.attributes["connection"] = connection
    try:
        if current is None and inspect(connection).has_table("users"):
            command.stamp(config, FIRST)  # made before there were revisions
        command.upgrade(config, revision)
    except CommandError as error:
        raise ServiceError(
            f"the database has the revision {current}, which this version of Retia does not know; "
            "use a newer Retia, or restore a backup"
        ) from error
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise ServiceError(f"the database was left as it was: {broken[0]} has no partner")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _foreign_keys(connection: Connection, on: bool) -> None:
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")
