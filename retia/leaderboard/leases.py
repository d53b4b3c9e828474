"""Leases in the database: the clock that measures them, and how they are renewed."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

log = logging.getLogger("retia.leases")


def clock(session: Session) -> float:
    """Seconds since 1970 by the clock that all workers share: PostgreSQL's, else this machine's."""
    if session.get_bind().dialect.name != "postgresql":
        return time.time()
    now = session.scalar(select(func.extract("epoch", func.clock_timestamp())))
    return float(now or 0)


@contextmanager
def renewing(seconds: float, renew: Callable[[], None], what: str) -> Iterator[None]:
    """Call `renew` every so many seconds while the block runs.

    Where the database does not answer, the lease lasts until a later call.
    """
    done = threading.Event()

    def run() -> None:
        while not done.wait(seconds):
            try:
                renew()
            except SQLAlchemyError as error:
                log.warning("%s was not renewed: %s", what, error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
