"""A worker tells what the server fails at from what the work is to blame for."""

import errno
from collections.abc import Callable

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from retia.api import worker
from retia.leaderboard.queue import MAX_ATTEMPTS
from retia.leaderboard.tables import Publication, Submission
from retia.shards.version import Version
from tests.api.client import API, meta_of, predictions, submit
from tests.api.conftest import Local

TROUBLES: list[Exception] = [
    OSError(errno.ENOSPC, "No space left on device"),
    MemoryError(),
    OperationalError("SELECT 1", {}, Exception("the database is gone")),
]


def at_once(local: Local) -> None:
    """Let what waits to be tried again wait no longer."""
    with local.context.database.write() as session:
        for table in (Submission, Publication):
            session.execute(update(table).values(lease_until=0.0))


def state(local: Local, number: str) -> tuple[str, str]:
    found = local.client.get(f"{API}/submissions/{number}").json()
    return found["state"], str(found["problem"])


@pytest.fixture
def waiting(make_local: Callable[..., Local], versions: dict[str, Version]) -> tuple[Local, str]:
    """A server that takes one submission a day, and that one, which waits to be scored."""
    local, version = make_local(quota=1), versions["link"]
    local.publish(version)
    table = predictions(version, "link", seeds=2)
    answer = submit(local.client, local.tokens["uma"], meta_of(version, "link"), table)
    return local, answer.json()["id"]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
def test_want_of_disk_memory_or_database_is_tried_again_until_it_is_over(
    trouble: Exception, waiting: tuple[Local, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    local, number = waiting
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise trouble

        patch.setattr(worker, "score", fail)
        for _ in range(2 * MAX_ATTEMPTS):
            local.work()
            assert state(local, number)[0] == "received"
            assert "for a reason of its own; it will try again" in state(local, number)[1]
            at_once(local)
    local.work()
    assert state(local, number) == ("scored", "None")


def test_a_damaged_file_of_predictions_waits_for_its_repair(waiting: tuple[Local, str]) -> None:
    local, number = waiting
    with local.context.database.read() as session:
        sha256 = session.get_one(Submission, number).predictions_sha256
    path = local.context.storage.predictions(sha256)
    content = path.read_bytes()
    for damage in (content[:100], content + b"x"):
        path.write_bytes(damage)
        local.work()
        assert state(local, number)[0] == "received"
        at_once(local)
    path.unlink()
    local.work()
    assert state(local, number)[0] == "received"
    path.write_bytes(content)
    at_once(local)
    local.work()
    assert state(local, number)[0] == "scored"


def test_a_fault_of_ours_is_given_up_without_blame_and_can_be_started_anew(
    waiting: tuple[Local, str], monkeypatch: pytest.MonkeyPatch, versions: dict[str, Version]
) -> None:
    from retia.leaderboard.submissions import outdated, rescore

    local, number = waiting

    def send() -> int:
        table = predictions(versions["link"], "link", seeds=1)
        meta = meta_of(versions["link"], "link")
        return submit(local.client, local.tokens["uma"], meta, table).status_code

    assert send() == 429
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        patch.setattr(worker, "score", fail)
        for _ in range(MAX_ATTEMPTS):
            assert state(local, number)[0] == "received"
            local.work()
            at_once(local)
    assert state(local, number)[0] == "failed"
    assert "gave up at this, for a reason of its own" in state(local, number)[1]
    assert send() == 202, "it took nothing from the quota"
    with local.context.database.write() as session:
        assert outdated(session) == [number]
        rescore(session, number)
    local.work()
    assert state(local, number) == ("scored", "None")


def test_a_publication_waits_for_room_on_the_disk(
    local: Local, versions: dict[str, Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(worker, "check_version", fail)
        assert local.publish(versions["link"])["state"] == "received"
    at_once(local)
    assert local.publish(versions["link"])["state"] == "published"
