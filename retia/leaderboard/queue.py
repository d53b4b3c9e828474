"""Hand out work: the row is the truth, a lease says who works on it, a fence counts it once.

Every claim raises the row's fencing number. A result is written only by the claim that holds the
current number, so a job whose worker was killed, or was only slow, is done again and counts once.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.orm import Session

from retia.leaderboard.database import Database
from retia.leaderboard.tables import Publication, Submission
from retia.shards.processes import is_alive

MAX_ATTEMPTS = 4

J = TypeVar("J", Publication, Submission)

RUNNING: dict[type[Publication] | type[Submission], str] = {
    Publication: "checking",
    Submission: "scoring",
}
STOPPED: dict[type[Publication] | type[Submission], str] = {
    Publication: "refused",
    Submission: "failed",
}


class LostClaimError(Exception):
    """Another worker has taken the job over; the result is thrown away."""


@dataclass(frozen=True)
class Claim(Generic[J]):
    """The right to work on a row, while its fencing number stands."""

    table: type[J]
    id: int | str
    fence: int


def worker_name() -> str:
    """This process, as its rows name it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def claim(database: Database, table: type[J], lease: float) -> Claim[J] | None:
    """Take the oldest job that waits, or whose lease has run out; none where there is none."""
    with database.write() as session:
        now = time.time()
        while (row := session.scalars(_next_job(table, now)).first()) is not None:
            if row.attempts < MAX_ATTEMPTS:
                break
            row.state = STOPPED[table]
            row.problem = f"the server gave up after {MAX_ATTEMPTS} attempts; send it again"
            row.fence += 1
        if row is None:
            return None
        row.state, row.worker = RUNNING[table], worker_name()
        row.lease_until = now + lease
        row.fence += 1
        row.attempts += 1
        return Claim(table, row.id, row.fence)


def held(session: Session, job: Claim[J]) -> J:
    """The claimed row, locked; raises `LostClaimError` where the claim has passed on."""
    row = session.get(job.table, job.id, with_for_update={"of": job.table})
    if row is None or row.fence != job.fence or row.state != RUNNING[job.table]:
        raise LostClaimError(f"{job.table.__tablename__} {job.id}")
    return row


def stop(database: Database, job: Claim[J], problem: str) -> None:
    """End a job without a result; `problem` tells its owner why."""
    with database.write() as session:
        row = held(session, job)
        row.state, row.problem = STOPPED[job.table], problem


@contextmanager
def keeping(database: Database, job: Claim[J], lease: float) -> Iterator[None]:
    """Renew the lease from time to time while the block runs."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(lease / 3):
            with database.write() as session:
                session.execute(
                    update(job.table)
                    .where(job.table.id == job.id, job.table.fence == job.fence)
                    .values(lease_until=time.time() + lease)
                )

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def release_dead(database: Database) -> None:
    """End the leases of this host's workers that no longer live."""
    with database.write() as session:
        _release(session, Publication)
        _release(session, Submission)


def _release(session: Session, table: type[J]) -> None:
    for row in session.scalars(select(table).where(table.state == RUNNING[table])):
        host, _, pid = (row.worker or "").rpartition(":")
        if host == socket.gethostname() and not is_alive(int(pid)):
            row.lease_until = 0.0


def _next_job(table: type[J], now: float) -> Select[J]:
    lapsed = and_(table.state == RUNNING[table], table.lease_until < now)
    return (
        select(table)
        .where(or_(table.state == "received", lapsed))
        .order_by(table.created)
        .limit(1)
        .with_for_update(skip_locked=True, of=table)
    )
