"""All tables of a database as Parquet files, and back into an empty one, also of the other kind.

The tables are read as they are, whatever this version of Retia knows of them; a dump of an earlier
revision is put into a database of that revision, which is then brought to the newest.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import (
    JSON,
    Connection,
    MetaData,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)

from retia.leaderboard.database import Database
from retia.leaderboard.migrate import current_revision
from retia.shards.errors import InputError

VERSIONS = "alembic_version"
BATCH = 10_000
ARROW: dict[type, pa.DataType] = {
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    str: pa.string(),
    bytes: pa.binary(),
}


def dump(database: Database, folder: Path) -> tuple[str, dict[str, int]]:
    """Write every table, all as of one moment; gives the revision and the rows of each table."""
    folder.mkdir(parents=True)
    rows = {}
    with database.read() as session:
        connection = session.connection()
        revision = current_revision(connection)
        if revision is None:
            raise InputError("the database is empty; there is nothing to back up")
        for table in _tables(connection):
            rows[table.name] = _write(connection, table, folder / f"{table.name}.parquet")
    return revision, rows


def load(database: Database, folder: Path, revision: str) -> None:
    """Fill an empty database with what `dump` wrote, and bring it to the newest revision.

    Raises `InputError` where the database is not empty.
    """
    with database.write() as session:
        if inspect(session.connection()).get_table_names():
            raise InputError("the database is not empty; restore into a new one")
    database.migrate(revision)
    with database.write() as session:
        connection = session.connection()
        tables = _tables(connection)
        for table in reversed(tables):
            if table.name != "audit":  # it is empty, and lets nothing be removed
                connection.execute(delete(table))
        for table in tables:
            for batch in _read(table, folder / f"{table.name}.parquet"):
                connection.execute(insert(table), batch)
            _continue_numbers(connection, table)
    database.migrate()


def _tables(connection: Connection) -> list[Table]:
    """The tables, each after those that it refers to."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != VERSIONS]


def _write(connection: Connection, table: Table, path: Path) -> int:
    schema = pa.schema([(column.name, _arrow_type(column)) for column in table.columns])
    stored_json = [c.name for c in table.columns if isinstance(c.type, JSON)]
    count = 0
    result = connection.execution_options(yield_per=BATCH).execute(select(table))
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in result.mappings().partitions():
            rows = [dict(row) for row in batch]
            for row in rows:
                row.update({name: json.dumps(row[name]) for name in stored_json})
            writer.write_table(pa.Table.from_pylist(rows, schema))
            count += len(rows)
    return count


def _read(table: Table, path: Path) -> Iterator[list[dict[str, Any]]]:
    stored_json = [c.name for c in table.columns if isinstance(c.type, JSON)]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH):
            rows = batch.to_pylist()
            for row in rows:
                row.update({name: json.loads(row[name]) for name in stored_json})
            if rows:
                yield rows


def _arrow_type(column: Any) -> pa.DataType:
    return pa.string() if isinstance(column.type, JSON) else ARROW[column.type.python_type]


def _continue_numbers(connection: Connection, table: Table) -> None:
    """Let PostgreSQL count on from the largest number that was given."""
    if connection.dialect.name != "postgresql" or "id" not in table.columns:
        return
    sequence = connection.scalar(
        text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": f'"{table.name}"'}
    )
    if sequence is not None:
        highest = connection.scalar(select(func.max(table.c.id)))
        connection.execute(
            text("SELECT setval(:sequence, :value, :used)"),
            {"sequence": sequence, "value": highest or 1, "used": highest is not None},
        )
