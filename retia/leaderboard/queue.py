"""Hand out work: the row is the truth, a lease says who works on it, a fence counts it once.

Every claim raises the row's fencing number. A result is written only by the claim that holds the
current number, so a job whose worker was killed, or was only slow, is done again and counts once.
The database's clock measures the leases, so that workers on several machines agree.
"""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from retia.leaderboard.database import Database
from retia.leaderboard.leases import clock, renewing
from retia.leaderboard.tables import Board, Publication, Submission
from retia.shards.processes import is_alive

MAX_ATTEMPTS = 4
LONGEST_WAIT_S = 256.0
TRIED_AGAIN = "the server could not do this yet, for a reason of its own; it will try again"
GIVEN_UP = "the server gave up at this, for a reason of its own; its log says more"

log = logging.getLogger("retia.queue")

J = TypeVar("J", Publication, Submission, Board)
AnyJob = type[Publication] | type[Submission] | type[Board]

RUNNING: dict[AnyJob, str] = {
    Publication: "checking",
    Submission: "scoring",
    Board: "grouping",
}
STOPPED: dict[AnyJob, str] = {Publication: "refused", Submission: "failed", Board: "failed"}


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
        now = clock(session)
        while (row := session.scalars(_next_job(table, now)).first()) is not None:
            if row.attempts < MAX_ATTEMPTS:
                break
            log.error("%s %s: its workers died %s times", table.__tablename__, row.id, row.attempts)
            _stop(row, GIVEN_UP, blameless=True)
            row.fence += 1
        if row is None:
            return None
        row.state, row.worker = RUNNING[table], worker_name()
        row.lease_until = now + lease
        row.fence += 1
        row.attempts += 1
        return Claim(table, row.id, row.fence)


def enqueue(row: Publication | Submission | Board) -> None:
    """Let a row be worked on as if never before."""
    row.state, row.problem, row.lease_until = "received", None, 0.0
    row.attempts, row.failures = 0, 0


def held(session: Session, job: Claim[J]) -> J:
    """The claimed row, locked; raises `LostClaimError` where the claim has passed on."""
    row = session.get(job.table, job.id, with_for_update={"of": job.table, "key_share": True})
    if row is None or row.fence != job.fence or row.state != RUNNING[job.table]:
        raise LostClaimError(f"{job.table.__tablename__} {job.id}")
    return row


def stop(database: Database, job: Claim[J], problem: str, blameless: bool = False) -> None:
    """End a job without a result; `problem` tells its owner why.

    `blameless` says that the reason is the server's.
    """
    with database.write() as session:
        _stop(held(session, job), problem, blameless)


def put_back(database: Database, job: Claim[J], counts: bool) -> bool:
    """Let a job be tried again later, ever less often; false where it was tried often enough.

    The attempt counts where the job itself may be the reason, not where the server is.
    """
    with database.write() as session:
        row = held(session, job)
        if counts and row.attempts >= MAX_ATTEMPTS:
            return False
        row.failures += 1
        row.attempts -= not counts
        row.state, row.problem = "received", TRIED_AGAIN
        row.lease_until = clock(session) + min(2.0 ** (row.failures - 1), LONGEST_WAIT_S)
        return True


@contextmanager
def keeping(database: Database, job: Claim[J], lease: float) -> Iterator[None]:
    """Renew the lease from time to time while the block runs."""

    def renew() -> None:
        with database.write() as session:
            session.execute(
                update(job.table)
                .where(job.table.id == job.id, job.table.fence == job.fence)
                .values(lease_until=clock(session) + lease)
            )

    with renewing(lease / 3, renew, f"the lease of {job.id}"):
        yield


def release_dead(database: Database) -> None:
    """End the leases of this host's workers that no longer live."""
    with database.write() as session:
        _release(session, Publication)
        _release(session, Submission)
        _release(session, Board)


def _stop(row: Publication | Submission | Board, problem: str, blameless: bool) -> None:
    """A submission that has scores of an earlier evaluator keeps them, and its place."""
    row.state, row.problem = STOPPED[type(row)], problem
    if isinstance(row, Submission):
        row.blameless = blameless
        if row.evaluator is not None:
            row.state = "scored"


def _release(session: Session, table: type[J]) -> None:
    for row in session.scalars(select(table).where(table.state == RUNNING[table])):
        host, _, pid = (row.worker or "").rpartition(":")
        if host == socket.gethostname() and not is_alive(int(pid)):
            row.lease_until = 0.0


def _next_job(table: type[J], now: float) -> Select[J]:
    return (
        select(table)
        .where(table.state.in_(("received", RUNNING[table])), table.lease_until <= now)
        .order_by(table.created)
        .limit(1)
        .with_for_update(skip_locked=True, of=table, key_share=True)
    )
