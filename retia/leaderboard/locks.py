"""What one process alone may do at a time, on any machine: a lease on a name, in the database.

`storage` is held by whoever removes stored files, and by whoever copies them all.
"""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError

from retia.leaderboard.database import Database
from retia.leaderboard.queue import clock
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
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(database, name, owner, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
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


def _renew(database: Database, name: str, owner: str, done: threading.Event) -> None:
    while not done.wait(LEASE_S / 4):
        try:
            with database.read() as session:
                now = clock(session)
            _set(database, name, owner, until=now + LEASE_S)
        except SQLAlchemyError:  # the lease lasts for three more tries
            continue


def _set(database: Database, name: str, owner: str, until: float) -> None:
    with database.write() as session:
        session.execute(
            update(Lock).where(Lock.name == name, Lock.owner == owner).values(until=until)
        )
