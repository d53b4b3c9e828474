"""Taking submissions in: quota, keys and duplicates hold when all come at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from retia.leaderboard.database import Database
from retia.leaderboard.queue import GIVEN_UP, claim, stop
from retia.leaderboard.submissions import DuplicateError, QuotaError, Upload, withdraw
from retia.leaderboard.tables import Submission
from retia.shards.errors import InputError
from tests.leaderboard.store import fill, send, take, upload_of


@pytest.fixture(autouse=True)
def filled(database: Database) -> None:
    fill(database)


def outcomes(database: Database, uploads: list[Upload], quota: int = 10**6) -> list[str]:
    """The ids and the errors of submissions that are sent at once."""

    def attempt(upload: Upload) -> str:
        try:
            return take(database, upload, quota=quota)
        except (QuotaError, DuplicateError) as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        return sorted(pool.map(attempt, uploads))


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Submission)) or 0


def test_the_quota_is_never_passed(database: Database) -> None:
    found = outcomes(database, [upload_of() for _ in range(16)], quota=3)
    assert found.count("QuotaError") == 13
    assert count(database) == 3
    assert take(database, upload_of(), user=2, quota=3), "another user has a quota of their own"


def test_withdrawn_submissions_take_from_the_quota_and_the_servers_failures_do_not(
    database: Database,
) -> None:
    name = send(database, 0.5)
    with database.write() as session:
        withdraw(session, name)
    with pytest.raises(QuotaError):
        take(database, upload_of(), quota=1)
    assert take(database, upload_of(), quota=2)
    job = claim(database, Submission, 60.0)
    assert job is not None
    stop(database, job, GIVEN_UP, blameless=True)
    assert take(database, upload_of(), quota=2)


def test_a_key_that_is_sent_many_times_at_once_is_one_submission(database: Database) -> None:
    upload = upload_of(key="k")
    assert len(set(outcomes(database, [upload] * 12, quota=1))) == 1
    assert count(database) == 1
    with pytest.raises(InputError, match="Idempotency-Key was used for another"):
        take(database, upload_of(key="k"))
    assert take(database, upload_of(key="k"), user=2)


def test_predictions_that_come_many_times_at_once_are_one_submission(database: Database) -> None:
    upload = upload_of()
    same_order = [replace(upload_of(), order_sha256=upload.order_sha256) for _ in range(6)]
    same_file = [replace(upload, order_sha256="0" * 64)] * 2
    found = outcomes(database, [upload, *same_order, *same_file])
    assert count(database) in (1, 2)  # another order, another file: neither is a copy
    assert found.count("DuplicateError") == 9 - count(database)


def test_predictions_may_be_sent_again_after_a_withdrawal_or_a_failure(database: Database) -> None:
    upload = upload_of()
    name = take(database, upload)
    with pytest.raises(DuplicateError, match=f"submission {name} .'guess', by ada. orders"):
        take(database, upload, user=2)
    with database.write() as session:
        withdraw(session, name)
    again = take(database, upload)
    job = claim(database, Submission, 60.0)
    assert job is not None
    assert job.id == again
    stop(database, job, "a reason")
    assert take(database, upload)
