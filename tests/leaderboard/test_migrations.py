"""The schema: from empty and from every earlier revision, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from retia.leaderboard.database import Database
from retia.leaderboard.migrate import current_revision, revisions
from retia.leaderboard.tables import Base
from retia.shards.errors import InputError, ServiceError

FIRST_ROWS = (
    "INSERT INTO users VALUES (1, 'ada', '-', 'publisher', 1.5)",
    "INSERT INTO tokens VALUES (1, 1, 'f00d', 'a label', 'read submit', 1.5, 2.5, NULL, false)",
    "INSERT INTO blobs VALUES ('b10b', 1, false, 100, 1.5)",
    "INSERT INTO datasets VALUES ('toy', 1, 1.5)",
    """INSERT INTO publications (id, name, version, digest, manifest, summary, findings, published,
    state, lease_until, fence, attempts, created) VALUES
    (1, 'toy', '1.0.0', 'd19e', '{}', '{}', '[]', 1.5, 'published', 0, 1, 1, 1.5)""",
    "INSERT INTO origins VALUES (1, '50ce')",
    "INSERT INTO shards VALUES (1, 'nodes/part-00000.parquet', 'b10b', 100)",
    """INSERT INTO submissions (id, publication_id, task, user_id, method, meta, seeds,
    predictions_sha256, body_sha256, tier, baseline, state, lease_until, fence, attempts, created)
    VALUES ('abcd', 1, 'link', 1, 'guess', '{"parameters": 7}', '[0]', 'f11e', 'b0d1', 'scored',
    false, 'scored', 0, 1, 1, 1.5)""",
    "INSERT INTO scores VALUES ('abcd', 'test', 'uniform.rocauc', 0, 0.5, 'retia 0.1.0')",
)


def connect(url: str):
    return create_engine(url).connect()


def fill(url: str) -> None:
    with connect(url) as connection:
        for statement in FIRST_ROWS:
            connection.execute(text(statement))
        connection.commit()


def differences(url: str) -> list[object]:
    with connect(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)


def test_the_migrations_make_the_tables_that_the_models_say(
    database: Database, database_url: str
) -> None:
    assert differences(database_url) == []
    database.migrate()  # once more changes nothing
    assert differences(database_url) == []


def test_the_revisions_are_one_line() -> None:
    assert revisions() == [f"{number:04}" for number in range(1, len(revisions()) + 1)]


@pytest.mark.parametrize("start", revisions())
def test_every_earlier_state_becomes_the_newest_and_keeps_its_rows(
    start: str, database_url: str
) -> None:
    database = Database(database_url)
    database.migrate("0001")
    fill(database_url)
    database.migrate(start)
    database.migrate()
    with connect(database_url) as connection:
        assert current_revision(connection) == revisions()[-1]
        assert connection.scalar(text("SELECT name FROM users")) == "ada"
        assert connection.scalar(text("SELECT last_used FROM tokens")) is None
        assert connection.scalar(text("SELECT bytes FROM shards")) == 100
        assert connection.scalar(text("SELECT state FROM submissions")) == "scored"
        assert connection.scalar(text("SELECT value FROM scores")) == 0.5
    assert differences(database_url) == []
    database.close()


def test_a_database_from_before_the_revisions_is_taken_over(database_url: str) -> None:
    database = Database(database_url)
    database.migrate("0001")
    fill(database_url)
    with connect(database_url) as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        connection.commit()
    database.migrate()
    with connect(database_url) as connection:
        assert connection.scalar(text("SELECT name FROM users")) == "ada"
    assert differences(database_url) == []
    database.close()


def test_a_newer_database_is_left_alone(database: Database, database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.commit()
    with pytest.raises(ServiceError, match="revision 9999, which this version of Retia does not"):
        database.migrate()


def test_many_processes_may_start_at_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda database: database.migrate(), databases))
    assert differences(database_url) == []
    for database in databases:
        database.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [("mysql://x/y", "use sqlite or postgresql"), ("nonsense", "not readable")],
)
def test_a_url_of_another_database_is_refused(url: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Database(url)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"])
def test_the_audit_log_only_grows(statement: str, database: Database, database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute(text("INSERT INTO audit VALUES (1, 1.5, 'ada', 'token', 'ada', NULL)"))
        connection.commit()
        with pytest.raises(DBAPIError, match="append-only"):
            connection.execute(text(statement))
        connection.rollback()
        assert connection.scalar(text("SELECT actor FROM audit")) == "ada"


def test_old_names_that_look_alike_stay(database_url: str) -> None:
    database = Database(database_url)
    database.migrate("0001")
    with connect(database_url) as connection:
        for number, name in enumerate(("al", "a1", "A.I", "bob")):
            values = f"({number}, '{name}', '-', 'user', 1.5)"
            connection.execute(text(f"INSERT INTO users VALUES {values}"))
        connection.commit()
    database.migrate()
    with connect(database_url) as connection:
        found = connection.execute(text("SELECT likeness FROM users ORDER BY id")).scalars().all()
    assert found == ["al", "al 1", "al 2", "bob"]
    database.close()
