"""Jobs are claimed by one worker at a time, and counted once."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from retia.leaderboard.database import Database
from retia.leaderboard.locks import STORAGE, locked
from retia.leaderboard.queue import (
    MAX_ATTEMPTS,
    LostClaimError,
    claim,
    held,
    keeping,
    put_back,
    release_dead,
    stop,
)
from retia.leaderboard.tables import Dataset, Lock, Publication, User
from retia.shards.errors import ServiceError

LEASE = 60.0


@pytest.fixture(autouse=True)
def jobs(database: Database) -> None:
    """Eight versions that wait to be checked."""
    with database.write() as session:
        session.add(User(id=1, name="ada", password_hash="-", role="publisher"))
        session.flush()
        session.add(Dataset(name="toy", owner_id=1))
        session.flush()
        session.add_all(
            Publication(
                id=number,
                name="toy",
                version=f"1.0.{number}",
                digest="0",
                manifest="{}",
                summary={},
            )
            for number in range(1, 9)
        )


def test_each_job_goes_to_one_worker(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: claim(database, Publication, LEASE), range(12)))
    taken = [found.id for found in claims if found is not None]
    assert sorted(taken) == list(range(1, 9))


def test_a_lapsed_lease_is_taken_over_and_the_late_result_is_thrown_away(
    database: Database,
) -> None:
    slow = claim(database, Publication, lease=-1.0)
    quick = claim(database, Publication, LEASE)
    assert slow is not None
    assert quick is not None
    assert (quick.id, quick.fence) == (slow.id, slow.fence + 1)
    with pytest.raises(LostClaimError), database.write() as session:
        held(session, slow)
    with database.write() as session:
        assert held(session, quick).id == quick.id


def test_a_lease_is_renewed_while_the_work_goes_on(database: Database) -> None:
    job = claim(database, Publication, lease=0.3)
    assert job is not None
    with keeping(database, job, lease=0.3):
        time.sleep(0.8)
        others = [claim(database, Publication, LEASE) for _ in range(8)]
    assert job.id not in [other.id for other in others if other is not None]


def test_a_job_that_kills_its_workers_is_given_up_and_hides_no_other(database: Database) -> None:
    first = claim(database, Publication, lease=-1.0)
    assert first is not None
    for _ in range(MAX_ATTEMPTS - 1):
        again = claim(database, Publication, lease=-1.0)
        assert again is not None
        assert again.id == first.id
    following = claim(database, Publication, LEASE)
    assert following is not None
    assert following.id != first.id
    with database.read() as session:
        row = session.get_one(Publication, first.id)
        assert row.state == "refused"
        assert "the server gave up" in str(row.problem)


def test_a_dead_workers_job_is_free_at_once(database: Database) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    job = claim(database, Publication, LEASE)
    assert job is not None
    with database.write() as session:
        row = held(session, job)
        row.worker = str(row.worker).rpartition(":")[0] + f":{child.pid}"
    release_dead(database)
    again = claim(database, Publication, LEASE)
    assert again is not None
    assert again.id == job.id


def test_a_stopped_job_says_why(database: Database) -> None:
    job = claim(database, Publication, LEASE)
    assert job is not None
    stop(database, job, "a reason")
    with database.read() as session:
        assert session.get_one(Publication, job.id).problem == "a reason"


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        session.get_one(User, 1).name = "eve"
        session.flush()
        raise RuntimeError
    with database.read() as session:
        assert session.get_one(User, 1).name == "ada"


def end_waits(database: Database) -> None:
    with database.write() as session:
        session.execute(update(Publication).values(lease_until=0.0))


def test_what_the_server_fails_at_is_tried_again_later_without_end(database: Database) -> None:
    first = claim(database, Publication, LEASE)
    assert first is not None
    for attempt in range(3 * MAX_ATTEMPTS):
        job = first if not attempt else claim(database, Publication, LEASE)
        assert job is not None
        assert job.id == first.id
        assert put_back(database, job, counts=False)
        with database.read() as session:
            row = session.get_one(Publication, job.id)
            assert row.state == "received"
            assert "for a reason of its own; it will try again" in str(row.problem)
            wait = row.lease_until - time.time()
            assert wait == pytest.approx(min(2.0**attempt, 256.0), abs=0.9)
        other = claim(database, Publication, LEASE)
        assert other is None or other.id != first.id, "it is not yet time"
        end_waits(database)


def test_what_the_job_may_be_the_reason_of_is_tried_a_few_times(database: Database) -> None:
    for attempt in range(MAX_ATTEMPTS):
        job = claim(database, Publication, LEASE)
        assert job is not None
        assert put_back(database, job, counts=True) == (attempt < MAX_ATTEMPTS - 1)
        end_waits(database)


def test_a_claim_that_has_passed_on_writes_nothing(database: Database) -> None:
    slow = claim(database, Publication, lease=-1.0)
    assert slow is not None
    assert claim(database, Publication, LEASE) is not None
    for late in (
        lambda: stop(database, slow, "late"),
        lambda: put_back(database, slow, counts=False),
    ):
        with pytest.raises(LostClaimError):
            late()


def test_a_lock_is_held_by_one_and_ends_with_its_block(database: Database) -> None:
    with locked(database, STORAGE, patience=0.0), ThreadPoolExecutor(1) as pool:
        refused = pool.submit(take, database).exception()
    assert isinstance(refused, ServiceError)
    assert "'storage' is in use" in str(refused)
    take(database)


def take(database: Database) -> None:
    with locked(database, STORAGE, patience=0.3):
        pass


def test_a_lock_of_a_dead_process_ends_with_its_lease(database: Database) -> None:
    with database.write() as session:
        session.execute(update(Lock).values(owner="dead", until=time.time() + 0.5))
    start = time.monotonic()
    with locked(database, STORAGE, patience=20.0):
        assert 0.2 < time.monotonic() - start < 10
