"""What one process alone may do at a time, on any machine: a lease on a name, in the database.

`storage` is held by whoever removes stored files, and by whoever copies them all.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import or_, update

from retia.leaderboard.database import Database
from retia.leaderboard.leases import clock, renewing
from retia.leaderboard.tables import Lock
from retia.shards.errors import ServiceError

LEASE_S = 60.0
POLL_S = 0.2
STORAGE = "storage"


@contextmanager
def locked(database: Database, name: str, patience: float) -> Iterator[None]:
    """Hold a lock for the block; raises `ServiceError` where it is not free within `patience` s.

    The lease ends by itself a minute after the process that holds it has died.
    """
    owner = secrets.token_hex(8)
    end = time.monotonic() + patience
    while not _take(database, name, owner):
        if time.monotonic() >= end:
            raise ServiceError(f"'{name}' is in use by another process; try again later")
        time.sleep(POLL_S)

    def renew() -> None:
        with database.read() as session:
            now = clock(session)
        _set(database, name, owner, until=now + LEASE_S)

    try:
        with renewing(LEASE_S / 4, renew, f"the lock '{name}'"):
            yield
    finally:
        _set(database, name, owner, until=0.0)


def _take(database: Database, name: str, owner: str) -> bool:
    with database.write() as session:
        now = clock(session)
        taken = session.execute(
            update(Lock)
            .where(Lock.name == name, or_(Lock.owner == owner, Lock.until < now))
            .values(owner=owner, until=now + LEASE_S)
            .returning(Lock.name)
        )
        return taken.first() is not None


def _set(database: Database, name: str, owner: str, until: float) -> None:
    with database.write() as session:
        session.execute(
            update(Lock).where(Lock.name == name, Lock.owner == owner).values(until=until)
        )
